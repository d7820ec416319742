# SPDX-License-Identifier: Apache-2.0
"""A product's pages for its customers in Debian's Chromium: from an app, through a mail, and back with a token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.services import Services
from tests.ota_server.conftest import EMAIL, ORGANIZATION, listen_app
from tests.ota_server.dashboard.conftest import WAIT_MS
from tests.ota_server.mail.mail_server import MailServer, link_in, mailing_settings, run_mail_server

BACK = "https://app.example.com/done"
CARA, PASSWORD = "cara@example.com", "a good password"


@dataclass(frozen=True)
class Shop:
    """A server with a product of an organization that has a look, and an app in a browser."""

    services: Services
    mail_server: MailServer
    url: str
    client_id: str

    def path(self, page: str) -> str:
        asked = {"response_type": "token", "client_id": self.client_id, "redirect_uri": BACK, "state": "s & t"}
        return f"{self.url}/customers/thermostat/{page}?{urlencode(asked)}"

    def link(self) -> str:
        """The link in the only mail, on this server."""
        self.services.jobs.postman.work_off()
        [mail] = self.mail_server.received
        self.mail_server.received.clear()
        return self.url + link_in(mail)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with run_mail_server() as mail_server:
        settings = mailing_settings(tmp_path / "server", mail_server)
        with listen_app(settings, SystemClock()) as (services, url):
            token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, 0))
            api = httpx.Client(base_url=f"{url}/v1", headers={"authorization": f"Bearer {token}"})
            with api:
                api.post("/products", json={"product": {"id": 1, "name": "Thermostat"}}).raise_for_status()
                brand = {"name": "Cosy Rooms", "color": "#8a1c5b", "background": "#fff8f0"}
                brand |= {"support_email": "help@cosy.example"}
                api.put("/orgs/warm-rooms/branding", json=brand).raise_for_status()
                client = {"name": "App", "type": "web", "redirect_uri": BACK, "scope": "create_customer"}
                made = api.post("/products/1/clients", json=client).raise_for_status().json()["client"]
            yield Shop(services, mail_server, url, made["id"])


@contextlib.contextmanager
def watched(browser: Browser, **options: bool | str) -> Iterator[Page]:
    """A page that must not log anything; the app answers at its own address."""
    said: list[str] = []
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route("https://app.example.com/**", lambda route: route.fulfill(body="<p id=app>The app</p>"))
    try:
        yield page
    finally:
        page.close()
    assert said == []


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.click("button.main")


def token_of(page: Page, shop: Shop) -> str:
    """The token with which the browser came back to the app; the API takes it."""
    page.wait_for_selector("#app", timeout=WAIT_MS)
    answer = parse_qs(urlsplit(page.url).fragment)
    assert answer["state"] == ["s & t"]
    token = answer["access_token"][0]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{shop.url}/v1/devices", headers=headers).json() == []
    return token


def test_customer_comes_from_the_app_signs_up_forgets_and_comes_back_without_javascript(
    shop: Shop, browser: Browser
) -> None:
    with watched(browser, java_script_enabled=False) as page:
        page.goto(shop.path("sign-in"))
        page.click("text=Sign up")
        fill(page, email=CARA, password=PASSWORD)
        page.wait_for_selector("text=follow the link in it", timeout=WAIT_MS)
        page.goto(shop.link())
        fill(page, password=PASSWORD)
        first = token_of(page, shop)

        page.goto(shop.path("sign-in"))
        page.click("text=Forgotten password")
        fill(page, email=CARA)
        page.wait_for_selector("text=a mail with a link is on its way", timeout=WAIT_MS)
        page.goto(shop.link())
        fill(page, password="another password")
        page.wait_for_selector("h1:text('Sign in')", timeout=WAIT_MS)
        fill(page, email=CARA, password="another password")
        assert token_of(page, shop) != first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_in_the_organizations_colours_and_fit_a_phone(shop: Shop, browser: Browser, scheme: str) -> None:
    with watched(browser, color_scheme=scheme) as page:
        page.set_viewport_size({"width": 320, "height": 640})
        for name in ("sign-in", "sign-up", "forgot", "verify", "reset"):
            page.goto(shop.path(name))
            assert page.evaluate("document.documentElement.scrollWidth") <= 320
            colors = page.evaluate(
                "[getComputedStyle(document.body).backgroundColor, "
                "getComputedStyle(document.querySelector('button.main')).backgroundColor]"
            )
            assert colors == ["rgb(255, 248, 240)", "rgb(138, 28, 91)"]
