# SPDX-License-Identifier: Apache-2.0
"""Authlib's server over this server's accounts and clients."""

from __future__ import annotations

import logging
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from muster.client import CLIENT
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.models import Account
from ota_server.accounts.service import NewToken
from ota_server.api.oauth.clients import PasswordClient, RegisteredClient
from ota_server.api.oauth.grants import GRANTS, MfaRequired, TooManyTries
from ota_server.api.oauth.requests import TokenRequest
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import TooMany, Unauthorized
from ota_server.oauth import store
from ota_server.services import Services

# At DEBUG, Authlib writes the tokens that it hands out.
logging.getLogger("authlib").setLevel(logging.INFO)


class TokenServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Asks the domain what Authlib wants to know."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        for grant in GRANTS:
            self.register_grant(grant)
        self.register_token_generator("default", _new_token)

    def query_client(self, client_id: str) -> PasswordClient | RegisteredClient | None:
        if client_id in (CLIENT, *self._services.settings.password_clients):
            return PasswordClient(client_id)
        with self._services.database.read() as connection:
            found = store.by_client_id(connection, client_id)
        return None if found is None else RegisteredClient(found)

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        return request

    def handle_response(self, status: int, body: dict[str, Any], headers: Any) -> Response:
        if body.get("error") == "unsupported_grant_type":
            names = sorted(grant.GRANT_TYPE for grant in GRANTS)
            body = {**body, "error_description": f"grant_type is one of: {', '.join(names)}"}
        return JSONResponse(body, status, dict(headers))

    def send_signal(self, *_arguments: object, **_named: object) -> None:
        """Nobody listens."""

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Raises Invalid, Conflict; then nobody gets the token."""
        now_ms, client, user = self._now_ms(), request.client.client_id, request.user
        how = f"by {request.payload.grant_type}"

        def write(connection: Connection) -> None:
            lasts_s = token["expires_in"] or None
            new = NewToken(client, lasts_s, client)
            accounts.keep_token(connection, user.id, token["access_token"], new, now_ms)
            audit.add(connection, Entry(now_ms, user.id, None, request.address, "token.create", client, how))

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

    def owner_of(self, client: RegisteredClient) -> Account:
        """Who made the client."""
        with self._services.database.read() as connection:
            found = accounts_store.by_id(connection, client.client.account_id)
        assert found is not None, "clients go with their account"
        return found

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
