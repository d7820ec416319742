# SPDX-License-Identifier: Apache-2.0
"""Clients make customers of their product, in Particle's three ways, and get a token for them at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from ota_server.api.errors import oauth_error
from ota_server.api.oauth.clients import SECRET_METHODS, RegisteredClient
from ota_server.api.oauth.grants import LASTS_S
from ota_server.api.oauth.requests import TokenRequest
from ota_server.api.oauth.server import TokenServer
from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.customers import service as customers
from ota_server.customers.models import Customer
from ota_server.errors import ServerError
from ota_server.oauth.models import ClientScope, ClientType
from ota_server.products.models import Product
from ota_server.services import Services


def create_customer(services: Services, product: str, request: TokenRequest) -> Response:
    """Makes a customer and signs it in: a token, or with `response_type=token` a way back to the app with one in it.

    Refusals are OAuth's, too: not an address or not a password, a customer of this address, too many from one place.
    """
    server = TokenServer(services)
    try:
        is_implicit = request.payload.response_type == "token"
        client = _public_client(server, request) if is_implicit else _client(server, request)
        found = server.product_of(client)
        if found is None or product not in (found.slug, str(found.id)):
            raise InvalidClientError(description="This client is not one of the product.")
        if not _is_two_legged(client):
            services.sign_ups.take(request.address, services.clock.now_ms())
        request.client, request.user = client, _create(services, client, found, request)
        token: dict[str, Any] = server.generate_token("customer", client, request.user, expires_in=LASTS_S)
        server.save_token(token, request)
    except OAuth2Error as error:
        response = server.handle_error_response(request, error)
        assert isinstance(response, Response)
        return response
    except ServerError as error:
        return oauth_error(error)
    if is_implicit:
        del token["refresh_token"]
        state = {"state": request.payload.state} if request.payload.state else {}
        return RedirectResponse(f"{client.client.redirect_uri}#{urlencode(token | state)}", 302)
    return server.handle_response(200, token, [("cache-control", "no-store")])


def _client(server: TokenServer, request: TokenRequest) -> RegisteredClient:
    found = server.authenticate_client(request, SECRET_METHODS, "customers")
    if not isinstance(found, RegisteredClient):
        raise InvalidClientError(description="This client makes no customers.")
    return found


def _public_client(server: TokenServer, request: TokenRequest) -> RegisteredClient:
    """The client of a browser (RFC 6749 section 4.2): it has no secret, and gets its answer at its own address only."""
    found = server.query_client(request.payload.client_id or "")
    if not isinstance(found, RegisteredClient) or found.client.type is not ClientType.WEB:
        raise InvalidClientError(description="Only a web client has its token sent back to it.")
    asked = request.payload.redirect_uri
    if asked and asked != found.client.redirect_uri:
        raise InvalidRequestError("redirect_uri is not the client's own")
    return found


def _create(services: Services, client: RegisteredClient, product: Product, request: TokenRequest) -> Customer:
    form = request.form
    email, password = form.get("email", ""), form.get("password")
    without = form.get("no_password", "").lower() in ("true", "1") or (password is None and _is_two_legged(client))
    if without and not _is_two_legged(client):
        raise InvalidRequestError("only a client without scope makes customers without a password")
    if not without and password is None:
        raise InvalidRequestError("send a password, or no_password=true")
    hashed = None if without or password is None else services.passwords.hash(password)
    now_ms = services.clock.now_ms()

    def write(connection: Connection) -> Customer:
        made = customers.add(connection, product, email, hashed, now_ms)
        text = f"customer {made.id}"
        line = Entry(now_ms, None, product.organization_id, request.address, "customer.create", text, client.client_id)
        audit.add(connection, line)
        return made

    return services.database.write(write)


def _is_two_legged(client: RegisteredClient) -> bool:
    """Whether the product's own server asks: its secret is in no app."""
    return client.client.scope is ClientScope.ALL and client.client.type is ClientType.INSTALLED
