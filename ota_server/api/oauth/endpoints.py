# SPDX-License-Identifier: Apache-2.0
"""OAuth's routes, at the root: Particle has them there."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ota_server.api.body import BodyLimit
from ota_server.api.oauth.requests import TokenRequest, read_fields
from ota_server.api.oauth.server import TokenServer
from ota_server.errors import ServerError
from ota_server.services import Services

BODY_MAX = 16 * 1024


def routes(services: Services) -> list[Route]:
    """The token endpoint."""
    server = TokenServer(services)

    async def token(request: Request) -> Response:
        try:
            fields = await read_fields(request)
            return await asyncio.to_thread(server.token_response, TokenRequest(request, fields))
        except ServerError as error:
            return JSONResponse(error.to_json(), error.status)
        except HTTPException as error:
            return JSONResponse({"error": "invalid_request", "error_description": error.detail}, error.status_code)

    return [Route("/oauth/token", token, methods=["POST"], middleware=[Middleware(BodyLimit, size_max=BODY_MAX)])]
