# SPDX-License-Identifier: Apache-2.0
"""Customers are made and signed in by clients of their product, and have to do with their own devices only."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ota_server.services import SIGN_UPS_MAX
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server
from tests.ota_server.customers.conftest import PASSWORD, PRODUCT, App, make_client
from tests.ota_server.organizations.test_api_users import holding

CARA, DAN = "cara@example.com", "dan@example.com"
DEVICE = "0123456789abcdef01234567"
DAY_S = 24 * 3600


def devices(server: Server, token: str, expect: int = 200) -> Any:
    with holding(server, token):
        found = server.api("GET", "/devices", expect)
    return [one["id"] for one in found] if expect == 200 else found


# Simple: the app asks for the customer's password


def test_app_makes_a_customer_who_signs_in_by_password(app: App) -> None:
    made = app.sign_up(email=CARA.upper(), password=PASSWORD)
    assert (made["token_type"], made["expires_in"], len(made["access_token"])) == ("bearer", 90 * DAY_S, 40)
    assert devices(app.server, made["access_token"]) == []
    again = app.sign_in(CARA)
    assert again["access_token"] != made["access_token"]
    assert devices(app.server, again["access_token"]) == []
    [listed] = app.server.api("GET", f"{PRODUCT}/customers")["customers"]
    assert (listed["username"], listed["has_password"]) == (CARA, True)
    assert listed["last_active"] is not None


def test_customer_of_the_same_address_is_not_made_twice(app: App) -> None:
    app.sign_up(email=CARA, password=PASSWORD)
    assert app.sign_up(409, email=CARA, password=PASSWORD)["error"] == "conflict"


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"email": "nonsense", "password": PASSWORD}, 400, "invalid_request"),
        ({"email": CARA, "password": "short"}, 400, "invalid_request"),
        ({"email": CARA}, 400, "invalid_request"),
        ({"email": CARA, "no_password": "true"}, 400, "invalid_request"),
        ({"email": CARA, "password": PASSWORD, "client_secret": "0" * 40}, 401, "invalid_client"),
        ({"email": CARA, "password": PASSWORD, "client_secret": ""}, 401, "invalid_client"),
        ({"email": CARA, "password": PASSWORD, "client_id": "muster"}, 401, "invalid_client"),
    ],
)
def test_bad_sign_ups_are_refused(app: App, fields: dict[str, str], status: int, error: str) -> None:
    assert app.sign_up(status, **fields)["error"] == error


def test_client_of_another_product_makes_no_customers(app: App) -> None:
    app.server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    body = {"name": "App", "type": "installed", "scope": "create_customer"}
    other = App(app.server, app.server.api("POST", "/products/7/clients", 201, json=body)["client"])
    assert other.sign_up(400, email=CARA, password=PASSWORD)["error"] == "invalid_client"
    app.sign_up(email=CARA, password=PASSWORD)
    assert other.sign_in(CARA, 400)["error"] == "invalid_grant"


def test_wrong_password_gets_nothing_and_guessing_is_slowed_down(app: App) -> None:
    app.sign_up(email=CARA, password=PASSWORD)
    for _ in range(10):
        assert app.sign_in(CARA, 400, "guessed it")["error"] == "invalid_grant"
    assert app.sign_in(CARA, 429)["error"] == "too_many_requests"
    app.server.clock.advance_s(301)
    app.sign_in(CARA)


def test_products_app_is_not_asked_for_passwords_of_accounts(app: App) -> None:
    assert app.sign_in(EMAIL, 400, "correct horse")["error"] == "invalid_grant"


def test_app_does_not_act_as_its_maker(app: App) -> None:
    assert app.trade(400, grant_type="client_credentials")["error"] == "unauthorized_client"


def test_number_of_customers_from_one_place_is_bounded(app: App) -> None:
    now_ms = app.server.clock.now_ms()
    for _ in range(SIGN_UPS_MAX):
        app.server.services.sign_ups.count("testclient", now_ms)
    assert app.sign_up(429, email=CARA, password=PASSWORD)["error"] == "too_many_requests"


def test_browser_gets_its_token_behind_the_number_sign(shop: Server) -> None:
    client = make_client(shop, type="web", redirect_uri="https://app.example.com/done", scope="create_customer")
    fields = {"response_type": "token", "client_id": client["id"], "email": CARA, "password": PASSWORD, "state": "s t"}
    response = shop.client.post(f"/v1{PRODUCT}/customers", data=fields, follow_redirects=False)
    assert response.status_code == 302
    place = urlsplit(response.headers["location"])
    assert (place.netloc, place.path, place.query) == ("app.example.com", "/done", "")
    answer = parse_qs(place.fragment)
    assert answer["state"] == ["s t"]
    assert answer.keys() == {"access_token", "token_type", "expires_in", "state"}
    assert devices(shop, answer["access_token"][0]) == []
    fields |= {"email": DAN, "redirect_uri": "https://elsewhere.example.com/"}
    assert shop.client.post(f"/v1{PRODUCT}/customers", data=fields).status_code == 400


def test_client_of_an_app_gets_no_token_in_a_browser(app: App) -> None:
    assert app.sign_up(400, response_type="token", email=CARA, password=PASSWORD)["error"] == "invalid_client"


# Two-legged: the product's server knows its customers itself


def test_products_server_makes_customers_and_acts_as_them(backend: App) -> None:
    made = backend.sign_up(email=CARA, no_password="true")
    assert devices(backend.server, made["access_token"]) == []
    later = backend.trade(grant_type="client_credentials", scope=f"customer={CARA}")
    assert devices(backend.server, later["access_token"]) == []
    assert backend.trade(400, grant_type="client_credentials", scope=f"customer={DAN}")["error"] == "invalid_grant"
    assert backend.trade(400, grant_type="client_credentials", scope="all")["error"] == "invalid_scope"
    assert backend.sign_in(CARA, 400)["error"] == "invalid_grant"


def test_products_server_acts_as_its_maker_within_the_product(backend: App) -> None:
    server = backend.server
    server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    token = backend.trade(grant_type="client_credentials")["access_token"]
    with holding(server, token):
        server.api("GET", f"{PRODUCT}/customers")
        server.api("GET", "/products/7", 404)
        server.api("POST", "/access_tokens", 403, json={"label": "more"})
        server.api("POST", f"{PRODUCT}/team", 403, json={"username": "new@example.com"})


def test_account_client_has_no_customers(shop: Server) -> None:
    client = shop.api("POST", "/clients", 201, json={"name": "Own", "type": "installed"})["client"]
    own = App(shop, client)
    assert own.sign_up(400, email=CARA, no_password="true")["error"] == "invalid_client"
    assert own.trade(400, grant_type="client_credentials", scope=f"customer={CARA}")["error"] == "invalid_scope"
    assert own.sign_in(CARA, 400)["error"] == "unauthorized_client"


# Refresh tokens


def test_refresh_token_goes_on_and_is_good_once(app: App) -> None:
    first = app.sign_up(email=CARA, password=PASSWORD)
    second = app.trade(grant_type="refresh_token", refresh_token=first["refresh_token"])
    third = app.trade(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    for one in (first, second, third):
        devices(app.server, one["access_token"])


def test_refresh_token_that_comes_twice_ends_all_that_came_of_it(app: App) -> None:
    first = app.sign_up(email=CARA, password=PASSWORD)
    apart = app.sign_in(CARA)
    second = app.trade(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert app.trade(400, grant_type="refresh_token", refresh_token=first["refresh_token"])["error"] == "invalid_grant"
    assert app.trade(400, grant_type="refresh_token", refresh_token=second["refresh_token"])["error"] == "invalid_grant"
    for one in (first, second):
        devices(app.server, one["access_token"], 401)
    devices(app.server, apart["access_token"])


def test_refresh_token_is_its_clients_and_expires(app: App, backend: App) -> None:
    token = app.sign_up(email=CARA, password=PASSWORD)["refresh_token"]
    assert backend.trade(400, grant_type="refresh_token", refresh_token=token)["error"] == "invalid_grant"
    app.server.clock.advance_s(181 * DAY_S)
    assert app.trade(400, grant_type="refresh_token", refresh_token=token)["error"] == "invalid_grant"
    assert app.trade(400, grant_type="refresh_token", refresh_token="nonsense")["error"] == "invalid_grant"
    assert app.trade(400, grant_type="refresh_token")["error"] == "invalid_request"


# What a customer may do, and what the team sees of it


def test_customer_claims_names_and_gives_up_a_device(app: App) -> None:
    server = app.server
    server.api("PUT", PRODUCT, json={"product": {"claiming": "id"}})
    server.api("POST", f"{PRODUCT}/devices", json={"id": DEVICE})
    cara = app.sign_up(email=CARA, password=PASSWORD)["access_token"]
    dan = app.sign_up(email=DAN, password=PASSWORD)["access_token"]
    with holding(server, cara):
        server.api("POST", "/devices", json={"id": DEVICE})
        assert server.api("PUT", f"/devices/{DEVICE}", json={"name": "kitchen"})["name"] == "kitchen"
        server.api("POST", "/devices", 403, json={"product_id": keys.PRODUCT})
        assert len(server.api("POST", "/device_claims")["claim_code"]) == 63
    with holding(server, dan):
        server.api("POST", "/devices", 409, json={"id": DEVICE})
        server.api("GET", f"/devices/{DEVICE}", 404)
        server.api("DELETE", f"/devices/{DEVICE}", 404)
    listed = server.api("GET", f"{PRODUCT}/customers")
    assert [(one["id"], one["owner"]) for one in listed["devices"]] == [(DEVICE, CARA)]
    lines = server.api("GET", "/orgs/warm-rooms/audit?action=device.")["audit"]
    assert CARA not in str(lines)
    assert "by customer 1" in lines[0]["detail"]
    with holding(server, cara):
        server.api("DELETE", f"/devices/{DEVICE}")
        assert server.api("GET", "/devices") == []


def test_team_sets_a_password_and_ends_what_was_signed_in(app: App) -> None:
    made = app.sign_up(email=CARA, password=PASSWORD)
    app.server.api("PUT", f"{PRODUCT}/customers/{CARA}", json={"password": "another password"})
    devices(app.server, made["access_token"], 401)
    app.trade(400, grant_type="refresh_token", refresh_token=made["refresh_token"])
    app.sign_in(CARA, 400)
    app.sign_in(CARA, password="another password")


def test_removed_customer_owns_nothing_and_can_be_made_again(app: App) -> None:
    server = app.server
    server.api("PUT", PRODUCT, json={"product": {"claiming": "id"}})
    server.api("POST", f"{PRODUCT}/devices", json={"id": DEVICE})
    token = app.sign_up(email=CARA, password=PASSWORD)["access_token"]
    with holding(server, token):
        server.api("POST", "/devices", json={"id": DEVICE})
        server.api("POST", "/device_claims")
    server.api("DELETE", f"{PRODUCT}/customers/{CARA}", 204)
    server.api("DELETE", f"{PRODUCT}/customers/{CARA}", 404)
    devices(server, token, 401)
    assert server.api("GET", f"{PRODUCT}/devices/{DEVICE}")["owner"] is None
    assert devices(server, app.sign_up(email=CARA, password=PASSWORD)["access_token"]) == []


def test_customers_come_in_pages(backend: App) -> None:
    for number in range(5):
        backend.sign_up(email=f"c{number}@example.com", no_password="true")
    found = backend.server.api("GET", f"{PRODUCT}/customers?page=2&per_page=2")
    assert [one["username"] for one in found["customers"]] == ["c2@example.com", "c3@example.com"]
    assert found["meta"]["total_pages"] == 3


def test_team_finds_a_customer_by_a_part_of_the_address_and_sees_one(backend: App) -> None:
    server = backend.server
    for email in (CARA, DAN):
        backend.sign_up(email=email, no_password="true")
    found = server.api("GET", f"{PRODUCT}/customers?search=ARA@")
    assert [one["username"] for one in found["customers"]] == [CARA]
    assert server.api("GET", f"{PRODUCT}/customers?search=%25")["customers"] == []
    server.api("GET", f"{PRODUCT}/customers?search={'a' * 201}", 400)
    shown = server.api("GET", f"{PRODUCT}/customers/Dan@example.com")
    assert (shown["customer"]["username"], shown["devices"]) == (DAN, [])
    server.api("GET", f"{PRODUCT}/customers/nobody@example.com", 404)


def test_customer_signs_out(app: App) -> None:
    token = app.sign_up(email=CARA, password=PASSWORD)["access_token"]
    with holding(app.server, token):
        assert app.server.api("GET", "/access_tokens/current")["client_id"] == app.client["id"]
        app.server.api("DELETE", "/access_tokens/current")
    devices(app.server, token, 401)


def test_removed_client_ends_what_it_was_granted(app: App) -> None:
    token = app.sign_up(email=CARA, password=PASSWORD)["access_token"]
    app.server.api("DELETE", f"{PRODUCT}/clients/{app.client['id']}", 204)
    devices(app.server, token, 401)


def test_oldest_token_of_a_customer_makes_room(backend: App) -> None:
    first = backend.sign_up(email=CARA, no_password="true")["access_token"]
    for _ in range(49):
        last = backend.trade(grant_type="client_credentials", scope=f"customer={CARA}")["access_token"]
    devices(backend.server, first)
    backend.trade(grant_type="client_credentials", scope=f"customer={CARA}")
    devices(backend.server, first, 401)
    devices(backend.server, last)


def test_neither_token_nor_password_is_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = app.sign_up(email=CARA, password=PASSWORD)
        app.trade(grant_type="refresh_token", refresh_token=made["refresh_token"])
    written = caplog.text + str(app.server.api("GET", "/orgs/warm-rooms/audit"))
    for secret in (made["access_token"], made["refresh_token"], PASSWORD, app.client["secret"]):
        assert secret not in written


def test_team_member_makes_a_customer(app: App) -> None:
    made = app.server.api("POST", f"{PRODUCT}/customers", 201, json={"email": CARA, "password": PASSWORD})
    assert made["customer"]["username"] == CARA
    token = app.sign_in(CARA)["access_token"]
    with holding(app.server, token):
        app.server.api("POST", f"{PRODUCT}/customers", 403, json={"email": DAN})
    with holding(app.server, "0" * 40):
        app.server.api("POST", f"{PRODUCT}/customers", 401, json={"email": DAN})
