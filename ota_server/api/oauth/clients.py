# SPDX-License-Identifier: Apache-2.0
"""Clients as Authlib asks about them: those that the operator allowed, and those that people made."""

from __future__ import annotations

from authlib.oauth2.rfc6749 import ClientMixin

from ota_server.errors import Invalid
from ota_server.oauth.clients import is_secret
from ota_server.oauth.models import Client, ClientScope, ClientType
from ota_server.organizations.roles import parse_scopes, scopes_text

PASSWORD = "password"  # noqa: S105  # a grant's name
OTP = "urn:custom:mfa-otp"
CLIENT_CREDENTIALS = "client_credentials"
REFRESH = "refresh_token"
CODE = "authorization_code"

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
PUBLIC = ("token", "revocation")
"""Endpoints at which a client that cannot keep a secret need not show one."""
ANY_METHOD = (*SECRET_METHODS, "none")


class PasswordClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A tool that the operator trusts with passwords. Its secret is in every copy of it, so it is not looked at."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    def check_client_secret(self, _client_secret: str) -> bool:
        return True

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in (PASSWORD, OTP)

    def get_allowed_scope(self, scope: str) -> str:
        return ""


class RegisteredClient(ClientMixin):  # type: ignore[misc]
    """A client of an account or of a product."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.client_id = client.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        return is_secret(self.client, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """An installed client has no secret that is one: it may leave it out, for what needs something else as well."""
        return method in SECRET_METHODS or (self.client.type is ClientType.INSTALLED and endpoint in PUBLIC)

    def check_grant_type(self, grant_type: str) -> bool:
        """Customers' passwords are for their product's own apps; acting as its maker is not for `create_customer`."""
        if grant_type == CLIENT_CREDENTIALS:
            return self.client.scope is ClientScope.ALL
        if grant_type == CODE:
            return self.client.redirect_uri is not None
        return grant_type == REFRESH or (grant_type == PASSWORD and self.client.product_id is not None)

    def check_response_type(self, response_type: str) -> bool:
        types = ("code", "token") if self.client.type is ClientType.WEB else ("code",)
        return response_type in types and self.client.redirect_uri is not None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.client.redirect_uri

    def get_default_redirect_uri(self) -> None:
        """None: it must be said."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """For a product's client, none: it acts for a customer. Otherwise what it asks for, which must be something."""
        if self.client.product_id is not None:
            return ""
        try:
            return scopes_text(parse_scopes((scope or "").split())) or None
        except Invalid:
            return None


AnyClient = PasswordClient | RegisteredClient
