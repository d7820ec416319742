# SPDX-License-Identifier: Apache-2.0
"""A product's own pages: customers sign up by mail, sign in and choose another password, in its organization's look."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.engine import URL

from ota_server.mail.limits import TO_ONE_ADDRESS
from tests.ota_server.conftest import EMAIL, HandClock, Server
from tests.ota_server.customers.conftest import PASSWORD, PRODUCT, App, make_client
from tests.ota_server.mail.mail_server import Post, run_post, text_of
from tests.ota_server.organizations.test_api_users import holding

AT = "/customers/thermostat"
BACK = "https://app.example.com/done"
CARA, OTHER = "cara@example.com", "another password"


@dataclass
class Pages:
    """The pages as an app's customer comes to them, and the mails."""

    post: Post
    app: App
    kind: str = "code"

    @property
    def server(self) -> Server:
        return self.post.server

    def asked(self, **changed: str) -> dict[str, str]:
        asked = {"response_type": self.kind, "client_id": self.app.client["id"], "redirect_uri": BACK, "state": "s & t"}
        return asked | changed

    def open(self, page: str, expect: int = 200, **changed: str) -> Any:
        path = f"{AT}/{page}"
        response = self.server.client.get(path, params=self.asked(**changed), follow_redirects=False)
        assert response.status_code == expect, response.text
        return response

    def send(self, page: str, expect: int = 200, origin: str | None = None, **form: str) -> Any:
        """Sends the form that a page shows."""
        shown = self.open(page).text
        action = re.search(r'<form method="post" action="([^"]*)"', shown)
        assert action is not None
        return self.submit(unescape(action.group(1)), expect, origin, **form)

    def submit(self, path: str, expect: int, origin: str | None = None, **form: str) -> Any:
        headers = {} if origin is None else {"origin": origin}
        response = self.server.client.post(path, data=form, headers=headers, follow_redirects=False)
        assert response.status_code == expect, response.text
        return response

    def sign_up(self, email: str = CARA, expect: int = 200) -> Any:
        return self.send("sign-up", expect, email=email, password=PASSWORD)

    def sign_in(self, expect: int = 302, password: str = PASSWORD, email: str = CARA) -> Any:
        return self.send("sign-in", expect, email=email, password=password)

    def follow(self, link: str, expect: int = 302, password: str = PASSWORD) -> Any:
        """Opens a link of a mail and sends the form there."""
        shown = self.server.client.get(link)
        assert shown.status_code == 200, shown.text
        token = parse_qs(urlsplit(link).query)["token"][0]
        assert f'value="{token}"' in shown.text
        return self.submit(link, expect, token=token, password=password)

    def join(self, email: str = CARA) -> Any:
        """Signs up and follows the link."""
        self.sign_up(email)
        return self.follow(self.post.link(email))

    def fetch(self, answer: Any) -> Any:
        """What the app gets for the code that the browser brought."""
        place = urlsplit(answer.headers["location"])
        assert f"{place.scheme}://{place.netloc}{place.path}" == BACK
        found = parse_qs(place.query)
        assert found["state"] == ["s & t"]
        return self.app.trade(grant_type="authorization_code", code=found["code"][0], redirect_uri=BACK)

    def devices(self, token: str, expect: int = 200) -> Any:
        with holding(self.server, token):
            return self.server.api("GET", "/devices", expect)


@pytest.fixture
def pages(tmp_path: Path, clock: HandClock, database_url: URL | None) -> Iterator[Pages]:
    with run_post(tmp_path / "server", clock, database_url=database_url) as post:
        post.server.product()
        brand = {"name": "Cosy & Co", "color": "#ffd500", "background": "#101010", "support_email": "help@cosy.example"}
        post.server.api("PUT", "/orgs/warm-rooms/branding", json=brand)
        client = make_client(post.server, type="web", redirect_uri=BACK, scope="create_customer")
        yield Pages(post, App(post.server, client))


@pytest.mark.both_databases
def test_customer_signs_up_by_mail_and_is_sent_to_the_app(pages: Pages) -> None:
    assert CARA in pages.sign_up().text
    assert pages.server.api("GET", f"{PRODUCT}/customers")["customers"] == []
    answer = pages.follow(pages.post.link(CARA))
    assert pages.devices(pages.fetch(answer)["access_token"]) == []
    [customer] = pages.server.api("GET", f"{PRODUCT}/customers")["customers"]
    assert (customer["username"], customer["has_password"]) == (CARA, True)
    again = pages.fetch(pages.sign_in())
    assert pages.devices(again["access_token"]) == []
    assert pages.app.trade(grant_type="refresh_token", refresh_token=again["refresh_token"])["access_token"]


def test_browser_app_gets_its_token_behind_the_number_sign(pages: Pages) -> None:
    pages.join()
    pages.kind = "token"
    place = urlsplit(pages.sign_in().headers["location"])
    assert (place.netloc, place.query) == ("app.example.com", "")
    answer = parse_qs(place.fragment)
    assert answer.keys() == {"access_token", "token_type", "expires_in", "state"}
    assert answer["state"] == ["s & t"]
    assert pages.devices(answer["access_token"][0]) == []


def test_pages_and_mails_look_like_the_organization_and_not_like_muster(pages: Pages) -> None:
    for page in ("sign-in", "sign-up", "forgot", "verify", "reset"):
        shown = pages.open(page).text
        assert "Cosy &amp; Co" in shown
        assert "/brand/colors/ffd500-101010.css" in shown
        assert "help@cosy.example" in shown
        assert "Muster" not in shown
    shown = pages.sign_up().text
    assert "Cosy &amp; Co" in shown
    assert "Muster" not in shown
    mail = pages.post.one(CARA)
    assert mail["From"].addresses[0].display_name == "Cosy & Co"
    assert mail["Reply-To"] == "help@cosy.example"
    assert "Thermostat" in text_of(mail)
    part = mail.get_body(("html",))
    assert part is not None
    assert "#ffd500" in part.as_string()


def test_form_leads_to_the_app_and_to_nowhere_else(pages: Pages) -> None:
    policy = pages.open("sign-in").headers["content-security-policy"]
    assert "form-action 'self' https://app.example.com;" in policy
    assert "default-src 'none'" in policy


def test_form_of_another_site_does_nothing(pages: Pages) -> None:
    pages.join()
    for page in ("sign-in", "sign-up", "forgot"):
        shown = pages.send(page, 403, "https://elsewhere.example.com", email=CARA, password=PASSWORD)
        assert "another site" in shown.text
    assert pages.post.new() == []


@pytest.mark.parametrize("kind", ["code", "token"])
@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "nobody"},
        {"client_id": ""},
        {"redirect_uri": "https://elsewhere.example.com/"},
        {"redirect_uri": BACK + "?a=1"},
        {"redirect_uri": ""},
        {"state": "s" * 501},
    ],
)
def test_nobody_is_sent_to_a_place_that_is_not_the_apps(pages: Pages, changed: dict[str, str], kind: str) -> None:
    pages.kind = kind
    for page in ("sign-in", "sign-up", "verify", "forgot", "reset"):
        response = pages.open(page, 400, **changed)
        assert "location" not in response.headers
        path = f"{AT}/{page}?{response.request.url.query.decode()}"
        assert "location" not in pages.submit(path, 400, email=CARA, password=PASSWORD).headers


def test_app_that_asks_wrongly_is_told(pages: Pages) -> None:
    place = urlsplit(pages.open("sign-in", 302, response_type="id_token").headers["location"])
    assert place.netloc == "app.example.com"
    assert parse_qs(place.query)["error"] == ["unsupported_response_type"]


def test_only_apps_that_may_make_customers_of_this_product_use_its_pages(pages: Pages) -> None:
    server = pages.server
    acts_as_its_maker = make_client(server, type="web", redirect_uri=BACK)
    pages.open("sign-in", 400, client_id=acts_as_its_maker["id"])
    own = server.api("POST", "/clients", 201, json={"name": "Own", "type": "web", "redirect_uri": BACK})["client"]
    pages.open("sign-in", 302, client_id=own["id"])
    server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    body = {"name": "App", "type": "web", "redirect_uri": BACK, "scope": "create_customer"}
    seven = server.api("POST", "/products/7/clients", 201, json=body)["client"]
    pages.open("sign-in", 400, client_id=seven["id"])
    shown = server.client.get("/customers/seven/sign-in", params=pages.asked(client_id=seven["id"]))
    assert shown.status_code == 200


def test_installed_app_proves_that_it_began_and_gets_no_token_in_a_browser(pages: Pages) -> None:
    client = make_client(pages.server, redirect_uri=BACK, scope="create_customer")
    wants_pkce = pages.open("sign-in", 302, client_id=client["id"])
    assert "error=invalid_request" in wants_pkce.headers["location"]
    refused = pages.open("sign-in", 302, client_id=client["id"], response_type="token")
    assert "error=unauthorized_client" in refused.headers["location"]


def test_wrong_password_is_told_and_guessing_is_slowed_down(pages: Pages) -> None:
    pages.join()
    for _ in range(10):
        assert "wrong address or password" in pages.sign_in(401, "guessed it").text
    pages.sign_in(429)
    pages.server.clock.advance_s(301)
    pages.sign_in()


def test_answers_do_not_tell_who_is_a_customer(pages: Pages) -> None:
    pages.join()

    def said(response: Any, email: str) -> str:
        return str(response.text).replace(email, "ADDRESS")

    dan = "dan@example.com"
    assert said(pages.sign_up(CARA), CARA) == said(pages.sign_up(dan), dan)
    mails = {str(mail["To"]): str(mail["Subject"]) for mail in pages.post.new()}
    assert mails == {CARA: "You have an account", dan: "Your account"}
    forgotten = [said(pages.send("forgot", email=email), email) for email in (CARA, "eve@example.com")]
    assert forgotten[0] == forgotten[1]
    assert [str(mail["To"]) for mail in pages.post.new()] == [CARA]
    assert said(pages.sign_in(401, "guessed it", CARA), CARA) == said(pages.sign_in(401, "guessed it", dan), dan)


@pytest.mark.both_databases
def test_following_a_link_needs_the_password_that_was_chosen_with_it(pages: Pages) -> None:
    """Somebody else may have asked for the account, and would know its password."""
    pages.sign_up()
    link = pages.post.link(CARA)
    pages.follow(link, 401, OTHER)
    pages.sign_in(401)
    pages.follow(link)
    assert "used already" in pages.follow(link, 400).text


def test_link_lasts_a_day(pages: Pages) -> None:
    pages.sign_up()
    link = pages.post.link(CARA)
    pages.server.clock.advance_s(24 * 3600)
    pages.follow(link, 400)


def test_link_is_of_one_product(pages: Pages) -> None:
    server = pages.server
    server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    body = {"name": "App", "type": "web", "redirect_uri": BACK, "scope": "create_customer"}
    seven = server.api("POST", "/products/7/clients", 201, json=body)["client"]
    pages.sign_up()
    token = parse_qs(urlsplit(pages.post.link(CARA)).query)["token"][0]
    query = "&".join(f"{key}={value}" for key, value in pages.asked(client_id=seven["id"], state="s").items())
    for page in ("verify", "reset"):
        pages.submit(f"/customers/seven/{page}?{query}", 400, token=token, password=PASSWORD)


def test_customers_link_is_no_accounts_link(pages: Pages) -> None:
    pages.sign_up(EMAIL)
    token = parse_qs(urlsplit(pages.post.link(EMAIL)).query)["token"][0]
    for page in ("/verify", "/reset"):
        pages.submit(page, 400, token=token, password=PASSWORD)
    pages.submit("/forgot", 200, email=EMAIL)
    link = pages.post.link(EMAIL)
    token = parse_qs(urlsplit(link).query)["token"][0]
    query = urlsplit(str(pages.open("reset").request.url)).query
    for page in ("verify", "reset"):
        pages.submit(f"{AT}/{page}?{query}", 400, token=token, password=PASSWORD)


@pytest.mark.both_databases
def test_forgotten_password_is_chosen_anew_and_ends_what_was_signed_in(pages: Pages) -> None:
    token = pages.fetch(pages.join())["access_token"]
    pages.send("forgot", email=CARA.upper())
    link = pages.post.link(CARA)
    pages.follow(link, 400, "short")
    done = pages.follow(link, 303, OTHER)
    assert done.headers["location"].startswith(f"{AT}/sign-in?response_type=code&client_id=")
    assert pages.post.one(CARA)["Subject"] == "Your password has changed"
    pages.devices(token, 401)
    pages.sign_in(401)
    pages.fetch(pages.sign_in(password=OTHER))


def test_customer_without_a_password_is_told_to_sign_in_as_before(pages: Pages) -> None:
    pages.server.api("POST", f"{PRODUCT}/customers", 201, json={"email": CARA})
    for page in ("sign-up", "forgot"):
        pages.send(page, email=CARA, password=PASSWORD)
        mail = pages.post.one(CARA)
        assert mail["Subject"] == "You sign in another way"
        assert "token=" not in text_of(mail)
    pages.sign_in(401)


def test_number_of_mails_to_one_address_is_bounded_for_accounts_and_customers_together(pages: Pages) -> None:
    for _ in range(TO_ONE_ADDRESS - 1):
        pages.send("forgot", email=CARA)
    pages.submit("/forgot", 200, email=CARA)
    assert "wait an hour" in pages.send("forgot", 429, email=CARA).text


def test_customer_is_made_once_though_two_links_were_sent(pages: Pages) -> None:
    pages.sign_up()
    link = pages.post.link(CARA)
    pages.server.api("POST", f"{PRODUCT}/customers", 201, json={"email": CARA, "password": OTHER})
    assert "is a customer of Thermostat already" in pages.follow(link, 409).text


def test_server_without_mail_lets_customers_sign_in_and_says_why_not_more(server: Server) -> None:
    server.product()
    app = App(server, make_client(server, type="web", redirect_uri=BACK, scope="create_customer"))
    app.sign_up(email=CARA, password=PASSWORD)
    pages = Pages(Post(server, None), app)  # type: ignore[arg-type]
    pages.fetch(pages.sign_in())
    assert "forgot" not in pages.open("sign-in").text
    shown = pages.open("sign-up")
    assert "sends no mail" in shown.text
    path = f"{AT}/sign-up?{shown.request.url.query.decode()}"
    assert "sends no mail" in pages.submit(path, 403, email=CARA, password=PASSWORD).text


def test_what_customers_do_is_in_the_audit_log_and_no_secret_in_any(
    pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        pages.sign_up()
        link = pages.post.link(CARA)
        answer = pages.follow(link)
        token = pages.fetch(answer)["access_token"]
        pages.send("forgot", email=CARA)
        pages.follow(pages.post.link(CARA), 303, OTHER)
    lines = pages.server.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert [line["action"] for line in lines if line["subject"] == "customer 1"] == [
        "customer.reset_password",
        "customer.create",
    ]
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    written = "".join(
        one.getMessage() for one in caplog.records if one.name.startswith(("ota_server", "authlib", "sqlalchemy"))
    ) + str(lines)
    for secret in (PASSWORD, OTHER, token, code, parse_qs(urlsplit(link).query)["token"][0]):
        assert secret not in written
    assert CARA not in str(lines)
