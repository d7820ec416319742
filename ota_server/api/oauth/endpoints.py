# SPDX-License-Identifier: Apache-2.0
"""OAuth's routes, at the root: Particle has them there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ota_server.api.body import BodyLimit
from ota_server.api.errors import oauth_error
from ota_server.api.oauth.clients import ANY_METHOD, SECRET_METHODS
from ota_server.api.oauth.grants import GRANTS
from ota_server.api.oauth.requests import TokenRequest, read_fields
from ota_server.api.oauth.server import TokenServer
from ota_server.errors import ServerError
from ota_server.organizations.roles import Permission
from ota_server.services import Services

BODY_MAX = 16 * 1024
TOKEN, REVOCATION, INTROSPECTION = "/oauth/token", "/oauth/revoke", "/oauth/introspect"


def routes(services: Services) -> list[Route]:
    """The endpoints that clients call themselves; the one for browsers is a page."""
    server = TokenServer(services)

    def endpoint(answer: Callable[[TokenRequest], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                fields = await read_fields(request)
                return await asyncio.to_thread(answer, TokenRequest(request, fields))
            except ServerError as error:
                return oauth_error(error)
            except HTTPException as error:
                body = {"error": "invalid_request", "error_description": error.detail}
                return JSONResponse(body, error.status_code)

        return handle

    async def describe(request: Request) -> Response:
        return JSONResponse(metadata(services.settings.public_url or str(request.base_url).rstrip("/")))

    limited = [Middleware(BodyLimit, size_max=BODY_MAX)]
    answers: dict[str, Callable[[TokenRequest], Response]] = {
        TOKEN: server.token_response,
        REVOCATION: partial(server.create_endpoint_response, "revocation"),
        INTROSPECTION: partial(server.create_endpoint_response, "introspection"),
    }
    return [
        Route("/.well-known/oauth-authorization-server", describe, methods=["GET"]),
        *(Route(path, endpoint(answer), methods=["POST"], middleware=limited) for path, answer in answers.items()),
    ]


def metadata(issuer: str) -> dict[str, object]:
    """What this server can do (RFC 8414)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": issuer + TOKEN,
        "revocation_endpoint": issuer + REVOCATION,
        "introspection_endpoint": issuer + INTROSPECTION,
        "scopes_supported": list(Permission),
        "response_types_supported": ["code"],
        "grant_types_supported": [grant.GRANT_TYPE for grant in GRANTS],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(ANY_METHOD),
        "revocation_endpoint_auth_methods_supported": list(ANY_METHOD),
        "introspection_endpoint_auth_methods_supported": list(SECRET_METHODS),
    }
