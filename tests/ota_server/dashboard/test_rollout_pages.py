# SPDX-License-Identifier: Apache-2.0
"""The rollout page, its devices, and how a rollout ends; the list of rollouts."""

from __future__ import annotations

import re

from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in


def cells(page: str, label: str) -> list[str]:
    """What stands in a column of the page's tables."""
    return re.findall(rf'data-label="{label}">(?:<a[^>]*>)?([^<]*)<', page)


def revert(device) -> None:  # type: ignore[no-untyped-def]
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    device.check_in()


def test_rollout_page_shows_its_course_and_lists_the_devices_of_each_number(photons: Server) -> None:
    devices = [photons.device(number) for number in range(3)]
    for device in devices:
        device.check_in()
    rollout = photons.rollout(2)
    photons.clock.advance_s(600)
    devices[0].update()
    photons.clock.advance_s(600)
    revert(devices[1])
    devices[2].check_in()
    path = f"{HOME}/rollouts/{rollout}"
    page = sign_in(photons).get(path).text
    points = list(zip(*(cells(page, name) for name in ("Confirmed", "Pending", "Failed", "Reverted")), strict=True))
    course = [point for point in points if point[0] != "–"]
    assert course[0] == ("0", "0", "0", "0")
    assert ("1", "0", "0", "0") in course
    assert course[-1] == ("1", "1", "0", "1")
    assert "The mark: this stage can end at 1,000 confirmed." in page
    lists = {}
    for state in ("confirmed", "offered", "reverted", "failed", "retrying"):
        listed = photons.client.get(f"{path}/devices?state={state}").text
        lists[state] = [number for number, device in enumerate(devices) if device.device_id.hex() in listed]
    assert lists == {"confirmed": [0], "offered": [2], "reverted": [1], "failed": [], "retrying": []}
    by_reason = photons.client.get(f"{path}/devices?reason=reverted.1").text
    assert "the watchdog reset its trial" in by_reason
    assert devices[1].device_id.hex() in by_reason
    for wrong in ("state=waiting", "state=x", "reason=reverted.x", "reason=none.1", "reason=reverted.99999999999"):
        assert photons.client.get(f"{path}/devices?{wrong}").status_code == 404
    photons.check_counts(rollout)


def test_devices_of_a_number_come_in_pages(photons: Server) -> None:
    devices = [photons.device(number) for number in range(52)]
    for device in devices:
        device.check_in()
    rollout = photons.rollout(2)
    for device in devices:
        device.check_in()
    path = f"{HOME}/rollouts/{rollout}/devices?state=offered"
    first = sign_in(photons).get(path).text
    older = re.search(r'<a href="(\?[^"]*after=[^"]*)">Older', first)
    assert older is not None
    second = photons.client.get(f"{HOME}/rollouts/{rollout}/devices{older.group(1).replace('&amp;', '&')}").text
    assert [len(cells(page, "Device")) for page in (first, second)] == [50, 2]
    assert set(cells(first, "Device")) | set(cells(second, "Device")) == {one.device_id.hex() for one in devices}


def test_rollout_is_aborted_after_a_page_that_asks(photons: Server) -> None:
    rollout = photons.rollout(2)
    path = f"{HOME}/rollouts/{rollout}"
    page = sign_in(photons).get(f"{path}/abort").text
    assert "An aborted rollout cannot be resumed." in page
    shown = photons.client.post(f"{path}/abort", data={"form_token": form_token(page)}).text
    assert "Aborted by ana@example.com" in shown
    assert "there is nothing to abort" in photons.client.get(f"{path}/abort").text


def test_going_back_says_first_who_can(photons: Server) -> None:
    devices = [photons.device(number) for number in range(2)]
    for device in devices:
        device.check_in()
    rollout = photons.rollout(2)
    for device in devices:
        device.update()
    photons.api("PUT", f"/products/thermostat/devices/{devices[1].device_id.hex()}", json={"development": True})
    path = f"{HOME}/rollouts/{rollout}/roll-back"
    page = sign_in(photons).get(path).text
    assert "1 device can go back to version 1" in page
    assert "for development: nothing is offered automatically." in page
    token = form_token(page)
    for wrong in ("2", "x", ""):
        refused = photons.client.post(path, data={"form_token": token, "version": wrong})
        assert refused.status_code == 400
        assert 'class="error"' in refused.text
    made = photons.client.post(path, data={"form_token": token, "version": "1"})
    assert "Back from version 2 to 1" in made.text
    assert photons.show(rollout)["rollout"]["status"] == "aborted"


def test_list_shows_what_runs_above_what_has_ended(photons: Server) -> None:
    numbers = [photons.rollout(2, start=number != 1) for number in range(3)]
    photons.api("POST", f"/products/thermostat/rollouts/{numbers[0]}/abort")
    page = sign_in(photons).get(f"{HOME}/rollouts").text
    assert "1 of 3 rollouts running" in page
    places = [page.index(f'{HOME}/rollouts/{number}"') for number in (numbers[2], numbers[1], numbers[0])]
    assert places == sorted(places)
