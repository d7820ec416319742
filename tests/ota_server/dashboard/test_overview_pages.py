# SPDX-License-Identifier: Apache-2.0
"""First pages: of an organization over all of its products, and what needs attention."""

from __future__ import annotations

import re

import pytest

from ota_server.figures import series, standing
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS
from ota_server.figures.series import Trend
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in

BASE = "/organizations/warm-rooms"
GATE = {"min_confirmed": 9, "max_failures": 0}


def test_organization_sums_its_products(stocked: Server) -> None:
    client = sign_in(stocked)
    stocked.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven", "auto_approve": True}})
    for number in range(3):
        stocked.device(number).check_in()
    page = client.get(BASE).text
    assert "of 3 trusted devices" in page
    assert "run their product&#39;s newest version" in page
    assert f'href="{HOME}/devices">3</a>' in page
    assert 'href="/products/seven/devices">0</a>' in page
    assert "Nothing does: no rollout is paused" in page


def test_many_devices_are_counted_beside_the_request_and_their_age_is_shown(
    stocked: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "AT_ONCE_MAX", 2)
    client = sign_in(stocked)
    for number in range(3):
        stocked.device(number).check_in()
    stocked.services.jobs.collector.work_off()
    stocked.clock.advance_s(180)
    stocked.device(3).check_in()
    for path in (BASE, HOME, f"{HOME}/releases", f"{HOME}/releases/1", f"{BASE}/usage"):
        page = client.get(path).text
        assert re.search(r"evices were counted .*3 min ago", page), path
        assert not re.search(r">4</a>|>4</p>", page), path
    assert "of 3 trusted devices" in client.get(HOME).text
    stocked.services.jobs.collector.work_off()
    assert "of 4 trusted devices" in client.get(HOME).text


def test_few_devices_are_counted_for_the_page(stocked: Server) -> None:
    stocked.device().check_in()
    stocked.services.jobs.collector.work_off()
    stocked.device(2).check_in()
    page = sign_in(stocked).get(HOME).text
    assert "of 2 trusted devices" in page
    assert "were counted" not in page


def test_organization_without_products_says_how_one_is_made(server: Server) -> None:
    page = sign_in(server).get(BASE).text
    assert f'href="{BASE}/new-product"' in page
    assert "No products yet" in page


def test_what_needs_attention_comes_most_urgent_first(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, {"percent": 100, "gate": GATE})
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    device.check_in()
    stocked.api("PUT", "/products/thermostat", json={"product": {"auto_approve": False}})
    other = stocked.device(2)
    other.check_in()
    client = sign_in(stocked)
    for path in (BASE, HOME):
        page = client.get(path).text
        found = re.findall(r'<li><span class="state s-(\w+)">', page[page.index('<ul class="matters">') :])
        assert found == ["paused", "reverted", "quarantined"]
        assert f'href="{HOME}/rollouts/{rollout}/devices?reason=reverted.1"' in page
        assert "Version 2 reverted once: the watchdog reset its trial." in page
        assert "1 quarantined device: no firmware until approved." in page
        assert f'href="{HOME}/devices/{other.device_id.hex()}"' in page
    stocked.device(3).check_in()
    assert f'href="{HOME}/devices?state=quarantined"' in client.get(HOME).text
    assert client.get(f"{HOME}/devices?state=quarantined").status_code == 200


def test_rollout_is_paused_from_the_organizations_page(stocked: Server) -> None:
    stocked.device().check_in()
    rollout = stocked.rollout(2)
    client = sign_in(stocked)
    page = client.get(BASE).text
    action = f"{HOME}/rollouts/{rollout}/pause?from=organization"
    assert f'action="{action}"' in page
    after = client.post(action, data={"form_token": form_token(page)})
    assert after.url.path == BASE
    assert "Paused by ana@example.com" in after.text


def test_versions_of_the_last_week_are_a_table_that_is_drawn(stocked: Server) -> None:
    stocked.device().check_in()
    hour = stocked.clock.now_ms() // HOUR_MS
    hour -= hour % 6
    database = stocked.services.database
    for at, text in ((hour - 12, '{"1": 9, "": 1}'), (hour - 6, '{"1": 4, "2": 6}')):
        database.write(lambda c, at=at, text=text: figures.keep(c, keys.PRODUCT, at, {"versions": text}))  # type: ignore[misc]
    page = sign_in(stocked).get(HOME).text
    assert 'data-chart="version-course"' in page
    heads = re.findall(r'data-stacked="1">([^<]*)<', page)
    assert heads == ["Not told", "Version 1", "Version 2"]
    assert re.findall(r'data-label="2">(\d+)<', page) == ["0", "6"]


def test_trends_are_added_hour_by_hour() -> None:
    one, other = Trend(3, 2, [(1, 2), (2, 3)]), Trend(4, None, [(2, 4)])
    assert series.together([one, other]) == Trend(7, 2, [(1, 2), (2, 7)])
    assert series.together([]) == Trend(0, None, [])
