# SPDX-License-Identifier: Apache-2.0
"""Particle's own SDK works against the server: signing in, products, teams, devices, firmware."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from muster.image.image import Image
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.foreign.packages import installed
from tests.foreign.sdk import CLIENT, SOURCES, ParticleSdk
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, EMAIL, ORGANIZATION, PASSWORD, listen_app, make_settings
from tests.ota_server.simulated import SimulatedDevice

LOGIN = ("login", {"username": EMAIL, "password": PASSWORD})
DEVICE = "0123456789abcdef01234567"
OTHER = "76543210fedcba9876543210"
CLAIMED = "111111111111111111111111"
PRODUCT = "thermostat"


@dataclass(frozen=True)
class Client:
    """The SDK, signed in anew for each test."""

    sdk: ParticleSdk

    def calls(self, *calls: tuple[str, dict[str, Any]], expect: tuple[int, ...] = ()) -> list[Any]:
        answers = self.sdk.run(LOGIN, *calls)[1:]
        wanted = list(expect) or [200] * len(calls)
        assert [one["status"] for one in answers] == wanted, answers
        return [one["body"] for one in answers]


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with one product, and the SDK that talks to it."""
    cache = request.config.cache
    assert cache is not None
    folder = installed(SOURCES, cache.mkdir("node"), tmp_path_factory.mktemp("particle_api"))
    settings = replace(make_settings(tmp_path_factory.mktemp("server") / "server"), password_clients=(CLIENT,))
    with listen_app(settings, SystemClock()) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        made = Client(ParticleSdk(folder, url))
        token = made.sdk.run(LOGIN)[0]["body"]["access_token"]
        created = made.sdk.run(
            ("post", {"uri": "/v1/products", "data": {"product": {"id": keys.PRODUCT, "name": "Thermostat"}}}),
            token=token,
        )
        assert created[0]["status"] == 201
        yield made


def test_wrong_password_is_told_in_particles_words(client: Client) -> None:
    [answer] = client.sdk.run(("login", {"username": EMAIL, "password": "wrong"}))
    assert answer["status"] == 400
    assert answer["body"]["error"] == "invalid_grant"
    assert answer["body"]["error_description"] == "User credentials are invalid"


def test_user_logs_in_and_out(client: Client) -> None:
    user, out, after = client.calls(
        ("getUserInfo", {}), ("deleteCurrentAccessToken", {}), ("getUserInfo", {}), expect=(200, 200, 401)
    )
    assert user["username"] == EMAIL
    assert out == {"ok": True}
    assert after["code"] == "invalid_token"


def test_token_is_revoked_by_its_name(client: Client) -> None:
    client.calls(("deleteAccessToken", {"token": "$TOKEN"}), ("getUserInfo", {}), expect=(200, 401))


def test_products_are_listed(client: Client) -> None:
    listed, one = client.calls(("listProducts", {}), ("getProduct", {"product": PRODUCT}))
    assert [(product["id"], product["slug"], product["org"]) for product in listed["products"]] == [
        (keys.PRODUCT, PRODUCT, "warm-rooms")
    ]
    assert one["product"] == listed["products"][0]


def test_team_is_listed_invited_and_removed(client: Client) -> None:
    ben = {"product": PRODUCT, "username": "ben@example.com"}
    invited, listed, removed, after = client.calls(
        ("inviteTeamMember", ben),
        ("listTeamMembers", {"product": PRODUCT}),
        ("removeTeamMember", ben),
        ("listTeamMembers", {"product": PRODUCT}),
    )
    assert invited["ok"] is True
    assert listed["team"][0]["username"] == EMAIL
    assert listed["team"][0]["role"] == {"id": "administrator", "name": "Administrator"}
    assert [(one["username"], one["role"]["name"]) for one in listed["invitations"]] == [
        ("ben@example.com", "Developer")
    ]
    assert removed == {"ok": True}
    assert after["invitations"] == []


def test_client_of_an_account_acts_as_its_maker(client: Client) -> None:
    [made] = client.calls(("createOAuthClient", {"name": "Reports", "type": "installed"}), expect=(201,))
    listed, changed = client.calls(
        ("listOAuthClients", {}), ("updateOAuthClient", {"clientId": made["client"]["id"], "name": "Figures"})
    )
    assert [one["id"] for one in listed["clients"]] == [made["client"]["id"]]
    assert changed["client"]["name"] == "Figures"
    [signed_in] = client.sdk.run(("loginAsClientOwner", {}), client=made["client"])
    [user] = client.sdk.run(("getUserInfo", {}), token=signed_in["body"]["access_token"])
    assert user["body"]["username"] == EMAIL
    client.calls(("deleteOAuthClient", {"clientId": made["client"]["id"]}), expect=(204,))


def test_client_of_a_product_is_made_and_removed(client: Client) -> None:
    app = {"product": PRODUCT, "name": "App", "type": "installed", "scope": "create_customer"}
    [made] = client.calls(("createOAuthClient", app), expect=(201,))
    mine = {"product": PRODUCT, "clientId": made["client"]["id"]}
    listed, _ = client.calls(("listOAuthClients", mine), ("deleteOAuthClient", mine), expect=(200, 204))
    assert [one["scope"] for one in listed["clients"]] == ["create_customer"]


def test_app_makes_a_customer_and_signs_them_in(client: Client) -> None:
    app = {"product": PRODUCT, "name": "App", "type": "installed", "scope": "create_customer"}
    [made] = client.calls(("createOAuthClient", app), expect=(201,))
    cara = {"email": "cara@example.com", "password": "a good password"}
    [created] = client.sdk.run(("createCustomer", {"product": PRODUCT, **cara}), client=made["client"])
    assert created["status"] == 200
    signed_in, listed, refused = client.sdk.run(
        ("login", {"username": cara["email"], "password": cara["password"]}),
        ("listDevices", {}),
        ("listTeamMembers", {"product": PRODUCT}),
        client=made["client"],
    )
    assert len(signed_in["body"]["refresh_token"]) == 40
    assert (listed["status"], listed["body"]) == (200, [])
    assert refused["status"] == 403


def test_devices_are_imported_found_and_named(client: Client) -> None:
    mine = {"product": PRODUCT, "deviceId": DEVICE}
    added, again, listed, found, named = client.calls(
        ("addDeviceToProduct", mine),
        ("addDeviceToProduct", {**mine, "deviceId": "nonsense"}),
        ("listDevices", {"product": PRODUCT, "deviceId": DEVICE, "page": 1, "perPage": 5}),
        ("getDevice", mine),
        ("renameDevice", {**mine, "name": "kitchen"}),
    )
    assert (added["updated"], added["updatedDeviceIds"]) == (1, [DEVICE])
    assert again["invalidDeviceIds"] == ["nonsense"]
    assert [device["id"] for device in listed["devices"]] == [DEVICE]
    assert listed["meta"]["total_pages"] == 1
    assert found["id"] == DEVICE
    assert named["name"] == "kitchen"


def check_in(client: Client, device_id: str, running: Image) -> None:
    """A device with this image comes in; it is imported with its key."""
    key = keys.key(device_id)
    imported = {"id": device_id, "public_key": key.public_key.raw.hex()}
    client.calls(("post", {"uri": f"/v1/products/{PRODUCT}/devices", "data": imported}))

    def post(path: str, body: bytes) -> tuple[int, bytes]:
        response = httpx.post(client.sdk.url + path, content=body, headers=CBOR)
        return response.status_code, response.content

    SimulatedDevice(post, lambda *_: None, bytes.fromhex(device_id), key, running).check_in()


def test_device_is_claimed_used_and_given_up(client: Client) -> None:
    own, product = {"deviceId": CLAIMED}, {"deviceId": CLAIMED, "product": PRODUCT}
    _, claimed, listed, named, noted, taken, empty, code = client.calls(
        ("addDeviceToProduct", product),
        ("claimDevice", own),
        ("listDevices", {}),
        ("renameDevice", {**own, "name": "porch"}),
        ("setDeviceNotes", {"deviceId": "porch", "notes": "left"}),
        ("removeDeviceOwner", product),
        ("listDevices", {}),
        ("getClaimCode", {"product": PRODUCT}),
    )
    assert (claimed["ok"], claimed["id"]) == (True, CLAIMED)
    assert [(one["id"], one["owner"]) for one in listed] == [(CLAIMED, EMAIL)]
    assert (named["name"], noted["notes"]) == ("porch", "left")
    assert (taken, empty) == ({"ok": True}, [])
    assert len(code["claim_code"]) == 63
    *_, again, removed, after, made = client.calls(
        ("claimDevice", own),
        ("getDevice", own),
        ("removeDevice", own),
        ("getDevice", own),
        ("provisionDevice", {"productId": PRODUCT}),
        expect=(200, 200, 200, 404, 200),
    )
    assert (again["id"], again["name"]) == (CLAIMED, "")
    assert removed == {"ok": True}
    assert after["code"] == "not_found"
    assert len(made["id"]) == 24


def test_firmware_is_uploaded_released_and_downloaded(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "firmware.bin"
    file.write_bytes(keys.image(1).raw)
    of = {"product": PRODUCT, "version": 1}
    sent, listed, one, changed, early = client.calls(
        ("uploadProductFirmware", {**of, "file": str(file), "title": "First"}),
        ("listProductFirmware", {"product": PRODUCT}),
        ("getProductFirmware", of),
        ("updateProductFirmware", {**of, "description": "warm"}),
        ("releaseProductFirmware", of),
        expect=(201, 200, 200, 200, 409),
    )
    assert changed["description"] == "warm"
    assert "has not run on a device" in early["error_description"]
    check_in(client, "00112233445566778899aabb", keys.image(1))
    [released] = client.calls(("releaseProductFirmware", of))
    assert (sent["version"], sent["title"]) == (1, "First")
    assert [release["version"] for release in listed] == [1]
    assert one["uploaded_by"] == {"username": EMAIL}
    assert released["product_default"] is True
    [raw] = client.calls(("downloadProductFirmware", of))
    assert bytes.fromhex(raw) == keys.image(1).raw


def test_device_is_marked_for_development_and_locked(client: Client) -> None:
    device = {"product": PRODUCT, "deviceId": OTHER}
    _, marked, unmarked, denied = client.calls(
        ("addDeviceToProduct", device),
        ("markAsDevelopmentDevice", device),
        ("markAsDevelopmentDevice", {**device, "development": False}),
        ("removeDevice", {**device, "deny": True}),
        expect=(200, 200, 200, 204),
    )
    assert marked["development"] is True
    assert unmarked["development"] is False
    assert denied in (None, "", {})


def test_development_device_is_flashed_and_removed(client: Client, tmp_path: Path) -> None:
    device = {"product": PRODUCT, "deviceId": "00112233445566778899aabc"}
    check_in(client, device["deviceId"], keys.image(1))
    file = tmp_path / "firmware.bin"
    file.write_bytes(keys.image(5).raw)
    upload = {**device, "files": {"file": str(file)}}
    refused, _, started, _, after = client.calls(
        ("flashDevice", upload),
        ("markAsDevelopmentDevice", device),
        ("flashDevice", upload),
        ("removeDevice", device),
        ("getDevice", device),
        expect=(409, 200, 200, 204, 404),
    )
    assert "not marked for development" in refused["error_description"]
    assert (started["id"], started["status"]) == (device["deviceId"], "Update started")
    assert after["code"] == "not_found"


def test_second_factor_is_set_up_by_the_sdk_and_asked_for(client: Client) -> None:
    [begun] = client.calls(("enableMfa", {}))
    app = pyotp.TOTP(begun["secret"])
    [confirmed] = client.calls(("confirmMfa", {"mfaToken": begun["mfa_token"], "otp": app.now()}))
    [refused] = client.sdk.run(LOGIN)
    assert (refused["status"], refused["body"]["error"]) == (403, "mfa_required")
    code, mfa_token = confirmed["recovery_codes"][0], refused["body"]["mfa_token"]
    [signed_in] = client.sdk.run(("sendOtp", {"mfaToken": mfa_token, "otp": code}))
    assert signed_in["status"] == 200
    [off] = client.sdk.run(("disableMfa", {"currentPassword": PASSWORD}), token=signed_in["body"]["access_token"])
    assert off["body"] == {"ok": True}
    client.calls(("getUserInfo", {}))
