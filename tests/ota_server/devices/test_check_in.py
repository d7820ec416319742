# SPDX-License-Identifier: Apache-2.0
"""Check-ins that are taken together: each is counted once, and none pays for another."""

from __future__ import annotations

import pytest

from muster.protocol import LogLevel, LogLine, LogReport, Report, SealedMessage, SessionRefused, open_answer
from ota_server.devices.check_in import CheckedIn
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

pytestmark = pytest.mark.both_databases


def sealed(device: SimulatedDevice, **report: object) -> SealedMessage:
    """The next message of a device, which is not sent."""
    return SealedMessage.from_bytes(device.session.seal(device.state, Report(**report)))  # type: ignore[arg-type]


def take(server: Server, *messages: SealedMessage) -> list[CheckedIn | Exception | None]:
    items = [(message, server.clock.now_ms()) for message in messages]
    check_ins = server.services.check_ins
    return server.services.database.write(lambda connection: check_ins.take_together(connection, items))


def in_session(server: Server, number: int) -> SimulatedDevice:
    device = server.device(number)
    device.check_in()
    device.check_in()
    return device


def test_each_has_its_own_facts_and_answer(stocked: Server) -> None:
    devices = [in_session(stocked, number) for number in range(3)]
    stocked.clock.advance_s(300)
    messages = [sealed(device, uptime_s=100 + number, health={1: number}) for number, device in enumerate(devices)]
    outcomes = take(stocked, *messages)
    for number, (device, outcome) in enumerate(zip(devices, outcomes, strict=True)):
        assert isinstance(outcome, CheckedIn)
        session = device.session.keys
        assert session is not None
        assert open_answer(session.session_id, session.key, device.session.counter, outcome.sealed()).offer is None
        seen = stocked.seen(device)
        assert (seen["uptime_s"], seen["online"]) == (100 + number, True)
    assert all(isinstance(outcome, SessionRefused) for outcome in take(stocked, *messages)), "each only once"


def test_bad_ones_are_refused_and_others_counted(stocked: Server) -> None:
    good, cut, late = (in_session(stocked, number) for number in range(3))
    replayed = sealed(late, uptime_s=1)
    assert isinstance(take(stocked, replayed)[0], CheckedIn)
    broken = sealed(cut, uptime_s=2)
    broken = SealedMessage(broken.session_id, broken.counter, bytes(len(broken.ciphertext)))
    strange = SealedMessage(bytes(8), 1, bytes(20))
    outcomes = take(stocked, broken, sealed(good, uptime_s=3), replayed, strange)
    assert [type(outcome) for outcome in outcomes[:3:2]] != [CheckedIn, CheckedIn]
    assert isinstance(outcomes[0], SessionRefused)
    assert isinstance(outcomes[1], CheckedIn)
    assert isinstance(outcomes[2], SessionRefused)
    assert outcomes[3] is None
    assert stocked.seen(good)["uptime_s"] == 3


def test_what_builds_on_another_message_is_left_for_afterwards(stocked: Server) -> None:
    twice, telling, new = in_session(stocked, 1), in_session(stocked, 2), stocked.device(3)
    new.open()
    logs = LogReport(7, (LogLine(LogLevel.INFO, 0, "hello"),))
    outcomes = take(
        stocked, sealed(twice, uptime_s=1), sealed(twice, uptime_s=2), sealed(telling, logs=logs), sealed(new)
    )
    assert isinstance(outcomes[0], CheckedIn)
    assert outcomes[1:] == [None, None, None]
    assert stocked.seen(twice)["uptime_s"] == 1


def test_rollout_reaches_devices_that_come_together(stocked: Server) -> None:
    devices = [in_session(stocked, number) for number in range(3)]
    number = stocked.rollout(2)
    for device in devices:
        device.check_in()
    stocked.services.jobs.patcher.work_off()
    outcomes = take(stocked, *(sealed(device, uptime_s=5) for device in devices))
    for outcome in outcomes:
        assert isinstance(outcome, CheckedIn)
        assert outcome.answer.offer is not None
        assert outcome.answer.offer.identity == keys.image(2).identity[:16]
    assert stocked.show(number)["rollout"]["progress"]["offered"] == 3
