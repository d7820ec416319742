# SPDX-License-Identifier: Apache-2.0
"""Simulated fleets speak the protocol of devices to a real server."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from muster.errors import ValueOutOfRange
from muster.fleet.fleet import OPEN, Fleet, Model, Running
from muster.fleet.load import Address, Course, Load
from muster.fleet.traits import Mix
from ota_server.clock import SystemClock
from tests.ota_server import keys
from tests.ota_server.conftest import Server, listen_app, make_settings

COUNT = 12
OLD = Running(keys.image(1).identity[:8], 1)


def model(**mix: float) -> Model:
    return Model("fleet", COUNT, keys.PRODUCT, keys.PHOTON, (OLD,), Mix(**mix))


def say(server: Server, fleet: Fleet, number: int) -> None:
    """One message of a device."""
    tally = fleet.tally
    randomness = hashlib.sha512(f"{number} {tally.openings} {tally.check_ins}".encode()).digest()[:48]
    request = fleet.next_request(number, tally.check_ins, randomness)
    status, body = server.post(request.path, request.body)
    if status == 401:
        tally.refused[status] += 1
        fleet.refused(number)
    elif request.path == OPEN:
        assert status == 200
        tally.openings += 1
        fleet.take_opened(number, request, body)
    else:
        assert status == 200
        tally.check_ins += 1
        fleet.take(number, body)


def test_fleet_updates_with_failures_and_crashes(stocked: Server) -> None:
    fleet = Fleet(model(failures=0.3, crashes=0.5))
    tally = fleet.tally
    for _ in range(3):
        for number in range(COUNT):
            say(stocked, fleet, number)
    rollout = stocked.rollout(2)
    for turn in range(16):
        for number in range(COUNT):
            say(stocked, fleet, number)
        if turn == 1:
            stocked.services.jobs.patcher.work_off()
    assert tally.refused.total() == 0
    assert tally.confirmed + tally.reverted == tally.offers == COUNT
    assert tally.confirmed > tally.crashes > 0
    assert tally.reverted > 0
    progress = stocked.show(rollout)["rollout"]["progress"]
    assert (progress["confirmed"], progress["reverted"]) == (tally.confirmed, tally.reverted)
    versions = [fleet.version(number) for number in range(COUNT)]
    assert (versions.count(2), versions.count(1)) == (tally.confirmed, tally.reverted)


def test_device_whose_session_was_dropped_opens_another(stocked: Server) -> None:
    fleet = Fleet(model())
    tally = fleet.tally
    for _ in range(3):
        say(stocked, fleet, 0)
    stocked.services.database.write(lambda c: c.exec_driver_sql("UPDATE devices SET session_id = NULL"))
    for _ in range(3):
        say(stocked, fleet, 0)
    assert (tally.openings, tally.check_ins, tally.refused[401]) == (2, 3, 1)


def test_load_on_a_listening_server(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "server")
    with listen_app(settings, SystemClock()) as (_, url):
        fleet = Fleet(model())
        course = Course(60, connections=3, is_flat_out=True, rounds=2)
        asyncio.run(Load(fleet, Address.from_url(url), course, 0.0).run())
    assert fleet.tally.refused[401] == 2 * COUNT, "there is no such product"
    assert fleet.tally.lost == 0


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://example.com", "https://127.0.0.1", "127.0.0.1", "x"])
def test_load_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(ValueOutOfRange):
        Address.from_url(url)
