# SPDX-License-Identifier: Apache-2.0
"""Authlib's server over this server's accounts and clients."""

from __future__ import annotations

import logging
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidScopeError
from sqlalchemy import Connection
from starlette.responses import JSONResponse, Response

from muster.client import CLIENT
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.models import Account
from ota_server.accounts.service import NewToken
from ota_server.api.oauth.about_tokens import ENDPOINTS
from ota_server.api.oauth.clients import AnyClient, PasswordClient, RegisteredClient
from ota_server.api.oauth.grants import (
    GRANTS,
    BrowserGrant,
    FragmentGrant,
    MfaRequired,
    Pkce,
    Refresh,
    TooManyTries,
    UsedCode,
)
from ota_server.api.oauth.requests import AuthorizeRequest, TokenRequest
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.customers import service as customers
from ota_server.customers import store as customers_store
from ota_server.customers import tokens as customer_tokens
from ota_server.customers.models import Customer
from ota_server.errors import Invalid, NotFound, TooMany, Unauthorized
from ota_server.oauth import grants, store
from ota_server.oauth.grants import Issued
from ota_server.oauth.models import ClientScope, Grant
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.services import Services

# At DEBUG, Authlib writes the tokens that it hands out.
logging.getLogger("authlib").setLevel(logging.INFO)


class TokenServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Asks the domain what Authlib wants to know."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        for grant in GRANTS:
            self.register_grant(grant, [Pkce()] if grant is BrowserGrant else None)
        for endpoint in ENDPOINTS:
            self.register_endpoint(endpoint)
        self.register_token_generator("default", _new_token)

    def query_client(self, client_id: str) -> AnyClient | None:
        if client_id in (CLIENT, *self._services.settings.password_clients):
            return PasswordClient(client_id)
        with self._services.database.read() as connection:
            found = store.by_client_id(connection, client_id)
        return None if found is None else RegisteredClient(found)

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        return request

    def handle_response(self, status: int, body: dict[str, Any] | str, headers: Any) -> Response:
        if isinstance(body, str):
            return Response(body, status, dict(headers))
        if body.get("error") == "unsupported_grant_type":
            names = sorted(grant.GRANT_TYPE for grant in GRANTS)
            body = {**body, "error_description": f"grant_type is one of: {', '.join(names)}"}
        return JSONResponse(body, status, dict(headers))

    def send_signal(self, *_arguments: object, **_named: object) -> None:
        """Nobody listens."""

    def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """Completes the answer with a refresh token where there is one. Raises Invalid, Conflict."""
        if isinstance(request.user, Customer) or request.grant is not None:
            self._save_under_grant(token, request, request.user)
            return
        now_ms, client, user = self._now_ms(), request.client.client_id, request.user
        how = f"by {request.payload.grant_type}"
        of_product = request.client.client.product_id if isinstance(request.client, RegisteredClient) else None

        def write(connection: Connection) -> None:
            new = NewToken(client, token["expires_in"] or None, client, product_id=of_product)
            accounts.keep_token(connection, user.id, token["access_token"], new, now_ms)
            audit.add(connection, Entry(now_ms, user.id, None, request.address, "token.create", client, how))

        self._services.database.write(write)

    def _save_under_grant(self, token: dict[str, Any], request: TokenRequest, holder: Account | Customer) -> None:
        now_ms, client = self._now_ms(), request.client.client

        def write(connection: Connection) -> str:
            grant = request.grant or grants.begin(connection, client, now_ms, customer_id=holder.id)
            lasts_s = token["expires_in"] or None
            new = NewToken(client.name, lasts_s, client.client_id, scopes=grant.scopes, grant_id=grant.id)
            if isinstance(holder, Customer):
                customer_tokens.keep_token(connection, holder, token["access_token"], new, now_ms)
            else:
                accounts.keep_token(connection, holder.id, token["access_token"], new, now_ms)
            return grants.new_refresh_token(connection, grant, now_ms)

        token["refresh_token"] = self._services.database.write(write)

    def answer(self, request: AuthorizeRequest, user: Account | Customer | None, grant: Any) -> Response:
        """Sends the browser back to the client, with what it asked for or, with no user, a refusal."""
        response = self.create_authorization_response(request, user, grant)
        assert isinstance(response, Response)
        response.headers["cache-control"] = "no-store"
        return response

    def refuse(self, request: AuthorizeRequest, error: OAuth2Error) -> Response:
        """Sends the browser back to a client that asked wrongly. Raises Invalid where its place is not known."""
        if not getattr(error, "redirect_uri", None):
            raise Invalid(f"the app asked wrongly: {error.get_error_description() or error.error}")
        response = self.handle_error_response(request, error)
        assert isinstance(response, Response)
        return response

    def grant(self, request: AuthorizeRequest) -> str:
        """Lets the request's client act for its user, as it asked; returns the code. Raises Conflict."""
        now_ms, client, user = self._now_ms(), request.client.client, request.user
        product = self.product_of(request.client)

        def write(connection: Connection) -> str:
            if isinstance(user, Customer):
                grant = grants.begin(connection, client, now_ms, customer_id=user.id)
            else:
                grant = self._grant_for_account(connection, request, user, product, now_ms)
            challenge = request.payload.data.get("code_challenge") or None
            return grants.new_code(connection, grant, client.redirect_uri or "", challenge, now_ms)

        return self._services.database.write(write)

    def _grant_for_account(
        self, connection: Connection, request: AuthorizeRequest, user: Account, product: Product | None, now_ms: int
    ) -> Grant:
        client = request.client.client
        if product is None:
            grant = grants.begin(connection, client, now_ms, account_id=user.id, scopes=request.scope)
        else:
            customer = customers.of_account(connection, product, user, now_ms)
            grant = grants.begin(connection, client, now_ms, customer_id=customer.id)
        entry = Entry(now_ms, user.id, None, request.address, "client.grant", client.client_id, request.scope or "")
        audit.add(connection, entry)
        return grant

    def use_code(self, client: RegisteredClient, code: str) -> UsedCode | None:
        """What an authorization code of this client is for, which is used up by this."""
        now_ms = self._now_ms()

        def write(connection: Connection) -> UsedCode | None:
            found = grants.use_code(connection, client.client, code, now_ms)
            holder = None if found is None else _holder(connection, found.grant)
            return None if found is None or holder is None else UsedCode(found, holder)

        return self._services.database.write(write)

    def use_refresh_token(self, client: RegisteredClient, token: str) -> Refresh | None:
        """What a refresh token of this client is for, which is used up by this."""
        now_ms = self._now_ms()

        def write(connection: Connection) -> Refresh | None:
            grant = grants.use_refresh_token(connection, client.client, token, now_ms)
            holder = None if grant is None else _holder(connection, grant)
            return None if grant is None or holder is None else Refresh(grant, holder)

        return self._services.database.write(write)

    def check_password(self, client: AnyClient, username: str, password: str) -> Account | Customer:
        """Raises InvalidGrantError, TooManyTries."""
        services, now_ms = self._services, self._now_ms()
        try:
            if isinstance(client, PasswordClient):
                return services.sign_ins.check_password(username, password, now_ms)
            product = self.product_of(client)
            assert product is not None, "only a product's client may ask for passwords"
            return customer_tokens.check_password(
                services.database, services.passwords, product, username, password, now_ms
            )
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

    def whom_to_be(self, client: RegisteredClient, scope: str) -> Account | Customer:
        """Who made the client; with a scope of `customer=ADDRESS`, a customer of its product. Raises OAuth2Error."""
        kind, _, email = scope.partition("=")
        product = self.product_of(client)
        with self._services.database.read() as connection:
            if scope == "":
                found = accounts_store.by_id(connection, client.client.account_id)
                assert found is not None, "clients go with their account"
                return found
            if kind != "customer" or product is None:
                raise InvalidScopeError("the scope is customer=ADDRESS, for a product's client")
            try:
                return customers.find(connection, product, email)
            except NotFound as error:
                raise InvalidGrantError(str(error)) from error

    def product_of(self, client: RegisteredClient) -> Product | None:
        """Whose client it is; None for an account's own."""
        if client.client.product_id is None:
            return None
        with self._services.database.read() as connection:
            return products.get(connection, client.client.product_id)

    def issued(self, token: str) -> Issued | None:
        """What is known of a token that a client was given."""
        with self._services.database.read() as connection:
            return grants.issued(connection, token, self._now_ms())

    def revoke(self, found: Issued) -> None:
        """Ends a token, or all of its grant."""
        self._services.database.write(lambda connection: grants.revoke(connection, found))

    def holder_of(self, grant: Grant) -> Account | Customer | None:
        """For whom the client acts."""
        with self._services.database.read() as connection:
            return _holder(connection, grant)

    def token_response(self, request: TokenRequest) -> Response:
        """Raises ServerError."""
        response = self.create_token_response(request)
        assert isinstance(response, Response)
        return response

    def _now_ms(self) -> int:
        return self._services.clock.now_ms()


class CustomerServer(TokenServer):
    """The same for a product's own pages, where its customers sign in for its apps."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.register_grant(FragmentGrant)

    def check(self, request: AuthorizeRequest, product: str) -> tuple[Any, Product]:
        """How to answer a request of a product's app, and which product.

        Raises:
            OAuth2Error: no such app, or it asks wrongly.
        """
        grant = self.get_consent_grant(request)
        client = grant.request.client
        found = self.product_of(client)
        if found is None or product not in (found.slug, str(found.id)):
            raise InvalidClientError(description="This client is not one of the product.")
        if client.client.scope is not ClientScope.CREATE_CUSTOMER:
            raise InvalidClientError(description="These pages need a client with the scope create_customer.")
        return grant, found


def _new_token(expires_in: int | None = None, **_rest: object) -> dict[str, Any]:
    """The answer of the token endpoint; 0 seconds, in Particle's words, are for ever."""
    return {"token_type": "bearer", "access_token": accounts.new_token(), "expires_in": expires_in or 0}


def _holder(connection: Connection, grant: Grant) -> Account | Customer | None:
    if grant.customer_id is not None:
        return customers_store.by_row(connection, grant.customer_id)
    assert grant.account_id is not None, "a grant is an account's or a customer's"
    return accounts_store.by_id(connection, grant.account_id)
