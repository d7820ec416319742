# SPDX-License-Identifier: Apache-2.0
"""OAuth clients on pages: made with a secret that is shown once and works, changed, given another one, removed."""

from __future__ import annotations

import re
import shlex
from html import unescape
from typing import Any

import pytest

from ota_server.organizations.roles import Role
from tests.ota_server.conftest import PASSWORD, Server
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in
from tests.ota_server.dashboard.test_team_pages import BOB, join

CLIENTS = f"{HOME}/clients"


@pytest.fixture
def house(server: Server) -> Server:
    """Who may do everything is signed in."""
    server.product()
    sign_in(server)
    return server


def submit(server: Server, page: str, action: str, **fields: str) -> Any:
    """Sends a form of a page with other values in it."""
    form = form_of(server.client.get(page).text, action)
    assert set(fields) <= set(form.fields)
    return server.client.post(form.action or page, data={**form.fields, **fields})


def make(server: Server, **fields: str) -> tuple[str, str, str]:
    """Id and secret of a client, and the page that shows them."""
    page = submit(server, CLIENTS, CLIENTS, **{"name": "Shop", "redirect_uri": "https://shop.example.com/", **fields})
    assert page.status_code == 200, page.text
    [secret] = re.findall(r'<code class="secret">([0-9a-f]{40})</code>', page.text)
    [client_id] = re.findall(r"CLIENT=([a-z0-9-]+)", page.text)
    return client_id, secret, page.text


def trade(server: Server, client_id: str, secret: str, **fields: str) -> int:
    return int(server.client.post("/oauth/token", data=fields, auth=(client_id, secret)).status_code)


def test_made_client_shows_its_secret_once_and_signs_customers_in(house: Server) -> None:
    assert "No OAuth clients yet" in house.client.get(CLIENTS).text
    client_id, secret, page = make(house)
    assert f"SECRET={secret}" in page
    assert "/customers/thermostat/sign-in?response_type=code" in page
    new = {"email": "cara@example.com", "password": PASSWORD, "grant_type": "client_credentials"}
    made = house.client.post("/v1/products/thermostat/customers", data=new, auth=(client_id, secret))
    assert made.status_code == 200
    grant = {"grant_type": "password", "username": "cara@example.com", "password": PASSWORD}
    assert trade(house, client_id, secret, **grant) == 200
    shown = house.client.get(f"{CLIENTS}/{client_id}").text
    assert secret not in shown
    assert "SECRET=..." in shown
    assert f'href="{CLIENTS}/{client_id}"' in house.client.get(CLIENTS).text


def test_client_that_acts_as_its_maker_says_as_whom(house: Server) -> None:
    client_id, secret, page = make(house, scope="*all*", type="installed", redirect_uri="")
    assert "acts as ana@example.com, within Thermostat" in page
    assert "/oauth/authorize?" not in page
    assert trade(house, client_id, secret, grant_type="client_credentials") == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("redirect_uri", ""),
        ("redirect_uri", "http://shop.example.com/"),
        ("type", "desktop"),
        ("scope", "everything"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_the_rest_stays(house: Server, field: str, value: str) -> None:
    typed = {"name": "Shop", "redirect_uri": "https://shop.example.com/", field: value}
    answer = submit(house, CLIENTS, CLIENTS, **typed)
    assert answer.status_code == 400
    assert f'id="client-{field}-about"><span class="error">' in answer.text
    kept = form_of(answer.text, CLIENTS).fields
    assert {name: kept[name] for name in ("name", "redirect_uri")} == {
        name: typed[name] for name in ("name", "redirect_uri")
    }


def test_name_and_redirect_uri_are_changed_and_the_address_may_be_taken_from_an_installed_one(house: Server) -> None:
    client_id, _, _ = make(house, type="installed")
    at = f"{CLIENTS}/{client_id}"
    assert submit(house, at, at, redirect_uri="http://other.example.com/").status_code == 400
    changed = submit(house, at, at, name="Kiosk", redirect_uri="com.example.app:/done")
    assert changed.url.path == at
    assert changed.history[0].status_code == 303
    assert "redirect_uri=com.example.app%3A/done" in changed.text
    assert "In a browser:" not in submit(house, at, at, redirect_uri="").text
    [listed] = house.api("GET", "/products/thermostat/clients")["clients"]
    assert (listed["name"], listed["redirect_uri"]) == ("Kiosk", None)


def test_commands_to_copy_run_nothing_that_stands_in_a_redirect_uri(house: Server) -> None:
    place = "https://shop.example.com/';$(id);'"
    _, _, page = make(house, redirect_uri=place)
    line = next(one for one in unescape(page).splitlines() if "--data-urlencode" in one)
    assert shlex.split(line.removesuffix("</pre>"))[-1] == f"redirect_uri={place}"


def test_another_secret_takes_the_place_of_the_one_until_now(house: Server) -> None:
    client_id, secret, _ = make(house, scope="*all*")
    page = submit(house, f"{CLIENTS}/{client_id}", "/secret").text
    [renewed] = re.findall(r'<code class="secret">([0-9a-f]{40})</code>', page)
    assert trade(house, client_id, secret, grant_type="client_credentials") == 401
    assert trade(house, client_id, renewed, grant_type="client_credentials") == 200


def test_removal_is_asked_for_and_ends_the_client(house: Server) -> None:
    client_id, secret, _ = make(house, scope="*all*")
    path = f"{CLIENTS}/{client_id}/remove"
    assert "Remove the OAuth client Shop?" in house.client.get(path).text
    assert submit(house, path, "/remove").url.path == CLIENTS
    assert "No OAuth clients yet" in house.client.get(CLIENTS).text
    assert trade(house, client_id, secret, grant_type="client_credentials") == 401
    assert house.client.get(f"{CLIENTS}/{client_id}").status_code == 404


def test_who_may_do_less_is_not_offered_clients_that_may_do_more(house: Server) -> None:
    client_id, _, _ = make(house, scope="*all*")
    join(house, Role.DEVELOPER)
    client = sign_in(house, email=BOB)
    page = client.get(CLIENTS).text
    assert 'value="create_customer"' in page
    assert 'value="*all*"' not in page
    shown = client.get(f"{CLIENTS}/{client_id}").text
    assert "/secret" not in shown
    token = form_token(shown)
    assert client.post(f"{CLIENTS}/{client_id}/secret", data={"form_token": token}).status_code == 403


def test_clients_are_found_by_the_search(house: Server) -> None:
    page = house.client.get("/search", params={"q": "oauth", "product": "thermostat"}).text
    assert f'href="{CLIENTS}"' in page
