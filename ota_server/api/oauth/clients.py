# SPDX-License-Identifier: Apache-2.0
"""Clients as Authlib asks about them: those that the operator allowed, and those that people made."""

from __future__ import annotations

from authlib.oauth2.rfc6749 import ClientMixin

from ota_server.oauth.clients import is_secret
from ota_server.oauth.models import Client, ClientScope

PASSWORD = "password"  # noqa: S105  # a grant's name
OTP = "urn:custom:mfa-otp"
CLIENT_CREDENTIALS = "client_credentials"
REFRESH = "refresh_token"

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
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
        return method in SECRET_METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        """Customers' passwords are for their product's own apps; acting as its maker is not for `create_customer`."""
        is_of_product = self.client.product_id is not None
        if grant_type == CLIENT_CREDENTIALS:
            return self.client.scope is ClientScope.ALL
        return is_of_product and grant_type in (PASSWORD, REFRESH)

    def get_allowed_scope(self, scope: str) -> str:
        return ""


AnyClient = PasswordClient | RegisteredClient
