# SPDX-License-Identifier: Apache-2.0
"""Particle's own SDK with customers of each of the four methods: their own devices, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.foreign.lamp import living_lamp
from tests.foreign.packages import installed
from tests.foreign.sdk import SOURCES, ParticleSdk
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, listen_app, make_settings

PRODUCT = "thermostat"
MINE, OTHER = bytes(11) + b"\x01", bytes(11) + b"\x02"
BACK = "com.example.app:/done"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

Calls = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class World:
    """The SDK, a server with one product, and its administrator's token."""

    sdk: ParticleSdk
    token: str

    def calls(self, token: str | None, *calls: Calls, expect: tuple[int, ...] = ()) -> list[Any]:
        answers = self.sdk.run(*calls, token=token)
        wanted = list(expect) or [200] * len(calls)
        assert [one["status"] for one in answers] == wanted, answers
        return [one["body"] for one in answers]

    def client(self, **fields: str) -> dict[str, str]:
        """Makes an OAuth client of the product, as an administrator."""
        wanted = {"product": PRODUCT, "name": "App", "type": "installed", **fields}
        [made] = self.calls(self.token, ("createOAuthClient", wanted), expect=(201,))
        client: dict[str, str] = made["client"]
        return client

    def trade(self, client: dict[str, str], **form: str) -> str:
        """The access token that the token endpoint gives the client."""
        who = {"client_id": client["id"], "client_secret": client["secret"]}
        [found] = self.calls(None, ("request", {"uri": "/oauth/token", "method": "post", "form": {**who, **form}}))
        assert found["refresh_token"]
        return str(found["access_token"])

    def trade_code(self, client: dict[str, str], answer: httpx.Response) -> str:
        """The same for the code with which a browser was sent back to the app."""
        assert answer.headers["location"].startswith(f"{BACK}?"), answer.text
        [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        return self.trade(
            {**client, "secret": ""},
            grant_type="authorization_code",
            code=code,
            redirect_uri=BACK,
            code_verifier=VERIFIER,
        )

    def hears(self, token: str) -> set[str]:
        """Which devices publish what the token's owner hears."""
        work = {"options": {"baseUrl": self.sdk.url, "token": token}, "seconds": 0, "publish": []}
        heard = self.sdk.script("stream.js", {**work, "stream": {"deviceId": "mine"}, "hear": "temperature"})
        return {event["coreid"] for event in heard["events"]}


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cache = request.config.cache
    assert cache is not None
    folder = installed(SOURCES, cache.mkdir("node"), tmp_path_factory.mktemp("particle_api"))
    with listen_app(make_settings(tmp_path_factory.mktemp("server") / "server"), SystemClock()) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        made = World(ParticleSdk(folder, url), token)
        product = {"id": keys.PRODUCT, "name": "Thermostat", "auto_approve": True}
        made.calls(token, ("post", {"uri": "/v1/products", "data": {"product": product}}), expect=(201,))
        claimed = {"product": {"claiming": "id"}}
        made.calls(token, ("put", {"uri": f"/v1/products/{PRODUCT}", "data": claimed}))
        yield made


# The methods by which a customer's token is got


def simple(world: World) -> str:
    client = world.client(scope="create_customer")
    cara = {"email": "cara@example.com", "password": "a good password"}
    created, signed_in = world.sdk.run(
        ("createCustomer", {"product": PRODUCT, **cara}),
        ("login", {"username": cara["email"], "password": cara["password"]}),
        client=client,
    )
    assert (created["status"], signed_in["status"]) == (200, 200)
    return str(signed_in["body"]["access_token"])


def simple_on_pages(world: World) -> str:
    client = world.client(scope="create_customer", redirect_uri=BACK)
    dora = {"email": "dora@example.com", "password": "a good password"}
    assert world.sdk.run(("createCustomer", {"product": PRODUCT, **dora}), client=client)[0]["status"] == 200
    page = f"{world.sdk.url}/customers/{PRODUCT}/sign-in"
    return world.trade_code(client, httpx.post(page, params=asked(client), data=dora))


def two_legged(world: World) -> str:
    client = world.client()
    [created] = world.sdk.run(("createCustomer", {"product": PRODUCT, "email": "dan@example.com"}), client=client)
    assert created["status"] == 200
    return world.trade(client, grant_type="client_credentials", scope="customer=dan@example.com")


def login_with(world: World) -> str:
    """The customer has an account here, and agrees on a page; the app proves by PKCE that it began."""
    client = world.client(redirect_uri=BACK)
    with httpx.Client(base_url=world.sdk.url) as browser:
        browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
        page = browser.get("/oauth/authorize", params=asked(client)).raise_for_status().text
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
        form = {name: html.unescape(value) for name, value in hidden}
        return world.trade_code(client, browser.post("/oauth/authorize", data={**form, "answer": "allow"}))


def asked(client: dict[str, str]) -> dict[str, str]:
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    return {"response_type": "code", "client_id": client["id"], "redirect_uri": BACK, "state": "s", **pkce}


@pytest.mark.parametrize("method", [simple, simple_on_pages, two_legged, login_with])
def test_customer_claims_uses_and_hears_their_own_device_only(
    world: World, method: Callable[[World], str], tmp_path: Path
) -> None:
    token = method(world)
    mine, other = {"deviceId": MINE.hex()}, {"deviceId": OTHER.hex()}
    with living_lamp(world.sdk.url, MINE, "temperature"), living_lamp(world.sdk.url, OTHER, "temperature"):
        before, claimed, listed, one, named, called, read = world.calls(
            token,
            ("listDevices", {}),
            ("claimDevice", mine),
            ("listDevices", {}),
            ("getDevice", mine),
            ("renameDevice", {**mine, "name": "porch"}),
            ("callFunction", {**mine, "name": "set", "argument": "four"}),
            ("getVariable", {**mine, "name": "level"}),
        )
        assert before == []
        assert [device["id"] for device in listed] == [claimed["id"]] == [MINE.hex()]
        assert (one["id"], one["online"]) == (MINE.hex(), True)
        assert (named["name"], called["return_value"], read["result"]) == ("porch", 4, 0.5)
        world.calls(
            token,
            ("getDevice", other),
            ("callFunction", {**other, "name": "set", "argument": ""}),
            ("getVariable", {**other, "name": "level"}),
            ("removeDevice", other),
            expect=(404,) * 4,
        )
        assert world.hears(token) == {MINE.hex()}
    file = tmp_path / "firmware.bin"
    file.write_bytes(keys.image(2).raw)
    of = {"product": PRODUCT}
    firmware_and_team: list[Calls] = [
        ("listProductFirmware", of),
        ("uploadProductFirmware", {**of, "file": str(file), "version": 2, "title": "Mine"}),
        ("releaseProductFirmware", {**of, "version": 1}),
        ("markAsDevelopmentDevice", {**of, **mine}),
        ("flashDevice", {**of, **mine, "files": {"file": str(file)}}),
        ("listDevices", of),
        ("addDeviceToProduct", {**of, "deviceId": "3" * 24}),
        ("listTeamMembers", of),
        ("inviteTeamMember", {**of, "username": "friend@example.com"}),
        ("listOAuthClients", of),
        ("createOAuthClient", {**of, "name": "Mine", "type": "installed"}),
        ("createWebhook", {**of, "event": "temperature", "url": "https://example.com/", "hook": {}}),
    ]
    world.calls(token, *firmware_and_team, expect=(403,) * len(firmware_and_team))
    removed, after = world.calls(token, ("removeDevice", mine), ("listDevices", {}))
    assert (removed, after) == ({"ok": True}, [])


def test_self_managed_server_controls_devices_with_one_token(world: World) -> None:
    """No customers here: the product's own server knows whose device is whose."""
    robot = {"friendly_name": "Backend", "scopes": ["devices:list", "devices:update"]}
    path = {"uri": f"/v1/products/{PRODUCT}/team", "data": robot}
    [made] = world.calls(world.token, ("post", path))
    token = made["created"]["tokens"][0]["token"]
    of = {"product": PRODUCT, "deviceId": MINE.hex()}
    with living_lamp(world.sdk.url, MINE):
        listed, called, read, named = world.calls(
            token,
            ("listDevices", {"product": PRODUCT, "deviceId": MINE.hex()}),
            ("callFunction", {**of, "name": "set", "argument": "four"}),
            ("getVariable", {**of, "name": "level"}),
            ("renameDevice", {**of, "name": "porch"}),
        )
    assert [device["id"] for device in listed["devices"]] == [MINE.hex()]
    assert (called["return_value"], read["result"], named["name"]) == (4, 0.5, "porch")
    world.calls(
        token,
        ("releaseProductFirmware", {"product": PRODUCT, "version": 1}),
        ("inviteTeamMember", {"product": PRODUCT, "username": "friend@example.com"}),
        ("claimDevice", {"deviceId": MINE.hex()}),
        expect=(403, 403, 403),
    )
