# SPDX-License-Identifier: Apache-2.0
"""The product's customers: its branding, the four ways in which they sign in, and what the team sees of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import FilePayload, Page, expect

from muster.client import sign_in
from tests.e2e.story.world import ANA, APP, CARA, PASSWORD, World, fill, go_to, heading, home, press, sees
from tests.ota_server.simulated import SimulatedDevice

DAN = "dan@example.com"
OTHER_PASSWORD = "another password"
PRODUCT = "/v1/products/thermostat"
MAKES_CUSTOMERS, ACTS = "make customers and sign them in", "act as you, within this product"


@dataclass(frozen=True)
class Client:
    """An OAuth client."""

    id: str
    secret: str


class TeamApi:
    """What programs do: those of the product's team, and those that are OAuth clients."""

    def __init__(self, world: World) -> None:
        self._client = world.client
        self._token = sign_in(world.url, ANA, PASSWORD)

    def make_program(self) -> str:
        body = {"friendly_name": "Backend", "scopes": ["devices:list", "devices:update"]}
        token: str = self._post(f"{PRODUCT}/team", self._token, json=body)["created"]["tokens"][0]["token"]
        return token

    def trade(self, path: str, client: Client, **form: str) -> str:
        """A token that a client gets for a customer."""
        who = {"client_id": client.id, "client_secret": client.secret}
        token: str = self._post(path, None, data=who | form)["access_token"]
        return token

    def devices(self, token: str, path: str = "/v1/devices") -> Any:
        answer = self._client.get(path, headers={"authorization": f"Bearer {token}"})
        return answer.raise_for_status().json()

    def claim(self, token: str, device_id: str) -> None:
        self._post("/v1/devices", token, json={"id": device_id})

    def _post(self, path: str, token: str | None, **body: Any) -> Any:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self._client.post(path, headers=headers, **body).raise_for_status().json()


def brand(ana: Page, logo: bytes) -> None:
    """Colours are previewed and saved; a logo comes and goes."""
    go_to(ana, "Organization settings")
    press(ana, "Branding")
    fill(ana, {"Name": "Cosy Rooms", "Colour of links and buttons": "#8a1c5b", "Background": "#fff8f0"})
    press(ana, "Preview")
    sees(ana, "Preview, not saved")
    press(ana, "Save for all customers")
    expect(ana.get_by_role("heading", name="Preview", exact=True)).to_be_visible()
    file: FilePayload = {"name": "logo.png", "mimeType": "image/png", "buffer": logo}
    ana.get_by_label("PNG file").set_input_files(file)
    press(ana, "Upload")
    expect(ana.get_by_role("main").get_by_role("img", name="Cosy Rooms").first).to_be_visible()


def make_client(ana: Page, name: str, may: str, runs: str = "on a server of its own (web)") -> Client:
    """An OAuth client of the product."""
    home(ana)
    go_to(ana, "Settings")
    press(ana, "OAuth clients")
    fill(ana, {"Name": name, "It runs": runs, "Redirect URI": APP, "It may": may})
    press(ana, "Make it, and show its secret")
    heading(ana, name)
    found = Client(ana.locator("dl code").first.inner_text(), ana.locator(".secret").inner_text())
    press(ana, "OAuth clients")
    heading(ana, re.compile("OAuth client"))
    return found


def handle_clients(ana: Page) -> None:
    """One gets another name, another secret, and an end."""
    old = make_client(ana, "Try", MAKES_CUSTOMERS)
    press(ana, "Try")
    fill(ana, {"Name": "Tried"})
    press(ana, "Save")
    heading(ana, "Tried")
    press(ana, "Give it another secret, and show it")
    expect(ana.locator(".secret")).not_to_have_text(old.secret)
    press(ana, "Remove this client", "Remove it")
    heading(ana, re.compile("^0 OAuth clients"))


def come_by_the_app(world: World, api: TeamApi, ana: Page, device_id: str) -> None:
    """Simple: Cara signs up on the product's own pages, forgets the password, and comes back with a token."""
    client = make_client(ana, "App", MAKES_CUSTOMERS)
    asked = {"response_type": "token", "client_id": client.id, "redirect_uri": APP, "state": "s & t"}
    start = f"/customers/thermostat/sign-in?{urlencode(asked)}"
    cara = world.person()
    cara.goto(start)
    assert cara.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 248, 240)"
    expect(cara.get_by_role("img", name="Cosy Rooms")).to_be_visible()
    press(cara, "Sign up")
    fill(cara, {"E-mail": CARA, "Password, of 8 characters or more": PASSWORD})
    press(cara, "Sign up")
    cara.goto(world.link(CARA))
    fill(cara, {"Your password": PASSWORD})
    press(cara, "Confirm")
    api.claim(_token(cara), device_id)
    cara.goto(start)
    press(cara, "Forgotten password")
    fill(cara, {"E-mail": CARA})
    press(cara, "Send a link")
    cara.goto(world.link(CARA))
    fill(cara, {"New password, of 8 characters or more": OTHER_PASSWORD})
    press(cara, "Change the password")
    heading(cara, "Sign in")
    fill(cara, {"E-mail": CARA, "Password": OTHER_PASSWORD})
    press(cara, "Sign in")
    assert [one["id"] for one in api.devices(_token(cara))] == [device_id]


def come_by_their_server(api: TeamApi, ana: Page) -> None:
    """Two-legged: Dan has no password here; the product's server asks for his token. Self-managed: it asks for all."""
    client = make_client(ana, "Backend", ACTS, "on people's phones and computers (installed)")
    api.trade(f"{PRODUCT}/customers", client, email=DAN, no_password="true")
    token = api.trade("/oauth/token", client, grant_type="client_credentials", scope=f"customer={DAN}")
    assert api.devices(token) == []
    assert len(api.devices(api.make_program(), f"{PRODUCT}/devices")["devices"]) == 4


def come_by_their_account(world: World, api: TeamApi, ana: Page) -> None:
    """Login with: Ana lets a site see her devices; first she does not."""
    client = make_client(ana, "Site", ACTS)
    asked = {"response_type": "code", "client_id": client.id, "redirect_uri": APP, "state": "s"}
    for answer in ("Do not allow", "Allow"):
        ana.goto(f"/oauth/authorize?{urlencode(asked)}")
        heading(ana, "Allow Site?")
        ana.get_by_role("button", name=answer, exact=True).click()
        expect(ana.get_by_text("The app")).to_be_visible()
    code = parse_qs(urlsplit(ana.url).query)["code"][0]
    token = api.trade("/oauth/token", client, grant_type="authorization_code", code=code, redirect_uri=APP)
    assert api.devices(token) == []
    ana.goto("/")


def help_customers(ana: Page, hers: SimulatedDevice) -> None:
    """Who they are; another password for one, whose device is on, and a farewell to another."""
    home(ana)
    go_to(ana, "Customers")
    heading(ana, "3 customers")
    press(ana, "How customers sign in")
    heading(ana, "Four ways in which customers of Thermostat sign in")
    go_to(ana, "Customers")
    hers.check_in()
    press(ana, CARA)
    heading(ana, f"{CARA}: 1 device, 1 online")
    fill(ana, {"New password": PASSWORD})
    press(ana, "Set the password")
    go_to(ana, "Customers")
    press(ana, DAN)
    press(ana, "Remove this customer")
    fill(ana, {"Type the address to remove them": DAN})
    press(ana, "Remove the customer")
    heading(ana, "2 customers")


def _token(cara: Page) -> str:
    """With which the browser came back to the app."""
    expect(cara.get_by_text("The app")).to_be_visible()
    return parse_qs(urlsplit(cara.url).fragment)["access_token"][0]
