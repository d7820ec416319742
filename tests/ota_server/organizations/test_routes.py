# SPDX-License-Identifier: Apache-2.0
"""Every route, tried as every kind of actor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

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
    SQLITE,
    HandClock,
    Server,
    make_settings,
    new_database,
    run_server,
)
from tests.ota_server.customers.conftest import App, make_client, make_customer
from tests.ota_server.organizations.route_table import (
    CALLS,
    CLAIMED,
    DEVICE,
    OF_CUSTOMERS,
    ORG,
    OWNED,
    PAGES,
    PRODUCT,
    PUBLIC_CALLS,
    PUBLIC_PAGES,
    REMOVED,
    filled,
)


@dataclass(frozen=True)
class World:
    """A server with a product of one organization, and who may or may not touch it.

    Attributes:
        tokens: of a member with each role.
        scoped: of an API user with each scope.
        customer: of a customer of the product, who owns nothing.
        owner: of another one, who may claim OWNED.
        elsewhere: of a customer of another product of the organization.
        backend, backend_elsewhere: OAuth clients of the product and of that other one.
        client, client_elsewhere: what they act with as the administrator who made them.
        stranger: administers another organization.
    """

    server: Server
    tokens: dict[Role, str]
    scoped: dict[Permission, str]
    customer: str
    owner: str
    elsewhere: str
    backend: App
    backend_elsewhere: App
    client: str
    client_elsewhere: str
    stranger: str

    def call(self, name: str, token: str | None) -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self._ask(name, CALLS[name].path, headers)[0]

    def call_owned(self, name: str, token: str) -> tuple[int, str]:
        """The call of OWNED in place of DEVICE, while it is the owner's: status and text."""
        owner = {"authorization": f"Bearer {self.owner}"}
        self.server.client.post("/v1/devices", json={"id": OWNED}, headers=owner).raise_for_status()
        path = CALLS[name].path.replace(DEVICE, OWNED)
        return self._ask(name, path, {"authorization": f"Bearer {token}"})

    def _ask(self, name: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        client, method = self.server.client, name.split()[0]
        response = client.request(method, f"/v1{path}", headers=headers, **CALLS[name].arguments)
        return response.status_code, response.text


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Who is refused is refused before anything is looked up: on PostgreSQL, too, with --full."""
    if "world" in metafunc.fixturenames:
        is_both = metafunc.definition.get_closest_marker("both_databases") or metafunc.config.getoption("--full")
        databases = DATABASES if is_both else (SQLITE,)
        metafunc.parametrize("world_database", databases, indirect=True, scope="module")


@pytest.fixture(scope="module")
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
        server.product(claiming="id")
        server.publish(keys.image(1))
        server.api("POST", f"{PRODUCT}/devices", json={"ids": [DEVICE, CLAIMED, REMOVED, OWNED]})
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
            backend.sign_up(email="owner@example.com", no_password="true")["access_token"],
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


@pytest.mark.both_databases
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


@pytest.mark.both_databases
@pytest.mark.parametrize("name", [name for name in CALLS if name in OF_CUSTOMERS and "/{device}" in name])
def test_a_device_is_there_for_its_owner_and_for_no_other_customer(world: World, name: str) -> None:
    for token in (world.customer, world.elsewhere):
        status, text = world.call_owned(name, token)
        assert status == 404
        assert "offline" not in text
    status, text = world.call_owned(name, world.owner)
    assert status in (200, 429) or (status == 404 and "offline" in text)


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


@pytest.mark.both_databases
def test_lists_of_a_stranger_are_empty(world: World) -> None:
    headers = {"authorization": f"Bearer {world.stranger}"}
    found = world.server.client.get("/v1/products", headers=headers).json()
    assert found == {"products": []}
    organizations = world.server.client.get("/v1/orgs", headers=headers).json()["organizations"]
    assert "strangers" in [one["slug"] for one in organizations]
    assert ORG not in [one["slug"] for one in organizations]


# The pages


def _filled(path: str) -> str:
    return filled(path)


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


@pytest.mark.both_databases
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


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("POST ")])
def test_forms_without_their_token_or_from_another_site_are_refused(world: World, page: str) -> None:
    headers, form_token = _signed_in(world, EMAIL)
    evil = {"origin": "https://evil.example"}
    for data, more in (({}, {}), ({"form_token": 32 * "0"}, {}), ({"form_token": form_token}, evil)):
        answer = world.server.client.post(
            _filled(page.split()[1]), headers=headers | more, data=data, follow_redirects=False
        )
        assert answer.status_code == 403


@pytest.mark.both_databases
@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("GET ") and "live" not in page])
def test_pages_answer_whatever_is_asked_of_them(world: World, page: str) -> None:
    headers, _ = _signed_in(world, EMAIL)
    names = ("search", "text", "name", "q", "page", "device", "version", "level", "kind", "before", "product", "status")
    for value in ("\0", "%", "9" * 30, "-1", "\u0661", "'\"<", "a" * 3000):
        query = dict.fromkeys(names, value)
        answer = world.server.client.get(_filled(page.split()[1]), params=query, headers=headers)
        assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize("page", sorted(page for page in PUBLIC_PAGES if page.startswith("POST ")))
def test_forms_of_who_is_not_signed_in_are_refused_from_another_site(world: World, page: str) -> None:
    query = {}
    if "{product}" in page:
        back = {"redirect_uri": "https://app.example.com/"}
        client = make_client(world.server, **back, type="web", scope="create_customer")
        query = {"client_id": client["id"], "response_type": "code", **back}
    data, evil = {"email": EMAIL, "password": "guessed"}, {"origin": "https://evil.example"}
    answer = world.server.client.post(_filled(page.split()[1]), params=query, data=data, headers=evil)
    assert answer.status_code == 403
