# SPDX-License-Identifier: Apache-2.0
"""What a client may trade for an access token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import (
    BaseGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
    ResourceOwnerPasswordCredentialsGrant,
    TokenEndpointMixin,
)

from ota_server.accounts.models import Account
from ota_server.api.oauth.clients import ANY_METHOD, OTP, SECRET_METHODS, AnyClient
from ota_server.customers.models import Customer
from ota_server.oauth.models import Grant

LASTS_S = 90 * 24 * 3600
"""A token that nobody asked to last longer or shorter, as Particle's do."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token that was just used up, as Authlib asks about it."""

    grant: Grant
    holder: Account | Customer

    def check_client(self, _client: AnyClient) -> bool:
        """It was looked for among the client's own."""
        return True

    def get_scope(self) -> str:
        return self.grant.scopes or ""


class MfaRequired(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
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
    """An address and a password (RFC 6749 section 4.3): an account's, or for a product's client a customer's."""

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD

    def authenticate_token_endpoint_client(self) -> AnyClient:
        self.request.client = super().authenticate_token_endpoint_client()
        return self.request.client  # type: ignore[no-any-return]

    def authenticate_user(self, username: str, password: str) -> Account | Customer:
        return self.server.check_password(self.request.client, username, password)  # type: ignore[no-any-return]

    def generate_token(self, **named: Any) -> dict[str, Any]:
        named["expires_in"] = lasts_s(self.request.form)
        if isinstance(named["user"], Account):
            self.server.ask_for_code(named["user"], self.request.client.client_id, named["expires_in"])
        return super().generate_token(**named)  # type: ignore[no-any-return]


class CodeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Particle's way to answer `mfa_required`."""

    GRANT_TYPE = OTP
    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD

    def validate_token_request(self) -> None:
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        form = self.request.form
        self.request.user, seconds = self.server.take_code(
            self.request.client.client_id, form.get("mfa_token", ""), form.get("otp", "")
        )
        token = self.generate_token(user=self.request.user, expires_in=seconds)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class OwnerGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """A client's own secret (RFC 6749 section 4.4): it acts as whoever made it, or as a customer of its product."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS

    def generate_token(self, **named: Any) -> dict[str, Any]:
        scope = self.request.form.get("scope", "")
        self.request.user = self.server.whom_to_be(self.request.client, scope)
        named |= {"user": self.request.user, "expires_in": lasts_s(self.request.form)}
        return super().generate_token(**named)  # type: ignore[no-any-return]


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    """A refresh token, which is good once, for an access token and the next refresh token (RFC 6749 section 6)."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def _validate_request_client(self) -> AnyClient:
        self.request.client = super()._validate_request_client()
        return self.request.client  # type: ignore[no-any-return]

    def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
        return self.server.use_refresh_token(self.request.client, refresh_token)  # type: ignore[no-any-return]

    def authenticate_user(self, refresh_token: Refresh) -> Account | Customer:
        self.request.grant = refresh_token.grant
        return refresh_token.holder

    def revoke_old_credential(self, refresh_token: Refresh) -> None:
        """It was used up when it was looked at."""

    def generate_token(self, **named: Any) -> dict[str, Any]:
        named["expires_in"] = lasts_s(self.request.form)
        return super().generate_token(**named)  # type: ignore[no-any-return]


GRANTS = (PasswordGrant, CodeGrant, OwnerGrant, RefreshGrant)


def lasts_s(fields: Mapping[str, str]) -> int | None:
    """For how long a token is asked; 0 asks for one that does not expire. Raises InvalidRequestError."""
    text = fields.get("expires_in", "")
    if text == "":
        return LASTS_S
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InvalidRequestError("expires_in is a number of seconds; 0 means for ever")
    return int(text) or None
