# SPDX-License-Identifier: Apache-2.0
"""What a client may trade for an access token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
    BaseGrant,
    ClientCredentialsGrant,
    ImplicitGrant,
    RefreshTokenGrant,
    ResourceOwnerPasswordCredentialsGrant,
    TokenEndpointMixin,
)
from authlib.oauth2.rfc7636 import CodeChallenge

from ota_server.accounts.models import Account
from ota_server.api.oauth.clients import ANY_METHOD, OTP, SECRET_METHODS, AnyClient, RegisteredClient
from ota_server.customers.models import Customer
from ota_server.numbers import digits
from ota_server.oauth.models import ClientType, Code, Grant

LASTS_S = 90 * 24 * 3600
"""A token that nobody asked to last longer or shorter, as Particle's do."""
EXPIRES_MAX_S = 10**12 - 1


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
        client = self.request.client = super().authenticate_token_endpoint_client()
        if isinstance(client, RegisteredClient) and self.request.auth_method == "none":
            raise InvalidClientError(description="Send the client's secret.", status_code=401)
        return client  # type: ignore[no-any-return]

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

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD
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


@dataclass(frozen=True, slots=True)
class UsedCode:
    """An authorization code that was just used up, as Authlib asks about it."""

    code: Code
    holder: Account | Customer

    @property
    def code_challenge(self) -> str | None:
        return self.code.challenge

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return self.code.grant.scopes or ""


class BrowserGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """A person agrees in a browser, which brings the client a code (RFC 6749 section 4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ANY_METHOD

    def save_authorization_code(self, code: str, request: Any) -> None:
        """It was made in `generate_authorization_code`, with the grant."""

    def generate_authorization_code(self) -> str:
        return self.server.grant(self.request)  # type: ignore[no-any-return]

    def query_authorization_code(self, code: str, client: RegisteredClient) -> UsedCode | None:
        return self.server.use_code(client, code)  # type: ignore[no-any-return]

    def delete_authorization_code(self, authorization_code: UsedCode) -> None:
        """It stays, used, so that its second use is noticed."""

    def authenticate_user(self, authorization_code: UsedCode) -> Account | Customer:
        self.request.grant = authorization_code.code.grant
        return authorization_code.holder

    def generate_token(self, **named: Any) -> dict[str, Any]:
        named["expires_in"] = lasts_s(self.request.form)
        return super().generate_token(**named)  # type: ignore[no-any-return]


class FragmentGrant(ImplicitGrant):  # type: ignore[misc]
    """A token behind the # of the redirect URI (RFC 6749 section 4.2), for a web client that has no server."""

    def authenticate_token_endpoint_client(self) -> AnyClient:
        """Its redirect URI is all that is known of it: the token goes nowhere else."""
        client = self.server.query_client(self.request.payload.client_id or "")
        if not isinstance(client, RegisteredClient):
            raise InvalidClientError(description="There is no such client.")
        return client

    def generate_token(self, **named: Any) -> dict[str, Any]:
        return super().generate_token(**{**named, "expires_in": LASTS_S})  # type: ignore[no-any-return]

    def save_token(self, token: dict[str, Any]) -> None:
        """Without a refresh token: a page cannot keep one (RFC 6749 section 4.2.2)."""
        super().save_token(token)
        del token["refresh_token"]


class Pkce(CodeChallenge):  # type: ignore[misc]
    """Proof that who brings the code began the request (RFC 7636): by S256 only, and a must for installed clients."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: BrowserGrant, redirect_uri: str) -> None:
        fields, client = grant.request.payload.data, grant.request.client
        if client.client.type is ClientType.INSTALLED and not fields.get("code_challenge"):
            raise InvalidRequestError("send a code_challenge: an installed client needs PKCE")
        if fields.get("code_challenge") and fields.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method is S256")
        super().validate_code_challenge(grant, redirect_uri)


GRANTS = (PasswordGrant, CodeGrant, OwnerGrant, RefreshGrant, BrowserGrant)


def lasts_s(fields: Mapping[str, str]) -> int | None:
    """For how long a token is asked; 0 asks for one that does not expire. Raises InvalidRequestError."""
    text = fields.get("expires_in", "")
    if text == "":
        return LASTS_S
    seconds = digits(text, EXPIRES_MAX_S)
    if seconds is None:
        raise InvalidRequestError("expires_in is a number of seconds; 0 means for ever")
    return seconds or None
