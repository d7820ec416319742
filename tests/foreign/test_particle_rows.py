# SPDX-License-Identifier: Apache-2.0
"""Every row of Particle's API that the server must have is asked for by Particle's SDK, and answers in its shape.

Where the SDK has no method for a row, its own `get`, `post`, `put`, `delete` or `request` asks.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.products.service import NewProduct, create
from tests.foreign.lamp import living_lamp
from tests.foreign.packages import installed
from tests.foreign.rows import ACCOUNTS, DEVICES, EVENTS, FIRMWARE, TEAMS, Requests, Row
from tests.foreign.sdk import CLIENT, SOURCES, ParticleSdk
from tests.foreign.test_particle_events import PRODUCT, World
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, listen_app, make_settings

ROWS = [*ACCOUNTS, *TEAMS, *DEVICES, *FIRMWARE, *EVENTS]
OF = f"/v1/products/{PRODUCT}"
ORG = "/v1/orgs/warm-rooms"

TOKEN = {"access_token", "token_type", "expires_in"}
OWN_DEVICE = {
    "id",
    "name",
    "last_ip_address",
    "last_heard",
    "last_handshake_at",
    "product_id",
    "online",
    "connected",
    "platform_id",
    "cellular",
    "notes",
    "functions",
    "variables",
    "status",
    "serial_number",
    "system_firmware_version",
}
ONE_DEVICE = OWN_DEVICE | {"owner", "firmware_updates_enabled", "firmware_updates_forced"}
PRODUCT_DEVICE = OWN_DEVICE | {
    "firmware_product_id",
    "firmware_version",
    "desired_firmware_version",
    "targeted_firmware_release_version",
    "development",
    "quarantined",
    "denied",
    "groups",
    "owner",
}
A_PRODUCT = {"id", "platform_id", "name", "slug", "description", "org", "settings"}
A_GROUP = {"name", "description", "color", "fw_version", "device_count"}
A_CLIENT = {"name", "type", "id"}
A_FIRMWARE = {
    "_id",
    "version",
    "title",
    "description",
    "name",
    "size",
    "product_default",
    "uploaded_on",
    "product_id",
    "uploaded_by",
    "groups",
    "device_count",
    "mandatory",
}


def get(uri: str, **query: Any) -> tuple[str, dict[str, Any]]:
    return ("get", {"uri": uri, "query": query})


def send(method: str, uri: str, **data: Any) -> tuple[str, dict[str, Any]]:
    return (method, {"uri": uri, "data": data})


def form(method: str, uri: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return ("request", {"uri": uri, "method": method, "form": fields})


@dataclass(frozen=True)
class Asking(World):
    """The SDK with a token, and what it asked for."""

    requests: Requests

    def assert_asked(self, rows: list[Row]) -> None:
        assert [str(row) for row in rows if not self.requests.has(row, ROWS)] == [], "nobody asked for these"


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    cache = request.config.cache
    assert cache is not None
    folder = installed(SOURCES, cache.mkdir("node"), tmp_path_factory.mktemp("particle_api"))
    noting: list[Requests] = []

    def wrap(app: Any) -> Requests:
        noting.append(Requests(app))
        return noting[0]

    settings = replace(make_settings(tmp_path / "server"), password_clients=(CLIENT,))
    with listen_app(settings, SystemClock(), wrap) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        product = NewProduct(keys.PRODUCT, "Thermostat", auto_approve=True)
        services.database.write(lambda c: create(c, 1, product, 0))
        yield Asking(ParticleSdk(folder, url), token, noting[0])


def agreed(world: Asking, client_id: str, back: str) -> str:
    """The code that a client gets when the person agrees on the page."""
    with httpx.Client(base_url=world.sdk.url) as browser:
        browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD, "next": "/"})
        query = {"response_type": "code", "client_id": client_id, "redirect_uri": back, "state": "s"}
        page = browser.get("/oauth/authorize", params=query).text
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in hidden} | {"answer": "allow"}
        location = browser.post("/oauth/authorize", data=fields).headers["location"]
    return parse_qs(urlsplit(location).query)["code"][0]


def test_rows_of_accounts_clients_and_customers(world: Asking) -> None:
    login = ("login", {"username": EMAIL, "password": PASSWORD})
    token, user, current, out = world.sdk.run(
        login, ("getUserInfo", {}), get("/v1/access_tokens/current"), ("deleteCurrentAccessToken", {})
    )
    assert token["body"].keys() >= TOKEN
    assert user["body"].keys() >= {"username", "subscription_ids", "account_info", "mfa", "no_password"}
    assert current["body"].keys() >= {"expires_at", "client_id", "scopes", "orgs"}
    assert out["body"] == {"ok": True}
    assert [one["status"] for one in world.sdk.run(login, ("deleteAccessToken", {"token": "$TOKEN"}))] == [200, 200]

    own, listed = world.calls(
        ("createOAuthClient", {"name": "Own", "type": "installed"}), ("listOAuthClients", {}), expect=(201, 200)
    )
    assert own["client"].keys() >= A_CLIENT | {"secret"}
    assert listed["clients"][0].keys() >= A_CLIENT
    changed, made, _, listed = world.calls(
        ("updateOAuthClient", {"clientId": own["client"]["id"], "name": "Other"}),
        ("createOAuthClient", {"product": PRODUCT, "name": "App", "type": "installed", "scope": "create_customer"}),
        form("put", f"{OF}/clients/none", name="x"),
        ("listOAuthClients", {"product": PRODUCT}),
        expect=(200, 201, 404, 200),
    )
    assert changed["client"]["name"] == "Other"
    app = made["client"]
    [renamed] = world.calls(("updateOAuthClient", {"product": PRODUCT, "clientId": app["id"], "name": "Phone"}))
    assert renamed["client"]["name"] == "Phone"
    [owner] = world.sdk.run(("loginAsClientOwner", {}), client=own["client"])
    assert owner["body"].keys() >= TOKEN

    who = {"client_id": app["id"], "client_secret": app["secret"]}
    cara, dan, eve = "cara@example.com", "dan@example.com", "eve@example.com"
    back = "https://app.example.com/done"
    [web] = world.calls(
        send("post", f"{OF}/clients", name="Web", type="web", scope="create_customer", redirect_uri=back), expect=(201,)
    )
    [made] = world.calls(send("post", f"{OF}/clients", name="Server", type="installed"), expect=(201,))
    legs = {"client_id": made["client"]["id"], "client_secret": made["client"]["secret"]}
    answers = world.sdk.run(
        ("createCustomer", {"product": PRODUCT, "email": cara, "password": PASSWORD}),
        form("post", f"{OF}/customers", grant_type="client_credentials", email=dan, no_password="true", **legs),
        form("post", "/oauth/token", grant_type="client_credentials", scope=f"customer={dan}", **legs),
        client=app,
    )
    assert all(one["body"].keys() >= TOKEN for one in answers), answers
    implicit = {"response_type": "token", "client_id": web["client"]["id"], "email": eve, "password": PASSWORD}
    redirected = httpx.post(f"{world.sdk.url}{OF}/customers", data=implicit)
    assert redirected.status_code == 302
    assert redirected.headers["location"].startswith(f"{back}#")
    refresh = answers[0]["body"]["refresh_token"]
    [again] = world.sdk.run(form("post", "/oauth/token", grant_type="refresh_token", refresh_token=refresh, **who))
    assert again["body"].keys() >= TOKEN | {"refresh_token"}
    web_who = {"client_id": web["client"]["id"], "client_secret": web["client"]["secret"]}
    code = {"grant_type": "authorization_code", "code": agreed(world, web["client"]["id"], back), "redirect_uri": back}
    [by_code] = world.sdk.run(form("post", "/oauth/token", **code, **web_who))
    assert by_code["body"].keys() >= TOKEN
    found, *_ = world.calls(
        get(f"{OF}/customers", page=1, per_page=10),
        form("put", f"{OF}/customers/{cara}", password="another password"),
        send("delete", f"{OF}/customers/{cara}"),
        ("deleteOAuthClient", {"product": PRODUCT, "clientId": app["id"]}),
        ("deleteOAuthClient", {"clientId": own["client"]["id"]}),
        ("deleteActiveAccessTokens", {}),
        expect=(200, 200, 204, 204, 204, 200),
    )
    assert [one["username"] for one in found["customers"]] == [EMAIL, cara, dan, eve]
    assert found.keys() >= {"customers", "devices", "meta"}
    world.assert_asked(ACCOUNTS)


def test_rows_of_organizations_products_and_teams(world: Asking) -> None:
    orgs, org, products, all_products, mine, one = world.calls(
        get("/v1/orgs"),
        get(ORG),
        get(f"{ORG}/products"),
        ("listProducts", {}),
        get("/v1/user/products"),
        ("getProduct", {"product": PRODUCT}),
    )
    assert orgs["organizations"][0].keys() >= {"id", "slug", "name"}
    assert org["organization"] == orgs["organizations"][0]
    assert products == all_products == mine == {"products": [one["product"]]}
    assert one["product"].keys() >= A_PRODUCT
    assert one["product"]["settings"].keys() == {"quarantine", "location", "known_application"}
    made, changed, _ = world.calls(
        send("post", "/v1/products", product={"id": 7, "name": "Lamp"}),
        form("put", "/v1/products/lamp", **{"product[description]": "warm"}),
        send("delete", "/v1/products/lamp"),
        expect=(201, 200, 204),
    )
    assert made["product"].keys() >= A_PRODUCT
    assert changed["product"]["description"] == "warm"

    ben = {"product": PRODUCT, "username": "ben@example.com"}
    invited, team, removed, robot = world.calls(
        ("inviteTeamMember", ben),
        ("listTeamMembers", {"product": PRODUCT}),
        ("removeTeamMember", ben),
        send("post", f"{OF}/team", friendly_name="robot", scopes=["devices:list"]),
    )
    assert (invited["ok"], removed) == (True, {"ok": True})
    assert team["team"][0].keys() >= {"username", "role"}
    assert robot["created"].keys() >= {"username", "is_programmatic", "tokens"}
    name = robot["created"]["username"]
    token, listed, last, again = world.calls(
        send("put", f"{OF}/team/{name}/token"),
        get(f"{ORG}/team"),
        send("put", f"{OF}/team/{EMAIL}", role="Developer"),
        form("post", f"{OF}/team/{EMAIL}", role="Administrator"),
        expect=(200, 200, 409, 200),
    )
    assert token["ok"] is True
    assert {one["username"]: one.get("is_programmatic", False) for one in listed["team"]} == {EMAIL: False, name: True}
    assert last["ok"] is False, "the last administrator stays"
    assert again["ok"] is True
    world.calls(form("post", f"{ORG}/team", username="eve@example.com"), send("delete", f"{ORG}/team/eve@example.com"))
    world.assert_asked(TEAMS)


def test_rows_of_devices(world: Asking, tmp_path: Path) -> None:
    spare, gone = "1" * 24, "2" * 24
    lines, image = tmp_path / "ids.txt", tmp_path / "firmware.bin"
    lines.write_text(f"{spare}\n")
    image.write_bytes(keys.image(5).raw)
    with living_lamp(world.sdk.url) as device:
        lamp = device.device_id.hex()
        of, own = {"deviceId": lamp, "product": PRODUCT}, {"deviceId": lamp}
        imported, _, _, claimed, made, listed, one = world.calls(
            ("addDeviceToProduct", {"product": PRODUCT, "file": str(lines)}),
            ("addDeviceToProduct", {"product": PRODUCT, "deviceId": gone}),
            send("post", f"{OF}/devices", ids=[spare, gone]),
            send("post", "/v1/devices", id=lamp),
            ("provisionDevice", {"productId": PRODUCT}),
            ("listDevices", {}),
            ("getDevice", own),
            expect=(200, 200, 200, 200, 200, 200, 200),
        )
        assert imported.keys() >= {"updated", "updatedDeviceIds", "existingDeviceIds", "invalidDeviceIds"}
        assert claimed.keys() >= {"ok", "user_id", "id", "connected", "claimed"}
        assert made.keys() >= {"ok", "id", "deviceID"}
        assert listed[0].keys() >= OWN_DEVICE
        assert one.keys() >= ONE_DEVICE
        named, noted, shown, ping, value, raw, called, code, code_of = world.calls(
            ("renameDevice", {**own, "name": "lamp"}),
            ("setDeviceNotes", {**own, "notes": "left"}),
            ("signalDevice", {**own, "signal": True}),
            send("put", f"/v1/devices/{lamp}/ping"),
            ("getVariable", {**own, "name": "level"}),
            get(f"/v1/devices/{lamp}/level", format="raw"),
            form("post", f"/v1/devices/{lamp}/set", arg="four"),
            ("getClaimCode", {}),
            ("getClaimCode", {"product": PRODUCT}),
        )
        assert named.keys() == {"id", "name", "updated_at"}
        assert noted.keys() == {"id", "notes", "updated_at"}
        assert shown == {"id": lamp, "connected": True, "signaling": True}
        assert ping == {"ok": True, "online": True}
        assert (value["result"], value["coreInfo"]["deviceID"], raw) == (0.5, lamp, 0.5)
        assert (called["return_value"], called["connected"]) == (4, True)
        assert len(code["claim_code"]) == len(code_of["claim_code"]) == 63
        assert code["device_ids"] == [lamp]

        rows, one, value, called, shown = world.calls(
            ("listDevices", {"product": PRODUCT, "deviceName": "lamp", "page": 1, "perPage": 5}),
            ("getDevice", of),
            ("getVariable", {**of, "name": "level"}),
            ("callFunction", {**of, "name": "set", "argument": "four"}),
            form("put", f"{OF}/devices/{lamp}", signal="0"),
        )
        assert [row["id"] for row in rows["devices"]] == [lamp]
        assert rows["devices"][0].keys() >= PRODUCT_DEVICE
        assert rows["customers"][0].keys() >= {"id", "username"}
        assert rows["meta"]["total_pages"] == 1
        assert one.keys() >= PRODUCT_DEVICE | ONE_DEVICE
        assert (value["result"], called["return_value"], shown["signaling"]) == (0.5, 4, False)
        changes = {"name": "porch", "notes": "right", "development": True, "groups": ["beta"]}
        for key, wanted in changes.items():
            [changed] = world.calls(send("put", f"{OF}/devices/{lamp}", **{key: wanted}))
            assert changed.keys() >= {"id", key, "updated_at"}
            assert changed[key] == wanted
        flashed, own_flashed, unlocked, batch, free, *_ = world.calls(
            ("flashDevice", {**of, "files": {"file": str(image)}}),
            ("flashDevice", {**own, "files": {"file": str(image)}}),
            ("unlockDeviceProductFirmware", of),
            send("put", f"{OF}/devices", action="groups", devices=[lamp], metadata={"add": ["a"], "remove": ["beta"]}),
            ("removeDeviceOwner", of),
            ("claimDevice", own),
            ("removeDevice", own),
            ("removeDevice", {"product": PRODUCT, "deviceId": gone}),
            ("removeDevice", {"product": PRODUCT, "deviceId": spare, "deny": True}),
            expect=(200, 200, 200, 200, 200, 200, 200, 204, 204),
        )
        assert flashed["status"] == own_flashed["status"] == "Update started"
        assert unlocked["desired_firmware_version"] is None
        assert (batch, free) == ({"ok": True}, {"ok": True})
    world.assert_asked(DEVICES)


def test_rows_of_groups_and_firmware(world: Asking, tmp_path: Path) -> None:
    image = tmp_path / "firmware.bin"
    image.write_bytes(keys.image(1).raw)
    of = {"product": PRODUCT, "version": 1}
    group, groups, one, changed, sent, listed, found, titled, raw, early = world.calls(
        form("post", f"{OF}/groups", name="beta", color="#00ff00"),
        get(f"{OF}/groups", name="be"),
        get(f"{OF}/groups/beta"),
        send("put", f"{OF}/groups/beta", description="brave"),
        ("uploadProductFirmware", {**of, "file": str(image), "title": "First"}),
        ("listProductFirmware", {"product": PRODUCT}),
        ("getProductFirmware", of),
        ("updateProductFirmware", {**of, "title": "Other"}),
        ("downloadProductFirmware", of),
        ("releaseProductFirmware", of),
        expect=(201, 200, 200, 200, 201, 200, 200, 200, 200, 409),
    )
    for shown in (group["group"], groups["groups"][0], one["group"], changed["group"]):
        assert shown.keys() >= A_GROUP
    for shown in (sent, listed[0], found, titled):
        assert shown.keys() >= A_FIRMWARE
    assert bytes.fromhex(raw) == image.read_bytes()
    assert early["ok"] is False
    with living_lamp(world.sdk.url) as device:
        lamp = {"product": PRODUCT, "deviceId": device.device_id.hex()}
        released, locked, unlocked = world.calls(
            ("releaseProductFirmware", {**of, "product_default": True, "groups": ["beta"]}),
            ("lockDeviceProductFirmware", {**lamp, "desiredFirmwareVersion": 1, "flash": True}),
            ("unlockDeviceProductFirmware", lamp),
        )
    assert (locked["desired_firmware_version"], unlocked["desired_firmware_version"]) == (1, None)
    assert released.keys() >= A_FIRMWARE | {"updated_at", "intelligent"}
    _, refused = world.calls(send("delete", f"{OF}/groups/beta"), send("delete", f"{OF}/firmware/1"), expect=(204, 409))
    assert refused["ok"] is False
    world.assert_asked(FIRMWARE)


def test_rows_of_events(world: Asking) -> None:
    with living_lamp(world.sdk.url) as device:
        lamp = device.device_id.hex()
        streams = [
            f"{start}/events"
            for start in ("/v1", "/v1/devices", f"/v1/devices/{lamp}", OF, f"{OF}/devices/{lamp}", ORG)
        ]
        streams += [f"{stream}/spark" for stream in streams[:4]]
        headers = {"authorization": f"Bearer {world.token}"}
        for stream in streams:
            with httpx.stream("GET", f"{world.sdk.url}{stream}", headers=headers, params={"nonce": 1}) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                assert next(response.iter_lines()) == ":ok"
        published = world.calls(
            ("publishEvent", {"name": "a", "data": "1", "product": PRODUCT, "isPrivate": True}),
            form("post", "/v1/devices/events", name="a", data="1", private="true", ttl="60"),
        )
    assert published == [{"ok": True}, {"ok": True}]
    world.assert_asked(EVENTS)


def test_row_that_nobody_asked_for_is_named(world: Asking) -> None:
    world.calls(("listDevices", {"product": PRODUCT}), get("/v1/devices/claimed/level"), expect=(200, 404))
    nobody = [Row("GET", "/v1/devices/:d"), Row("GET", "/v1/products/:p/devices", "page=2")]
    with pytest.raises(AssertionError, match="GET /v1/devices/:d"):
        world.assert_asked([*nobody, Row("GET", "/v1/products/:p/devices")])


def test_what_is_not_there_says_so_in_json(world: Asking) -> None:
    device, of = {"deviceId": "0" * 24}, {"product": PRODUCT}
    answers = world.calls(
        ("getProductConfiguration", of),
        ("setProductDeviceConfiguration", {**of, **device, "config": {}}),
        ("getProductLocations", of),
        ("listIntegrations", of),
        ("createIntegration", {**of, "event": "a", "settings": {}}),
        ("listLogicFunctions", {}),
        ("executeLogic", {"logic": {}}),
        ("listLedgers", {"org": "warm-rooms"}),
        ("listEnvVars", of),
        ("listBuildTargets", {}),
        ("listDeviceOsVersions", {}),
        ("listLibraries", {}),
        ("listSIMs", {}),
        ("trackingIdentity", {}),
        ("sendPublicKey", {**device, "key": "x"}),
        get(f"/v1/diagnostics/{0:024}/last"),
        get(f"{OF}/metrics/online"),
        ("unprotectDevice", {**device, "action": "prepare"}),
        expect=(*17 * [404], 405),
    )
    assert all(answer["ok"] is False and answer["error"] and answer["error_description"] for answer in answers)
