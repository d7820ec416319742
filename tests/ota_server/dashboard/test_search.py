# SPDX-License-Identifier: Apache-2.0
"""The search over everything: what it finds, for whom, and without markup of what was typed in."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from ota_server.dashboard.places import OF_ACCOUNT
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.customers.conftest import make_customer
from tests.ota_server.dashboard.test_pages import sign_in
from tests.ota_server.organizations.test_pages import BEN, ben  # noqa: F401  # a fixture

PRODUCT = f"/products/{keys.PRODUCT}"
DEVICES = ("0123456789abcdef01234567", "0123456789abcdef01234568")


def found(browser: TestClient, text: str) -> list[tuple[str, str, str]]:
    """Kind, name and address of each."""
    page = browser.get("/search", params={"q": text, "product": "thermostat"}).text
    hits = re.findall(r'<a href="([^"]*)"><span class="kind">(\w+)</span> <b>(.*?)</b>', page)
    return [(kind, name, href) for href, kind, name in hits]


@pytest.fixture
def house(server: Server) -> TestClient:
    server.product()
    server.publish(keys.image(1), title="Quieter fan")
    server.api("POST", f"{PRODUCT}/devices", json={"ids": list(DEVICES)})
    server.api("PUT", f"{PRODUCT}/devices/{DEVICES[0]}", json={"name": "Kitchen %_"})
    stages = [{"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}}]
    server.api("POST", f"{PRODUCT}/rollouts", 201, json={"version": 1, "name": "Fans of all", "stages": stages})
    make_customer(server, "kim@example.com")
    return sign_in(server)


@pytest.mark.both_databases
def test_everything_is_found_by_its_name(house: TestClient) -> None:
    at = "/products/thermostat"
    assert found(house, "ki") == [
        ("Device", "Kitchen %_", f"{at}/devices/{DEVICES[0]}"),
        ("Customer", "kim@example.com", f"{at}/customers/kim%40example.com"),
    ]
    assert [name for _, name, _ in found(house, "KITCHEN %")] == ["Kitchen %_"]
    assert found(house, "kitchen _") == []
    assert [name for _, name, _ in found(house, "0123456789AB")] == ["Kitchen %_", DEVICES[1]]
    assert found(house, "fan") == [
        ("Release", "1 Quieter fan", f"{at}/releases/1"),
        ("Rollout", "Fans of all", f"{at}/rollouts/1"),
    ]
    assert ("Release", "1 Quieter fan", f"{at}/releases/1") in found(house, "1")
    assert found(house, "roll")[0] == ("Page", "Rollouts", f"{at}/rollouts")
    assert [(kind, name) for kind, name, _ in found(house, "therm")] == [("Product", "Thermostat")]
    assert [(kind, name) for kind, name, _ in found(house, "warm")] == [("Organization", "Warm Rooms")]


@pytest.mark.parametrize(
    "text", ["", "x" * 5000, "<script>", "\0", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_nothing_is_found_by_what_is_no_name(house: TestClient, text: str) -> None:
    assert found(house, text) == []
    assert "<script>" not in re.sub(r"<script src=", "", house.get("/search", params={"q": text}).text)


def test_who_is_in_no_team_finds_nothing_but_their_own_account(stocked: Server, ben: TestClient) -> None:  # noqa: F811
    stocked.rollout(2)
    for text in ("a", "0", "1", "thermostat", "rollout", BEN):
        assert {href for _, _, href in found(ben, text)} <= {f"/account{place.path}" for place in OF_ACCOUNT}
