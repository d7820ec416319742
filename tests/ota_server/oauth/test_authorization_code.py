# SPDX-License-Identifier: Apache-2.0
"""A person lets a client act for them, on a page; the client gets a code, and for it a token (RFC 6749, RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.ota_server.conftest import EMAIL, PASSWORD, Server
from tests.ota_server.customers.conftest import PRODUCT, App, make_client
from tests.ota_server.organizations.test_api_users import holding

BACK = "https://app.example.com/done?a=1"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@dataclass
class Browser:
    """A signed-in browser of the tests' account."""

    server: Server

    def open(self, expect: int = 200, **query: Any) -> Any:
        response = self.server.client.get("/oauth/authorize", params=query, follow_redirects=False)
        assert response.status_code == expect, response.text
        return response

    def answer(self, page: str, answer: str = "allow", expect: int = 302, **changed: str) -> dict[str, list[str]]:
        """Sends the page's form; what comes back behind the ? of the redirect URI."""
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in hidden} | {"answer": answer} | changed
        response = self.server.client.post("/oauth/authorize", data=fields, follow_redirects=False)
        assert response.status_code == expect, response.text
        return parse_qs(urlsplit(response.headers.get("location", "")).query)


@pytest.fixture
def browser(server: Server) -> Browser:
    server.product()
    form = {"email": EMAIL, "password": PASSWORD, "next": "/"}
    assert server.client.post("/sign-in", data=form, follow_redirects=False).status_code == 303
    return Browser(server)


@pytest.fixture
def web(browser: Browser) -> App:
    """A client of the product that runs on a server."""
    return App(browser.server, make_client(browser.server, name="Web & Co", type="web", redirect_uri=BACK))


@pytest.fixture
def phone(browser: Browser) -> App:
    """A client of the product in people's pockets."""
    return App(browser.server, make_client(browser.server, redirect_uri="com.example.app:/done"))


def ask(app: App, **fields: str) -> dict[str, Any]:
    back = app.client["redirect_uri"]
    return {"response_type": "code", "client_id": app.client["id"], "redirect_uri": back, "state": "s & t", **fields}


def code_of(browser: Browser, app: App, **fields: str) -> str:
    answer = browser.answer(browser.open(**ask(app, **fields)).text)
    assert answer["state"] == ["s & t"]
    return answer["code"][0]


def fetch(app: App, code: str, expect: int = 200, **fields: str) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.client["redirect_uri"], **fields}
    return app.trade(expect, **form)


def test_person_logs_in_with_their_account_and_becomes_a_customer(browser: Browser, web: App) -> None:
    page = browser.open(**ask(web)).text
    assert "Web &amp; Co" in page
    assert EMAIL in page
    assert "app.example.com" in page
    code = browser.answer(page)["code"][0]
    answer = fetch(web, code)
    with holding(web.server, answer["access_token"]):
        assert web.server.api("GET", "/devices") == []
        web.server.api("GET", f"{PRODUCT}/devices", 403)
    again = web.trade(grant_type="refresh_token", refresh_token=answer["refresh_token"])
    with holding(web.server, again["access_token"]):
        web.server.api("GET", "/devices")
    [customer] = web.server.api("GET", f"{PRODUCT}/customers")["customers"]
    assert (customer["username"], customer["has_account"], customer["has_password"]) == (EMAIL, True, False)


def test_form_may_lead_back_to_the_client_and_nowhere_else(browser: Browser, web: App, phone: App) -> None:
    policy = browser.open(**ask(web)).headers["content-security-policy"]
    assert "form-action 'self' https://app.example.com;" in policy
    policy = browser.open(**ask(phone, **PKCE)).headers["content-security-policy"]
    assert "form-action 'self' com.example.app:;" in policy


def test_who_is_not_signed_in_signs_in_first(browser: Browser, web: App) -> None:
    browser.server.client.cookies.clear()
    response = browser.open(303, **ask(web))
    assert response.headers["location"].startswith("/sign-in?next=/oauth/authorize%3F")


def test_person_may_say_no(browser: Browser, web: App) -> None:
    answer = browser.answer(browser.open(**ask(web)).text, "deny")
    assert (answer["error"], answer["state"]) == (["access_denied"], ["s & t"])
    assert "code" not in answer


def test_form_of_another_site_grants_nothing(browser: Browser, web: App) -> None:
    browser.answer(browser.open(**ask(web)).text, expect=403, form_token="0" * 32)


@pytest.mark.parametrize(
    "fields",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "https://elsewhere.example.com/"},
        {"redirect_uri": BACK + "&b=2"},
        {"redirect_uri": ""},
    ],
)
def test_nobody_is_sent_to_a_place_that_is_not_the_clients(browser: Browser, web: App, fields: dict[str, str]) -> None:
    response = browser.open(400, **ask(web, **fields))
    assert "location" not in response.headers
    page = browser.open(**ask(web)).text
    browser.answer(page, expect=400, **fields)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_wrong_requests_go_back_to_the_client(browser: Browser, web: App, fields: dict[str, str], error: str) -> None:
    response = browser.open(302, **ask(web, **fields))
    place = urlsplit(response.headers["location"])
    assert place.netloc == "app.example.com"
    assert parse_qs(place.query)["error"] == [error]
    assert parse_qs(place.query)["state"] == ["s & t"]


def test_code_is_good_once_and_its_second_use_ends_what_came_of_it(browser: Browser, web: App) -> None:
    code = code_of(browser, web)
    token = fetch(web, code)["access_token"]
    assert fetch(web, code, 400)["error"] == "invalid_grant"
    with holding(web.server, token):
        web.server.api("GET", "/devices", 401)


def test_code_expires_and_is_its_clients_and_places(browser: Browser, web: App, phone: App) -> None:
    assert fetch(web, code_of(browser, web), 400, redirect_uri="https://elsewhere/")["error"] == "invalid_grant"
    stolen = {"redirect_uri": BACK, "code_verifier": VERIFIER}
    assert fetch(phone, code_of(browser, web), 400, **stolen)["error"] == "invalid_grant"
    assert fetch(web, code_of(browser, web), 401, client_secret="0" * 40)["error"] == "invalid_client"
    assert fetch(web, code_of(browser, web), 401, client_secret="")["error"] == "invalid_client"
    code = code_of(browser, web)
    web.server.clock.advance_s(121)
    assert fetch(web, code, 400)["error"] == "invalid_grant"


def test_installed_client_proves_that_it_began(browser: Browser, phone: App) -> None:
    assert "error=invalid_request" in browser.open(302, **ask(phone)).headers["location"]
    answer = fetch(phone, code_of(browser, phone, **PKCE), client_secret="", code_verifier=VERIFIER)
    with holding(phone.server, answer["access_token"]):
        phone.server.api("GET", "/devices")
    public: dict[str, Any] = {"client_secret": "", "grant_type": "refresh_token"}
    assert phone.trade(**public, refresh_token=answer["refresh_token"])["access_token"]
    for verifier in ("", "w" * 43, "short"):
        wrong = fetch(phone, code_of(browser, phone, **PKCE), 400, client_secret="", code_verifier=verifier)
        assert wrong["error"] in ("invalid_grant", "invalid_request")


def test_installed_client_needs_its_secret_for_what_needs_nothing_else(phone: App) -> None:
    assert phone.trade(401, client_secret="", grant_type="client_credentials")["error"] == "invalid_client"
    form: dict[str, Any] = {"client_secret": "", "grant_type": "password", "username": EMAIL, "password": PASSWORD}
    assert phone.trade(401, **form)["error"] == "invalid_client"


def test_accounts_client_gets_the_scopes_that_were_shown(browser: Browser) -> None:
    server = browser.server
    body = {"name": "Reports", "type": "web", "redirect_uri": BACK}
    own = App(server, server.api("POST", "/clients", 201, json=body)["client"])
    assert "error=invalid_scope" in browser.open(302, **ask(own)).headers["location"]
    assert "error=invalid_scope" in browser.open(302, **ask(own, scope="everything")).headers["location"]
    assert "devices:list" in browser.open(**ask(own, scope="devices:list")).text
    answer = fetch(own, code_of(browser, own, scope="devices:list"))
    for token in (answer, own.trade(grant_type="refresh_token", refresh_token=answer["refresh_token"])):
        with holding(server, token["access_token"]):
            server.api("GET", f"{PRODUCT}/devices")
            server.api("GET", PRODUCT, 403)
            server.api("POST", "/access_tokens", 403, json={"label": "more"})


def test_client_without_a_place_to_go_back_to_asks_nobody(browser: Browser) -> None:
    client = make_client(browser.server)
    browser.open(400, response_type="code", client_id=client["id"], redirect_uri=BACK)
