# SPDX-License-Identifier: Apache-2.0
"""Every route, tried as every kind of actor. A route that is not in the table below fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from starlette.routing import Mount, Route

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.api.manage import ROUTERS
from ota_server.organizations import store
from ota_server.organizations.roles import OF_PRODUCTS, PERMISSIONS, Permission, Role
from ota_server.organizations.service import add_administrator
from ota_server.settings import Settings
from ota_server.telemetry import streams
from tests.ota_server import keys
from tests.ota_server.conftest import (
    DATABASES,
    EMAIL,
    ORGANIZATION,
    HandClock,
    Server,
    make_settings,
    new_database,
    run_server,
)
from tests.ota_server.customers.conftest import App, make_client, make_customer

ORG = "warm-rooms"
PRODUCT = f"/products/{keys.PRODUCT}"
DEVICE = "0123456789abcdef01234567"
CLAIMED = "0123456789abcdef01234568"
REMOVED = "0123456789abcdef01234569"
STAGES = [{"percent": 100, "min_confirmed": 1, "max_failures": 0}]
P = Permission


@dataclass(frozen=True)
class Call:
    """A request that succeeds, or fails for what it asks, when an administrator makes it.

    Attributes:
        needs: None where any account may.
        ends_token: whether the token of the request is none afterwards.
        is_personal: whether it concerns the account itself, so that a token with scopes is not enough.
        hands_out: whether it gives others what one scope alone does not let its holder do.
    """

    needs: Permission | None
    path: str
    arguments: dict[str, Any] = field(default_factory=dict)
    ends_token: bool = False
    is_personal: bool = False
    hands_out: bool = False


def _json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


CALLS = {
    "GET /access_tokens": Call(None, "/access_tokens", is_personal=True),
    "POST /access_tokens": Call(None, "/access_tokens", _json(label="ci"), is_personal=True),
    "GET /access_tokens/current": Call(None, "/access_tokens/current"),
    "DELETE /access_tokens/current": Call(None, "/access_tokens/current", ends_token=True),
    "DELETE /access_tokens": Call(None, "/access_tokens", ends_token=True, is_personal=True),
    "DELETE /access_tokens/id/{number}": Call(None, "/access_tokens/id/0", is_personal=True),
    "GET /user": Call(None, "/user"),
    "PUT /user": Call(None, "/user", _json(account_info={"first_name": "Ana"}), is_personal=True),
    "DELETE /user": Call(None, "/user", _json(password="guessed"), is_personal=True),
    "GET /user/mfa-enable": Call(None, "/user/mfa-enable", is_personal=True),
    "POST /user/mfa-enable": Call(None, "/user/mfa-enable", _json(mfa_token="0", otp="0"), is_personal=True),
    "PUT /user/mfa-disable": Call(None, "/user/mfa-disable", _json(current_password="guessed"), is_personal=True),
    "GET /user/invitations": Call(None, "/user/invitations", is_personal=True),
    "POST /user/invitations/{organization}": Call(None, "/user/invitations/none", _json(accept=True), is_personal=True),
    "GET /orgs": Call(None, "/orgs"),
    "POST /orgs": Call(None, "/orgs", _json(organization={"name": "Cold Rooms"}), is_personal=True),
    "GET /products": Call(None, "/products"),
    "GET /user/products": Call(None, "/user/products"),
    "GET /orgs/{organization}": Call(P.VIEW, f"/orgs/{ORG}"),
    "PUT /orgs/{organization}": Call(P.MANAGE_TEAM, f"/orgs/{ORG}", _json(name=ORGANIZATION)),
    "PUT /orgs/{organization}/owner": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/owner", _json(username="support@example.com"), is_personal=True
    ),
    "GET /orgs/{organization}/usage": Call(P.VIEW, f"/orgs/{ORG}/usage"),
    "GET /orgs/{organization}/usage.csv": Call(P.VIEW, f"/orgs/{ORG}/usage.csv"),
    "GET /orgs/{organization}/branding": Call(P.VIEW, f"/orgs/{ORG}/branding"),
    "PUT /orgs/{organization}/branding": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/branding", _json(name="Warm")),
    "PUT /orgs/{organization}/branding/logo": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/branding/logo", {"files": {"file": ("logo.png", b"none")}}
    ),
    "DELETE /orgs/{organization}/branding/logo": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/branding/logo"),
    "GET /orgs/{organization}/products": Call(P.VIEW, f"/orgs/{ORG}/products"),
    "GET /orgs/{organization}/audit": Call(P.AUDIT, f"/orgs/{ORG}/audit"),
    "GET /orgs/{organization}/team": Call(P.VIEW_TEAM, f"/orgs/{ORG}/team"),
    "POST /orgs/{organization}/team": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/team", _json(username="new@example.com"), hands_out=True
    ),
    "POST /orgs/{organization}/team/{username}": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/team/support@example.com", _json(role="support"), hands_out=True
    ),
    "PUT /orgs/{organization}/team/{username}": Call(
        P.MANAGE_TEAM, f"/orgs/{ORG}/team/support@example.com", _json(role="support"), hands_out=True
    ),
    "DELETE /orgs/{organization}/team/{username}": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/team/new@example.com"),
    "PUT /orgs/{organization}/team/{username}/token": Call(P.MANAGE_TEAM, f"/orgs/{ORG}/team/none/token"),
    "PUT /products/{product}/team/{username}/token": Call(P.MANAGE_TEAM, f"{PRODUCT}/team/none/token"),
    "POST /products": Call(P.MANAGE_PRODUCTS, "/products", _json(product={"id": 7, "name": "Seven", "org": ORG})),
    "GET /products/{product}": Call(P.VIEW, PRODUCT),
    "PUT /products/{product}": Call(P.MANAGE_PRODUCTS, PRODUCT, _json(product={"description": "warm"})),
    "DELETE /products/{product}": Call(P.MANAGE_PRODUCTS, PRODUCT),
    "GET /products/{product}/team": Call(P.VIEW_TEAM, f"{PRODUCT}/team"),
    "POST /products/{product}/team": Call(
        P.MANAGE_TEAM, f"{PRODUCT}/team", _json(username="new@example.com"), hands_out=True
    ),
    "POST /products/{product}/team/{username}": Call(
        P.MANAGE_TEAM, f"{PRODUCT}/team/support@example.com", _json(role="support"), hands_out=True
    ),
    "PUT /products/{product}/team/{username}": Call(
        P.MANAGE_TEAM, f"{PRODUCT}/team/support@example.com", _json(role="support"), hands_out=True
    ),
    "DELETE /products/{product}/team/{username}": Call(P.MANAGE_TEAM, f"{PRODUCT}/team/new@example.com"),
    "GET /products/{product}/customers": Call(P.VIEW_CUSTOMERS, f"{PRODUCT}/customers"),
    "GET /products/{product}/customers/{email}": Call(P.VIEW_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com"),
    "PUT /products/{product}/customers/{email}": Call(
        P.MANAGE_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com", _json(password="a good password")
    ),
    "DELETE /products/{product}/customers/{email}": Call(P.MANAGE_CUSTOMERS, f"{PRODUCT}/customers/nobody@example.com"),
    "GET /clients": Call(None, "/clients", is_personal=True),
    "POST /clients": Call(None, "/clients", _json(name="App", type="installed"), is_personal=True),
    "PUT /clients/{client}": Call(None, "/clients/none", _json(name="App"), is_personal=True),
    "DELETE /clients/{client}": Call(None, "/clients/none", is_personal=True),
    "GET /products/{product}/clients": Call(P.VIEW, f"{PRODUCT}/clients"),
    "POST /products/{product}/clients": Call(
        P.MANAGE_PRODUCTS, f"{PRODUCT}/clients", _json(name="App", type="installed", scope="create_customer")
    ),
    "PUT /products/{product}/clients/{client}": Call(P.MANAGE_PRODUCTS, f"{PRODUCT}/clients/none", _json(name="App")),
    "DELETE /products/{product}/clients/{client}": Call(P.MANAGE_PRODUCTS, f"{PRODUCT}/clients/none"),
    "GET /products/{product}/devices": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices"),
    "POST /products/{product}/devices": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices", _json(id=DEVICE)),
    "PUT /products/{product}/devices": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices", _json(action="groups", devices=[DEVICE], metadata={"add": ["beta"]})
    ),
    "PUT /products/{product}/devices/{device} groups": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(groups=["beta"])
    ),
    "GET /products/{product}/groups": Call(P.VIEW, f"{PRODUCT}/groups"),
    "POST /products/{product}/groups": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/groups", _json(name="beta")),
    "GET /products/{product}/groups/{group}": Call(P.VIEW, f"{PRODUCT}/groups/beta"),
    "PUT /products/{product}/groups/{group}": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/groups/beta", _json(color="#00ff00")
    ),
    "DELETE /products/{product}/groups/{group}": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/groups/none"),
    "GET /products/{product}/devices/{device}": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}"),
    "PUT /products/{product}/devices/{device}": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(name="kitchen")
    ),
    "PUT /products/{product}/devices/{device} signal": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(signal="1")
    ),
    "PUT /products/{product}/devices/{device} development": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(development=True)
    ),
    "PUT /products/{product}/devices/{device} lock": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", _json(name="kitchen", desired_firmware_version=None)
    ),
    "PUT /products/{product}/devices/{device} flash": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/devices/{DEVICE}", {"files": {"file": ("/a/b.bin", keys.image(1).raw)}}
    ),
    "DELETE /products/{product}/devices/{device} remove": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{REMOVED}"),
    "DELETE /products/{product}/devices/{device}": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}", _json(deny=True)
    ),
    "POST /products/{product}/devices/{device}/approve": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/approve"),
    "DELETE /products/{product}/devices/{device}/owner": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/owner"),
    "POST /products/{product}/device_claims": Call(P.MANAGE_DEVICES, f"{PRODUCT}/device_claims", is_personal=True),
    "POST /device_claims": Call(None, "/device_claims", is_personal=True),
    "GET /devices": Call(None, "/devices"),
    "POST /devices": Call(P.MANAGE_DEVICES, "/devices", _json(id=CLAIMED), is_personal=True),
    "POST /devices provision": Call(P.MANAGE_DEVICES, "/devices", _json(product_id=keys.PRODUCT)),
    "GET /devices/{device}": Call(None, f"/devices/{DEVICE}"),
    "PUT /devices/{device}": Call(None, f"/devices/{DEVICE}", _json(name="kitchen")),
    "PUT /devices/{device} signal": Call(P.MANAGE_DEVICES, f"/devices/{DEVICE}", _json(signal="1")),
    "PUT /devices/{device}/ping": Call(None, f"/devices/{DEVICE}/ping"),
    "DELETE /devices/{device}": Call(None, f"/devices/{DEVICE}"),
    "GET /serial_numbers/{serial_number}": Call(None, "/serial_numbers/S1"),
    **{
        f"{method} {path}{rest}": Call(P.MANAGE_PRODUCTS, f"{filled}{rest.replace('{webhook}', '0')}{query}", arguments)
        for path, filled, query in (
            ("/webhooks", "/webhooks", f"?org={ORG}"),
            ("/products/{product}/webhooks", f"{PRODUCT}/webhooks", ""),
        )
        for method, rest, arguments in (
            ("GET", "", {}),
            ("POST", "", _json(event="spark/", url="http://example.com/")),
            ("GET", "/{webhook}", {}),
            ("POST", "/{webhook}/enable", {}),
            ("DELETE", "/{webhook}", {}),
        )
    },
    "POST /devices/events": Call(P.MANAGE_DEVICES, "/devices/events", _json(name="here", org=ORG)),
    "POST /products/{product}/events": Call(P.MANAGE_DEVICES, f"{PRODUCT}/events", _json(name="here")),
    **{
        f"GET {path}{rest}": Call(needs, f"{filled}{rest.replace('{prefix}', 'temperature')}")
        for path, needs, filled in (
            ("/events", None, "/events"),
            ("/devices/events", None, "/devices/events"),
            ("/devices/{device}/events", P.VIEW_DEVICES, f"/devices/{DEVICE}/events"),
            ("/orgs/{organization}/events", P.VIEW_DEVICES, f"/orgs/{ORG}/events"),
            ("/products/{product}/events", P.VIEW_DEVICES, f"{PRODUCT}/events"),
            ("/products/{product}/devices/{device}/events", P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}/events"),
        )
        for rest in ("", "/{prefix}")
    },
    "PUT /products/{product}/devices/{device}/watch": Call(
        P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/watch", _json(seconds=0)
    ),
    "POST /products/{product}/devices/{device}/{function}": Call(P.MANAGE_DEVICES, f"{PRODUCT}/devices/{DEVICE}/set"),
    "GET /products/{product}/devices/{device}/{variable}": Call(P.VIEW_DEVICES, f"{PRODUCT}/devices/{DEVICE}/level"),
    "POST /devices/{device}/{function}": Call(P.MANAGE_DEVICES, f"/devices/{DEVICE}/set"),
    "GET /devices/{device}/{variable}": Call(P.VIEW_DEVICES, f"/devices/{DEVICE}/level"),
    "GET /products/{product}/firmware": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/firmware"),
    "POST /products/{product}/firmware": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware", {"files": {"file": ("firmware.bin", keys.image(1).raw)}}
    ),
    "PUT /products/{product}/firmware/release": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/release", _json(version=1)
    ),
    "GET /products/{product}/firmware/{version}": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/firmware/1"),
    "GET /products/{product}/firmware/{version}/binary": Call(
        P.VIEW_FIRMWARE, f"{PRODUCT}/firmware/1/binary?platform_id=6"
    ),
    "GET /products/{product}/patches": Call(P.VIEW_FIRMWARE, f"{PRODUCT}/patches"),
    "GET /products/{product}/impact": Call(
        P.VIEW_FIRMWARE, f"{PRODUCT}/impact?firmware_version=1&product_default=true"
    ),
    "PUT /products/{product}/firmware/{version}": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/1", _json(title="First")
    ),
    "DELETE /products/{product}/firmware/{version}": Call(P.CONTROL_FIRMWARE, f"{PRODUCT}/firmware/1"),
    "GET /products/{product}/rollouts": Call(P.VIEW, f"{PRODUCT}/rollouts"),
    "POST /products/{product}/rollouts": Call(
        P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts", _json(version=1, stages=STAGES)
    ),
    "GET /products/{product}/rollouts/{rollout}": Call(P.VIEW, f"{PRODUCT}/rollouts/1"),
    **{
        f"POST /products/{{product}}/rollouts/{{rollout}}/{verb}": Call(
            P.CONTROL_FIRMWARE, f"{PRODUCT}/rollouts/1/{verb}"
        )
        for verb in ("start", "pause", "resume", "abort")
    },
}

PUBLIC_CALLS = {
    "DELETE /access_tokens/{token}",
    "POST /users",
    "POST /user/verify",
    "POST /user/password-reset",
    "PUT /user/password-reset",
    "POST /products/{product}/customers",
}
"""Whoever knows the token may end it, whoever reads a mail follow its link; anybody may ask for such a mail.

A customer is made by an OAuth client.
"""

OF_CUSTOMERS = {
    "GET /access_tokens/current",
    "DELETE /access_tokens/current",
    "POST /products/{product}/device_claims",
    "POST /device_claims",
    "GET /devices",
    "POST /devices",
    "GET /devices/{device}",
    "PUT /devices/{device}",
    "PUT /devices/{device} signal",
    "PUT /devices/{device}/ping",
    "DELETE /devices/{device}",
    "POST /devices/{device}/{function}",
    "GET /devices/{device}/{variable}",
    "GET /serial_numbers/{serial_number}",
    "GET /events",
    "GET /events/{prefix}",
    "GET /devices/events",
    "GET /devices/events/{prefix}",
    "GET /devices/{device}/events",
    "GET /devices/{device}/events/{prefix}",
}
"""All that a customer may do, each with their own devices only."""

PAGES = {
    "GET /oauth/authorize": None,
    "POST /oauth/authorize": None,
    "GET /": None,
    "POST /sign-out": None,
    "POST /invitations/{organization}": None,
    "GET /products/{product}": P.VIEW,
    "GET /products/{product}/devices": P.VIEW,
    "GET /products/{product}/devices/{device}": P.VIEW,
    "POST /products/{product}/devices/{device}/approve": P.MANAGE_DEVICES,
    "GET /products/{product}/customers": P.VIEW_CUSTOMERS,
    "GET /products/{product}/releases": P.VIEW,
    "GET /products/{product}/rollouts": P.VIEW,
    "GET /products/{product}/rollouts/{rollout:int}": P.VIEW,
    "POST /products/{product}/rollouts/{rollout:int}/{verb}": P.CONTROL_FIRMWARE,
    "GET /products/{product}/live/{view}": P.VIEW,
    "GET /products/{product}/live/{view}/{name}": P.VIEW,
}
PUBLIC_PAGES = {"POST /sign-in/code", "GET /brand/colors/{colors}.css", "GET /brand/logos/{digest}.png"} | {
    f"{method} {at}{path}"
    for at in ("", "/customers/{product}")
    for path in ("/sign-in", "/sign-up", "/verify", "/forgot", "/reset")
    for method in ("GET", "POST")
}


@dataclass(frozen=True)
class World:
    """A server with a product of one organization, and who may or may not touch it.

    Attributes:
        tokens: of a member with each role.
        scoped: of an API user with each scope.
        customer: of a customer of the product, who owns nothing.
        elsewhere: of a customer of another product of the organization.
        backend, backend_elsewhere: OAuth clients of the product and of that other one.
        client, client_elsewhere: what they act with as the administrator who made them.
        stranger: administers another organization.
    """

    server: Server
    tokens: dict[Role, str]
    scoped: dict[Permission, str]
    customer: str
    elsewhere: str
    backend: App
    backend_elsewhere: App
    client: str
    client_elsewhere: str
    stranger: str

    def call(self, name: str, token: str | None) -> int:
        method, call = name.split()[0], CALLS[name]
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.server.client.request(method, f"/v1{call.path}", headers=headers, **call.arguments).status_code


@pytest.fixture(scope="module", params=DATABASES)
def world_database(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    yield from new_database(request)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, world_database: URL | None) -> Iterator[World]:
    settings = make_settings(tmp_path_factory.mktemp("world") / "server", database=world_database)
    with pytest.MonkeyPatch.context() as patch:
        # Who may listen would do so for ever: everybody who may is told that there are too many.
        patch.setattr(streams, "STREAMS_MAX", 0)
        yield from _world(settings)


def _world(settings: Settings) -> Iterator[World]:
    for server in run_server(settings, HandClock()):
        server.product()
        server.publish(keys.image(1))
        server.api("POST", f"{PRODUCT}/devices", json={"ids": [DEVICE, CLAIMED, REMOVED]})
        server.rollout(1)
        database = server.services.database
        tokens = {Role.ADMINISTRATOR: server.token}
        for role in (Role.DEVELOPER, Role.SUPPORT, Role.VIEW_ONLY):
            tokens[role] = database.write(partial(_add_member, role))
        stranger = database.write(lambda c: add_administrator(c, "stranger@example.com", "-", "Strangers", 0))
        scoped = {scope: add_api_user(server, scope) for scope in Permission}
        server.api("POST", "/products", 201, json={"product": {"id": 8, "name": "Eight"}})
        backend, other = (App(server, make_client(server, at), at) for at in (PRODUCT, "/products/8"))
        customer, elsewhere = (
            app.sign_up(email="customer@example.com", no_password="true")["access_token"] for app in (backend, other)
        )
        yield World(
            server,
            tokens,
            scoped,
            customer,
            elsewhere,
            backend,
            other,
            _as_its_maker(backend),
            _as_its_maker(other),
            stranger,
        )


def _as_its_maker(backend: App) -> str:
    return str(backend.trade(grant_type="client_credentials")["access_token"])


def _add_member(role: Role, connection: Connection) -> str:
    account_id, token = accounts.create_account(connection, f"{role.value}@example.com", "-", 0)
    store.add_member(connection, 1, account_id, role, 0)
    return token


def add_api_user(server: Server, *scopes: Permission) -> str:
    """Makes an API user of the organization and returns its token."""
    body = {"friendly_name": "robot", "scopes": list(scopes)}
    token = server.api("POST", f"/orgs/{ORG}/team", json=body)["created"]["tokens"][0]["token"]
    assert isinstance(token, str)
    return token


def test_every_route_of_the_api_is_in_the_table(world: World) -> None:
    routes = {
        f"{method} {route.path_format}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert routes == {" ".join(name.split()[:2]) for name in CALLS} | PUBLIC_CALLS
    described = world.server.client.get("/v1/openapi.json").json()["paths"]
    assert routes == {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}


def test_every_page_is_in_the_table(world: World) -> None:
    mounted = world.server.client.app.routes[-1]  # type: ignore[attr-defined]
    assert isinstance(mounted, Mount)
    pages = {
        f"{method} {route.path}"
        for route in mounted.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert pages == set(PAGES) | PUBLIC_PAGES


@pytest.mark.parametrize("name", CALLS)
def test_nobody_is_let_in_without_a_token(world: World, name: str) -> None:
    assert world.call(name, None) == 401
    assert world.call(name, "0" * 40) == 401


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.needs is not None])
def test_another_organization_is_not_even_there(world: World, name: str) -> None:
    assert world.call(name, world.stranger) == 404


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", CALLS)
def test_a_role_may_do_what_its_permissions_say(world: World, name: str, role: Role) -> None:
    needs, token = CALLS[name].needs, world.tokens[role]
    if CALLS[name].ends_token:
        email = f"{role.value}-{len(name)}@example.com"
        token = world.server.services.database.write(lambda c: accounts.create_account(c, email, "-", 0))[1]
    status = world.call(name, token)
    if needs is None or needs in PERMISSIONS[role]:
        assert status not in (401, 403, 405, 422, 500)
    else:
        assert status == 403


@pytest.mark.parametrize("name", CALLS)
def test_an_api_user_may_do_what_its_scope_says(world: World, name: str) -> None:
    call = CALLS[name]
    for scope in Permission:
        may = not call.is_personal and call.needs in (None, scope)
        ends_token = call.ends_token and may
        status = world.call(name, add_api_user(world.server, scope) if ends_token else world.scoped[scope])
        if may and not call.hands_out:
            assert status not in (401, 403, 405, 422, 500), scope
        else:
            assert status == 403, scope


@pytest.mark.parametrize("name", CALLS)
def test_a_customer_has_to_do_with_their_own_devices_only(world: World, name: str) -> None:
    ends_token = CALLS[name].ends_token and name in OF_CUSTOMERS
    token = make_customer(world.server, f"c{len(name)}@example.com") if ends_token else world.customer
    status = world.call(name, token)
    if name in OF_CUSTOMERS:
        assert status not in (401, 405, 422, 500)
    else:
        assert status == 403


@pytest.mark.parametrize("name", CALLS)
def test_a_customer_of_another_product_has_nothing_to_do_with_this_one(world: World, name: str) -> None:
    token = world.elsewhere
    if CALLS[name].ends_token and name in OF_CUSTOMERS:
        token = world.backend_elsewhere.sign_up(email=f"e{len(name)}@example.com", no_password="true")["access_token"]
    status = world.call(name, token)
    if name not in OF_CUSTOMERS:
        assert status == 403
    elif "/{product}/" in name or "/{device}" in name:
        assert status == 404
    else:
        assert status not in (401, 405, 422, 500)


@pytest.mark.parametrize("name", CALLS)
def test_a_products_oauth_client_acts_as_its_maker_within_the_product(world: World, name: str) -> None:
    call = CALLS[name]
    is_whole = call.path.startswith("/orgs/") or f"org={ORG}" in call.path or ORG in str(call.arguments)
    may = not (call.is_personal or call.hands_out or is_whole) and (call.needs is None or call.needs in OF_PRODUCTS)
    status = world.call(name, _as_its_maker(world.backend) if call.ends_token else world.client)
    if may:
        assert status not in (401, 403, 405, 422, 500)
    else:
        assert status == 403


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.path.startswith(PRODUCT)])
def test_an_oauth_client_of_another_product_does_not_reach_this_one(world: World, name: str) -> None:
    assert world.call(name, world.client_elsewhere) == (403 if CALLS[name].is_personal else 404)


def test_lists_of_a_stranger_are_empty(world: World) -> None:
    headers = {"authorization": f"Bearer {world.stranger}"}
    found = world.server.client.get("/v1/products", headers=headers).json()
    assert found == {"products": []}
    organizations = world.server.client.get("/v1/orgs", headers=headers).json()["organizations"]
    assert "strangers" in [one["slug"] for one in organizations]
    assert ORG not in [one["slug"] for one in organizations]


# The pages


def _filled(path: str) -> str:
    for part, value in (
        ("{product}", "thermostat"),
        ("{organization}", "none"),
        ("{device}", DEVICE),
        ("{rollout:int}", "1"),
        ("{verb}", "pause"),
        ("{view}", "overview"),
        ("{name}", "x"),
    ):
        path = path.replace(part, value)
    return path


def _signed_in(world: World, email: str) -> tuple[dict[str, str], str]:
    """The cookie of somebody, and the form token that goes with it."""
    database, now_ms = world.server.services.database, world.server.clock.now_ms()
    with database.read() as connection:
        account = accounts_store.by_email(connection, email)
    assert account is not None
    cookie = database.write(lambda c: accounts.sign_in(c, account, now_ms))
    with database.read() as connection:
        session = accounts.web_session(connection, cookie, now_ms)
    assert session is not None
    return {"cookie": f"muster_session={cookie}"}, session.form_token


@pytest.mark.parametrize("page", PAGES)
def test_pages_ask_who_is_not_signed_in(world: World, page: str) -> None:
    method, path = page.split()
    response = world.server.client.request(method, _filled(path), follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("page", [page for page, needs in PAGES.items() if needs is not None])
def test_pages_of_another_organization_are_not_there(world: World, page: str) -> None:
    method, path = page.split()
    headers, form_token = _signed_in(world, "stranger@example.com")
    data = {"form_token": form_token} if method == "POST" else None
    response = world.server.client.request(method, _filled(path), headers=headers, data=data, follow_redirects=False)
    assert response.status_code == 404


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("page", [page for page, needs in PAGES.items() if needs is not None and "live" not in page])
def test_pages_do_what_a_role_may_do(world: World, page: str, role: Role) -> None:
    method, path = page.split()
    email = EMAIL if role is Role.ADMINISTRATOR else f"{role.value}@example.com"
    headers, form_token = _signed_in(world, email)
    data = {"form_token": form_token} if method == "POST" else None
    response = world.server.client.request(method, _filled(path), headers=headers, data=data, follow_redirects=False)
    if PAGES[page] in PERMISSIONS[role]:
        assert response.status_code not in (401, 403, 500)
    else:
        assert response.status_code == 403
