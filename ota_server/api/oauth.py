# SPDX-License-Identifier: Apache-2.0
"""OAuth 2 (RFC 6749), by Authlib: access tokens for people's tools.

Muster's own commands, and clients that the operator allowed, trade an address and a password for a token, and a code
where the account has a second factor.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import BaseGrant, ResourceOwnerPasswordCredentialsGrant, TokenEndpointMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from muster.client import CLIENT
from ota_server.accounts import service as accounts
from ota_server.accounts.models import Account
from ota_server.api.body import BodyLimit
from ota_server.api.context import address_of
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import Invalid, ServerError, TooMany, Unauthorized
from ota_server.services import Services

LASTS_S = 90 * 24 * 3600
"""A token that nobody asked to last longer or shorter, as Particle's do."""
BODY_MAX = 16 * 1024

# At DEBUG, Authlib writes the tokens that it hands out.
logging.getLogger("authlib").setLevel(logging.INFO)


class PasswordClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A tool that the operator trusts with passwords. Its secret is in every copy of it, so it is not looked at."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    def check_client_secret(self, _client_secret: str) -> bool:
        return True

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("password", CodeGrant.GRANT_TYPE)

    def get_allowed_scope(self, scope: str) -> str:
        return ""


class MfaRequired(OAuth2Error):  # type: ignore[misc]
    """The password is right; a code is missing. Particle's word for it."""

    error = "mfa_required"
    status_code = 403

    def __init__(self, mfa_token: str) -> None:
        super().__init__("send a code of your authenticator app: grant_type urn:custom:mfa-otp")
        self.mfa_token = mfa_token

    def get_body(self) -> list[tuple[str, str]]:
        return [*super().get_body(), ("mfa_token", self.mfa_token)]


class TooManyTries(OAuth2Error):  # type: ignore[misc]
    """Too many wrong passwords."""

    error = "too_many_requests"
    status_code = 429


class PasswordGrant(ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 section 4.3."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

    def authenticate_user(self, username: str, password: str) -> Account:
        return self.server.check_password(username, password)  # type: ignore[no-any-return]

    def generate_token(self, **named: Any) -> dict[str, Any]:
        named["expires_in"] = _lasts_s(self.request.form)
        self.server.ask_for_code(named["user"], self.request.client.client_id, named["expires_in"])
        return super().generate_token(**named)  # type: ignore[no-any-return]


class CodeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Particle's way to answer `mfa_required`."""

    GRANT_TYPE = "urn:custom:mfa-otp"
    TOKEN_ENDPOINT_AUTH_METHODS = PasswordGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def validate_token_request(self) -> None:
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        form = self.request.form
        self.request.user, lasts_s = self.server.take_code(
            self.request.client.client_id, form.get("mfa_token", ""), form.get("otp", "")
        )
        token = self.generate_token(user=self.request.user, expires_in=lasts_s)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """A request's fields, from a form or from JSON."""

    def __init__(self, request: Request, fields: Mapping[str, str]) -> None:
        # Whether the way here was safe is for the proxy before us to say: the path is all that Authlib needs.
        super().__init__(
            "POST", "https://server/oauth/token", headers={"Authorization": request.headers.get("authorization", "")}
        )
        self.payload = BasicOAuth2Payload(fields)
        self.address = address_of(request)

    @property
    def form(self) -> Mapping[str, str]:
        return self.payload.data  # type: ignore[no-any-return]


class TokenServer(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server over this server's accounts."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self.register_grant(PasswordGrant)
        self.register_grant(CodeGrant)
        self.register_token_generator("default", _new_token)

    def query_client(self, client_id: str) -> PasswordClient | None:
        allowed = (CLIENT, *self._services.settings.password_clients)
        return PasswordClient(client_id) if client_id in allowed else None

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        return request

    def handle_response(self, status: int, body: dict[str, Any], headers: Any) -> Response:
        if body.get("error") == "unsupported_grant_type":
            body = {**body, "error_description": "grant_type is one of: password, urn:custom:mfa-otp"}
        return JSONResponse(body, status, dict(headers))

    def send_signal(self, *_arguments: object, **_named: object) -> None:
        """Nobody listens."""

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Raises Invalid, Conflict; then nobody gets the token."""
        now_ms, client, user = self._now_ms(), request.client.client_id, request.user

        def write(connection: Connection) -> None:
            lasts_s = token["expires_in"] or None
            accounts.keep_token(connection, user.id, token["access_token"], client, now_ms, lasts_s, client)
            audit.add(connection, Entry(now_ms, user.id, None, request.address, "token.create", client, "by password"))

        self._services.database.write(write)

    def check_password(self, username: str, password: str) -> Account:
        """Raises InvalidGrantError, TooManyTries."""
        try:
            return self._services.sign_ins.check_password(username, password, self._now_ms())
        except TooMany as error:
            raise TooManyTries(str(error)) from error
        except Unauthorized as error:
            raise InvalidGrantError("User credentials are invalid") from error

    def ask_for_code(self, account: Account, client: str, lasts_s: int | None) -> None:
        """Raises MfaRequired for an account whose second factor is on."""
        token = self._services.sign_ins.ask_for_code(account, self._now_ms(), client, lasts_s)
        if token is not None:
            raise MfaRequired(token)

    def take_code(self, client: str, mfa_token: str, otp: str) -> tuple[Account, int | None]:
        """Whose challenge it was, and for how long a token was asked. Raises InvalidGrantError."""
        taken = self._services.sign_ins.take_code(mfa_token, otp, self._now_ms(), client)
        if taken is None:
            raise InvalidGrantError("this code is not right, or came too late")
        return taken

    def token_response(self, request: TokenRequest) -> Response:
        """Raises ServerError."""
        response = self.create_token_response(request)
        assert isinstance(response, Response)
        return response

    def _now_ms(self) -> int:
        return self._services.clock.now_ms()


def _new_token(expires_in: int | None = None, **_rest: object) -> dict[str, Any]:
    """The answer of the token endpoint; 0 seconds, in Particle's words, are for ever."""
    return {"token_type": "bearer", "access_token": accounts.new_token(), "expires_in": expires_in or 0}


def routes(services: Services) -> list[Route]:
    """The routes at the root: Particle has them there."""
    server = TokenServer(services)

    async def token(request: Request) -> Response:
        try:
            fields = await _fields(request)
            return await asyncio.to_thread(server.token_response, TokenRequest(request, fields))
        except ServerError as error:
            return JSONResponse(error.to_json(), error.status)
        except HTTPException as error:
            return JSONResponse({"error": "invalid_request", "error_description": error.detail}, error.status_code)

    return [Route("/oauth/token", token, methods=["POST"], middleware=[Middleware(BodyLimit, size_max=BODY_MAX)])]


async def _fields(request: Request) -> dict[str, str]:
    """The body's fields: a form's or a JSON object's. Raises Invalid, HTTPException."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(await request.body())
        except ValueError as error:
            raise Invalid("the body is no JSON") from error
        if not isinstance(found, dict):
            raise Invalid("send an object with grant_type and its fields")
        return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    async with request.form(max_files=0, max_fields=20) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}


def _lasts_s(fields: Mapping[str, str]) -> int | None:
    """For how long a token is asked; 0 asks for one that does not expire. Raises InvalidRequestError."""
    text = fields.get("expires_in", "")
    if text == "":
        return LASTS_S
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InvalidRequestError("expires_in is a number of seconds; 0 means for ever")
    return int(text) or None
