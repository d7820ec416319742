# SPDX-License-Identifier: Apache-2.0
"""API users and tokens with scopes: good for what was asked, for no more, and for no longer than the team likes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ota_server.organizations.roles import OF_PRODUCTS, Permission
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

TEAM = "/orgs/warm-rooms/team"
PRODUCT = f"/products/{keys.PRODUCT}"
OTHER = "/products/7"


@pytest.fixture
def shop(server: Server) -> Server:
    """A server with two products of one organization."""
    server.product()
    server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    return server


def make(server: Server, *scopes: str, path: str = TEAM, expect: int = 200, name: str = "CI robot") -> Any:
    answer = server.api("POST", path, expect, json={"friendly_name": name, "scopes": list(scopes)})
    return answer["created"] if expect == 200 else answer


@contextlib.contextmanager
def holding(server: Server, token: str) -> Iterator[None]:
    """Calls with another token."""
    mine, server.token = server.token, token
    try:
        yield
    finally:
        server.token = mine


def token_of(made: Any) -> str:
    [entry] = made["tokens"]
    return str(entry["token"])


def test_api_user_is_made_listed_and_removed(shop: Server) -> None:
    made = make(shop, "devices:list", "products:list")
    assert made["is_programmatic"] is True
    assert made["username"].startswith("ci-robot-")
    listed = shop.api("GET", TEAM)["team"]
    assert [one["username"] for one in listed] == [EMAIL, made["username"]]
    assert listed[1]["scopes"] == ["devices:list", "products:list"]
    with holding(shop, token_of(made)):
        assert [one["slug"] for one in shop.api("GET", "/products")["products"]] == ["seven", "thermostat"]
        shop.api("GET", f"{PRODUCT}/devices")
        assert shop.api("PUT", PRODUCT, 403, json={"product": {"name": "Mine"}})["error_description"] == (
            "this token lacks the scope products:update"
        )
        assert shop.api("GET", "/access_tokens/current")["scopes"] == ["devices:list", "products:list"]
    shop.api("DELETE", f"{TEAM}/{made['username']}")
    assert len(shop.api("GET", TEAM)["team"]) == 1
    with holding(shop, token_of(made)):
        shop.api("GET", "/products", 401)


def test_what_an_api_user_does_is_in_the_audit_log_under_its_name(shop: Server) -> None:
    made = make(shop, "products:update")
    with holding(shop, token_of(made)):
        shop.api("PUT", PRODUCT, json={"product": {"name": "Renamed"}})
    shop.api("DELETE", f"{TEAM}/{made['username']}")
    lines = shop.api("GET", "/orgs/warm-rooms/audit?action=product.change")["audit"]
    assert [line["by"] for line in lines] == [made["username"]]


def test_token_is_rotated(shop: Server) -> None:
    made = make(shop, "products:list")
    again = shop.api("PUT", f"{TEAM}/{made['username']}/token")["updated"]
    with holding(shop, token_of(made)):
        shop.api("GET", PRODUCT, 401)
    with holding(shop, token_of(again)):
        shop.api("GET", PRODUCT)
        shop.api("GET", f"{PRODUCT}/devices", 403)
    shop.api("PUT", f"{TEAM}/{EMAIL}/token", 404)


def test_api_user_of_a_product_sees_no_other(shop: Server) -> None:
    made = make(shop, *sorted(OF_PRODUCTS), path=f"{PRODUCT}/team")
    with holding(shop, token_of(made)):
        assert [one["id"] for one in shop.api("GET", "/products")["products"]] == [keys.PRODUCT]
        shop.api("GET", f"{PRODUCT}/devices")
        shop.api("GET", OTHER, 404)
        shop.api("GET", "/orgs/warm-rooms", 403)
        shop.api("POST", "/products", 403, json={"product": {"id": 8, "name": "Eight"}})
        shop.api("POST", f"{PRODUCT}/team", 403, json={"username": "new@example.com"})
    names = [one["username"] for one in shop.api("GET", f"{PRODUCT}/team")["team"]]
    assert names == [EMAIL, made["username"]]
    assert [one["username"] for one in shop.api("GET", f"{OTHER}/team")["team"]] == [EMAIL]


def test_api_user_goes_with_its_product(shop: Server) -> None:
    made = make(shop, "products:list", path=f"{OTHER}/team")
    shop.api("DELETE", OTHER, 204)
    with holding(shop, token_of(made)):
        shop.api("GET", "/products", 401)
    assert [one["username"] for one in shop.api("GET", TEAM)["team"]] == [EMAIL]


@pytest.mark.parametrize(
    ("path", "scopes", "name"),
    [
        (TEAM, [], "CI"),
        (TEAM, ["devices:steal"], "CI"),
        (TEAM, ["devices:list"] * 100, "CI"),
        (TEAM, ["devices:list"], " "),
        (f"{PRODUCT}/team", ["team:update"], "CI"),
        (f"{PRODUCT}/team", ["audit:list"], "CI"),
    ],
)
def test_bad_api_users_are_refused(shop: Server, path: str, scopes: list[str], name: str) -> None:
    make(shop, *scopes, path=path, name=name, expect=400)


def test_neither_invitation_nor_api_user_without_saying_which(shop: Server) -> None:
    assert shop.api("POST", TEAM, 400, json={})["field"] == "username"


def test_nobody_hands_out_what_they_lack(shop: Server) -> None:
    strong, weak = make(shop, *Permission), make(shop, "team:update", "devices:list")
    with holding(shop, token_of(weak)):
        make(shop, "devices:list", "devices:update", expect=403)
        shop.api("POST", TEAM, 403, json={"username": "new@example.com", "role": "view-only"})
        shop.api("PUT", f"{TEAM}/{strong['username']}/token", 403)
        other = make(shop, "devices:list")
    with holding(shop, token_of(strong)):
        make(shop, *Permission)
        shop.api("POST", TEAM, json={"username": "new@example.com", "role": "administrator"})
        shop.api("DELETE", f"{TEAM}/{other['username']}")


def test_products_client_that_acts_as_its_maker_needs_all_that_concerns_the_product(shop: Server) -> None:
    app = {"name": "App", "type": "installed"}
    made = make(shop, "products:update")
    with holding(shop, token_of(made)):
        shop.api("POST", f"{PRODUCT}/clients", 403, json=app)
        client = shop.api("POST", f"{PRODUCT}/clients", 201, json={**app, "scope": "create_customer"})["client"]
        shop.api("PUT", f"{PRODUCT}/clients/{client['id']}", 403, json={"scope": "*all*"})


def test_own_token_with_scopes_is_good_for_less(shop: Server) -> None:
    body = {"label": "ci", "scopes": ["devices:list"]}
    token = shop.api("POST", "/access_tokens", 201, json=body)["token"]
    shop.api("POST", "/access_tokens", 400, json={"label": "ci", "scopes": ["all"]})
    with holding(shop, token):
        shop.api("GET", f"{PRODUCT}/devices")
        assert shop.api("GET", "/products")["products"] == []
        shop.api("GET", PRODUCT, 403)
        shop.api("POST", "/access_tokens", 403, json={"label": "more"})
        shop.api("DELETE", f"{TEAM}/{EMAIL}", 403)
        assert shop.api("GET", "/user")["username"] == EMAIL
        shop.api("DELETE", "/access_tokens/current")
        shop.api("GET", f"{PRODUCT}/devices", 401)


def test_nobody_signs_in_as_an_api_user(shop: Server) -> None:
    username = make(shop, "devices:list")["username"]
    form = {"email": username, "password": "-", "next": "/"}
    assert shop.client.post("/sign-in", data=form, follow_redirects=False).status_code == 401
