# SPDX-License-Identifier: Apache-2.0
"""What stands around every page: where one is and where one can go."""

from __future__ import annotations

import re

from ota_server.organizations.service import add_administrator
from tests.ota_server.conftest import PASSWORD, Server
from tests.ota_server.dashboard.test_pages import HOME, sign_in
from tests.ota_server.organizations.test_branding import png

ORGANIZATION_HOME = "/organizations/warm-rooms"


def test_side_bar_marks_the_page_and_switches_product_and_organization(stocked: Server) -> None:
    client = sign_in(stocked)
    stocked.api("POST", "/products", 201, json={"product": {"id": 7, "name": "<Seven>", "slug": "seven"}})
    page = client.get(f"{HOME}/devices").text
    assert f'<a href="{HOME}/devices" aria-current="page">' in page
    assert f'<a href="{ORGANIZATION_HOME}" aria-current="true">Warm Rooms</a>' in page
    assert '<a href="/products/seven">&lt;Seven&gt;</a>' in page
    assert f'<a href="{ORGANIZATION_HOME}" aria-current="page">Overview</a>' in client.get(ORGANIZATION_HOME).text
    assert client.get("/").url.path == ORGANIZATION_HOME


def test_side_bar_names_nothing_of_others(stocked: Server) -> None:
    database = stocked.services.database
    hashed = stocked.services.passwords.hash(PASSWORD)
    database.write(lambda c: add_administrator(c, "eve@example.com", hashed, "Cold Rooms", 0))
    page = sign_in(stocked, email="eve@example.com").get("/").text
    assert "Cold Rooms" in page
    assert "Warm Rooms" not in page
    assert "Thermostat" not in page


def test_logo_stands_beside_the_organization(stocked: Server) -> None:
    stocked.api("PUT", "/orgs/warm-rooms/branding/logo", files={"file": ("logo.png", png(2, 2))})
    page = sign_in(stocked).get(HOME).text
    assert re.search(r'<img src="/brand/logos/[0-9a-f]{64}\.png" alt="">', page)
