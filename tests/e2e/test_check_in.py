# SPDX-License-Identifier: Apache-2.0
"""Sessions and check-ins of the real firmware, with a server at the other end of its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from muster.delta import encode_full
from muster.device.bootlog import RecordType
from muster.device.record_store import Owner, RecordStore, StoreRecord
from muster.emulator import CutMode
from muster.keystore import ONLINE, ROOT_THRESHOLD, ROOTS, KeyStore
from muster.layout import IDENTITY_ADDR, SECTOR_ADDRS, SECTOR_SIZES, STORE_SECTORS
from muster.protocol import (
    Answer,
    Call,
    CallResult,
    DeviceState,
    LogLevel,
    OutcomeType,
    Read,
    Reading,
    Report,
    Variable,
    VariableType,
    seal_answer,
)
from muster.serial import UpdateState
from muster.serial.messages import CheckIn, CheckInAnswer, Claim, Data, Message, Open, OpenAnswer
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet
from muster.signing.signer import KeySigner
from tests.e2e.board import NEWER, SOUND, Victim
from tests.e2e.gateway import OK, Served
from tests.muster.protocol.server_model import STATE_NAMES

ROUTINE_UP_MAX = 96
ROUTINE_DOWN_MAX = 64
TIMEOUT_S = 5.0

STRANGER = KeySigner(PrivateKey(b"a key that no key set holds....."))
NEXT_ONLINE = KeySigner(PrivateKey(b"the next online key............."))


@pytest.fixture
def served(victim: Victim, key_store: KeyStore) -> Iterator[Served]:
    """Off; version 1 is in slot A."""
    with Served(victim, key_store.signer(ONLINE)) as served:
        yield served


@pytest.fixture
def in_session(served: Served) -> Served:
    """It has checked in twice."""
    served.wait_for_reports(2)
    return served


def state_of(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in STATE_NAMES}


# What is said


def test_first_report_is_complete(served: Served) -> None:
    (report,) = served.wait_for_reports(1)
    assert state_of(report) == {
        "identity": served.base.identity[:8],
        "product_version": SOUND,
        "slot": 0,
        "hardware_revision": 1,
        "security_counter": 0,
        "boot_state": 0,
        "bootloader_version": 1,
        "keyset_version": 1,
        "interval_s": 60,
    }
    assert set(state_of(report)) == set(DeviceState.__slots__)
    assert report.boots == 1
    assert report.uptime_s == 1
    assert report.health is not None
    assert report.health.pop(1) > 2048, "free stack"
    assert report.health == {2: 0, 3: 0, 4: 0, 5: 0}
    assert (report.update, report.logs, report.crash, report.results, report.hold_s) == (None, None, None, (), None)


def test_outcome_is_told_until_it_is_acknowledged(served: Served) -> None:
    """The factory's CONFIRMED record is one."""
    served.server.say = {"outcome_acknowledged": 12345}
    first, second, third = served.wait_for_reports(3)
    assert first.outcome is not None
    assert (first.outcome.attempt, first.outcome.type) == (0, OutcomeType.CONFIRMED)
    assert second.outcome == first.outcome
    assert third.outcome is None
    assert [kind for kind, _ in served.board.history()] == [RecordType.REPORTED]


def test_routine_check_in_is_small(in_session: Served) -> None:
    in_session.wait_for_reports(5)
    up = [len(message.message) for message in in_session.gateway.check_ins]
    down = [len(message.answer) for message in in_session.gateway.answered if isinstance(message, CheckInAnswer)]
    opening, opened = in_session.gateway.openings[0], in_session.gateway.answered[0]
    print(f"opening {len(opening.message)} up, {len(opened.answer)} down")
    print(f"first check-in {up[0]} up, {down[0]} down; routine {max(up[2:])} up, {max(down[2:])} down")
    assert max(up[2:]) <= ROUTINE_UP_MAX
    assert max(down[2:]) <= ROUTINE_DOWN_MAX
    assert len(in_session.gateway.openings) == 1
    assert all(set(state_of(report).values()) == {None} for report in in_session.server.reports[2:])


def test_changed_state_is_told_until_it_is_answered(in_session: Served) -> None:
    in_session.server.say = {"next_s": 7}
    in_session.wait_for_reports(1)
    lost: list[Message] = []

    def lose_first(message: Message) -> list[Message]:
        if lost:
            return [message]
        lost.append(message)
        return []

    in_session.gateway.tamper = lose_first
    first, second, third = in_session.wait_for_reports(3)
    assert (first.interval_s, second.interval_s, third.interval_s) == (7, 7, 10)
    assert isinstance(lost[0], CheckInAnswer)


def test_check_ins_keep_the_interval_that_the_server_says(in_session: Served) -> None:
    in_session.server.next_s = 3
    in_session.wait_for_reports(4)
    times = [time for time, _ in in_session.gateway.sent][-3:]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [3, 3]
    in_session.server.say = {"next_s": 0}
    in_session.wait_for_reports(2)
    times = [time for time, _ in in_session.gateway.sent][-2:]
    assert times[1] - times[0] < 0.5


def test_call_is_done_once_and_its_result_told_until_acknowledged(in_session: Served) -> None:
    calls = (Call(900, "fail", "sound"), Call(901, "nobody", ""))
    in_session.server.say = {"calls": calls}
    in_session.wait_for_reports(1)
    in_session.server.say = {"calls": calls, "results_acknowledged": ()}
    first, second, third = in_session.wait_for_reports(3, timeout=20.0)
    results = (CallResult(900, 0), CallResult(901, -42))
    assert (first.results, second.results, third.results) == (results, results, ())


def test_functions_and_variables_are_told_until_a_sessions_first_answer(served: Served) -> None:
    served.gateway.tamper = lambda message: [] if len(served.server.reports) == 1 else [message]
    first, second, third = served.wait_for_reports(3)
    assert first.functions == second.functions == ("fail", "say", "say_later", "put_off")
    assert first.variables == second.variables
    assert first.variables == (
        Variable("said", VariableType.INT),
        Variable("half", VariableType.DOUBLE),
        Variable("last", VariableType.TEXT),
        Variable("loud", VariableType.BOOL),
    )
    assert (third.functions, third.variables) == ((), ())


def test_variables_are_read_and_told_once(in_session: Served) -> None:
    in_session.server.say = {"calls": (Call(1, "say", "hello!"),)}
    in_session.wait_for_reports(2)
    in_session.server.say = {"reads": (Read(2, "said"), Read(3, "half"))}
    in_session.wait_for_reports(1)
    in_session.server.say = {"reads": (Read(4, "last"), Read(5, "loud"))}
    first, second = in_session.wait_for_reports(2)
    assert first.readings == (Reading(2, 1), Reading(3, 0.5))
    assert second.readings == (Reading(4, "hello!"), Reading(5, 1))
    in_session.server.say = {"reads": (Read(6, "nobody"), Read(7, "said"))}
    in_session.wait_for_reports(1)
    after, silent = in_session.wait_for_reports(2)
    assert after.readings == (Reading(7, 1),)
    assert silent.readings == ()


def test_event_is_told_soon_and_until_it_is_acknowledged(in_session: Served) -> None:
    in_session.server.say = {"calls": (Call(1, "say", "caf\u00e9"),), "next_s": 3600}
    in_session.wait_for_reports(1)
    in_session.server.say = {"acknowledged": (), "results_acknowledged": (1,), "next_s": 1}
    first, second, third = in_session.wait_for_reports(3)
    assert first.events is not None
    assert second.events is not None
    assert [(event.name, event.data) for event in first.events.events] == [("said", "caf\u00e9")]
    assert second.events.report_id == first.events.report_id
    assert second.events.events[0].age_ms > first.events.events[0].age_ms
    assert third.events is None


def test_event_does_not_wait_for_the_end_of_a_hold(in_session: Served) -> None:
    in_session.server.next_s = 1
    in_session.server.say = {"settings": {2: 25}}
    in_session.wait_for_reports(2)
    in_session.server.say = {"calls": (Call(1, "say_later", ""),)}
    in_session.wait_for_reports(1)
    in_session.wait_for_reports(1)  # with the result
    in_session.gateway.is_silent = True
    before = len(in_session.gateway.sent)
    in_session.wait(lambda: len(in_session.gateway.sent) == before + 2)
    (held_at, _), (told_at, _) = in_session.gateway.sent[-2:]
    assert told_at - held_at < 5
    in_session.gateway.is_silent = False
    (report,) = in_session.wait_for_reports(1, timeout=60.0)
    assert report.events is not None
    assert [event.data for event in report.events.events] == ["later"]


def test_settings_outlive_a_loss_of_power(in_session: Served) -> None:
    in_session.server.say = {"settings": {2: 20, 9: "long\u00e9" * 40, 10: -5, 240: 1}}
    in_session.wait_for_reports(1)
    assert in_session.wait_for_reports(1)[0].hold_s == 20
    writes = in_session.device.counters.programs
    in_session.server.say = {"settings": {2: 20, 10: -5}}
    in_session.wait_for_reports(1)
    in_session.device.run(0.1)
    assert in_session.device.counters.programs == writes, "what is stored already is not written again"
    in_session.device.power_off()
    (report,) = in_session.wait_for_reports(1)
    assert report.hold_s == 20
    values = {record.key: record.value for record in records(in_session) if record.owner == Owner.SETTINGS}
    assert values[9] == b"\x01" + ("long\u00e9" * 40).encode()
    assert values[10] == b"\x00" + (-5).to_bytes(4, "little", signed=True)
    assert len(values[240]) == 8, "no setting: the agent's own"


def test_claim_code_is_told_until_the_server_has_taken_it(in_session: Served) -> None:
    code = "!~" + "c" * 61
    in_session.gateway.tamper = lambda message: [message, Claim(code)]
    in_session.wait_for_reports(1)
    in_session.gateway.tamper = lambda message: [message]
    assert in_session.wait_for_reports(1)[0].claim_code == code
    in_session.device.power_off()
    assert in_session.wait_for_reports(1)[0].claim_code == code
    in_session.server.say = {"is_claim_taken": True}
    in_session.wait_for_reports(1)
    assert in_session.wait_for_reports(1)[0].claim_code is None
    in_session.device.power_off()
    assert in_session.wait_for_reports(1)[0].claim_code is None


def records(served: Served) -> list[StoreRecord]:
    first, second = (served.device.flash_bytes(SECTOR_ADDRS[n], SECTOR_SIZES[n]) for n in STORE_SECTORS)
    return list(RecordStore.from_sectors(first, second).records)


def test_crash_is_told_until_it_is_acknowledged(in_session: Served) -> None:
    for number, failure in enumerate(("undefined", "hang")):
        in_session.server.say = {"calls": (Call(number, "fail", failure),)}
        in_session.wait_for_reports(2)  # the second one with the result
        in_session.server.say = {"acknowledged": ()}
        first, second, third = in_session.wait_for_reports(3)
        assert first.crash is not None
        assert first.crash == second.crash
        assert third.crash is None
        assert first.crash.identity == in_session.base.identity[:8]
        assert first.crash.reason == (0x203, 0x100)[number]
        assert (first.crash.pc != 0) is (number == 0)
        assert first.crash.uptime_s >= 1
        assert first.boots == number + 2
        assert first.health is not None
        assert first.health[4] == number + 1, "resets that nobody asked for"
    assert [record for record in records(in_session) if record.owner == Owner.CRASH and record.value] == []
    told = [report.crash.report_id for report in in_session.server.reports if report.crash]
    assert len(set(told)) == 2


def test_warnings_are_told_under_one_report_id_until_acknowledged(in_session: Served) -> None:
    in_session.server.say = {"settings": {300: 1}, "next_s": 5}
    in_session.wait_for_reports(1)
    in_session.server.say = {"acknowledged": (), "settings": {301: 1}}
    first, second, third, fourth = in_session.wait_for_reports(4)
    assert first.logs is not None
    assert second.logs is not None
    assert third.logs is not None
    assert [line.text for line in first.logs.lines] == ["setting 300 not stored, status -42"]
    assert first.logs.lines[0].level is LogLevel.WARNING
    assert second.logs.report_id == first.logs.report_id
    assert [line.text for line in second.logs.lines] == [line.text for line in first.logs.lines]
    assert second.logs.lines[0].age_ms > first.logs.lines[0].age_ms
    assert third.logs.report_id != first.logs.report_id
    assert [line.text for line in third.logs.lines] == ["setting 301 not stored, status -42"]
    assert fourth.logs is None


# Sessions


def test_refused_session_is_opened_anew(in_session: Served) -> None:
    in_session.server.forget()
    (report,) = in_session.wait_for_reports(1, timeout=15.0)
    assert None not in state_of(report).values(), "the first report of a session tells everything"
    assert len(in_session.gateway.openings) == 2
    times = [time for time, _ in in_session.gateway.sent][-3:]
    assert times[2] - times[0] < 1.0, "at once"


def test_session_that_is_refused_at_first_backs_off(served: Served) -> None:
    served.gateway.tamper = lambda message: (
        [replace(message, http_status=401, answer=b"")] if isinstance(message, CheckInAnswer) else [message]
    )
    served.wait(lambda: len(served.gateway.check_ins) == 4)
    opened = [time for time, message in served.gateway.sent if isinstance(message, Open)]
    gaps = [later - earlier for earlier, later in pairwise(opened)]
    assert all(pause <= gap <= pause * 1.25 + 0.5 for gap, pause in zip(gaps, (5, 10, 20), strict=True))


def test_busy_server_says_how_long_to_wait_and_cannot_send_a_device_away(served: Served) -> None:
    bodies = iter([b"\x18\x1e", b"\x04", b"\x19\x0e\x11", b"<html>", b"\x18\x1e\x00"])
    served.gateway.tamper = lambda message: (
        [replace(message, http_status=503, answer=next(bodies))] if isinstance(message, OpenAnswer) else [message]
    )
    served.wait(lambda: len(served.gateway.openings) == 3, 60.0)
    first, second, third = (time for time, _ in served.gateway.sent)
    assert 30 <= second - first <= 31.5, "what it asks for"
    assert 10 <= third - second <= 10 * 1.25 + 0.5, "not less than five seconds: its own back-off"
    served.wait(lambda: len(served.gateway.openings) == 4, 60.0)
    assert 20 <= served.gateway.sent[3][0] - third <= 20 * 1.25 + 0.5, "not more than an hour"


def test_answers_that_are_not_for_the_last_message_change_nothing(in_session: Served) -> None:
    server, gateway = in_session.server, in_session.gateway
    before = [answer for answer in gateway.answered if isinstance(answer, CheckInAnswer)][-1]

    def harmful(message: Message) -> list[Message]:
        if not isinstance(message, CheckInAnswer):
            return [message]
        keys = server.current
        assert keys is not None
        altered = bytearray(message.answer)
        altered[-1] ^= 1
        stop = Answer(next_s=3600)
        later = seal_answer(keys.session_id, keys.key, server.last_counter + 1, stop)
        foreign = seal_answer(keys.session_id, bytes(32), server.last_counter, stop)
        return [
            replace(message, answer=before.answer),  # of the message before
            before,
            replace(message, exchange=message.exchange ^ 1, http_status=401),
            replace(message, answer=bytes(altered)),
            replace(message, answer=later),
            replace(message, answer=foreign),
            replace(message, answer=b""),
            replace(message, answer=bytes(1008)),
            OpenAnswer(message.exchange, OK, message.answer),
            message,
            message,  # twice
        ]

    gateway.tamper = harmful
    reports = in_session.wait_for_reports(3)
    assert all(report.interval_s is None for report in reports[1:]), "nobody made it sleep for an hour"
    assert len(gateway.openings) == 1
    times = [time for time, message in gateway.sent if isinstance(message, CheckIn)][-3:]
    assert [round(later - earlier) for earlier, later in pairwise(times)] == [10, 10]


def test_altered_opening_answers_are_refused_and_the_true_one_taken(served: Served) -> None:
    def altered_first(message: Message) -> list[Message]:
        if not isinstance(message, OpenAnswer):
            return [message]
        wrong = [bytearray(message.answer) for _ in range(4)]
        for at, raw in zip((20, 60, 100, len(message.answer) - 2), wrong, strict=True):
            raw[at] ^= 0x40
        return [*(replace(message, answer=bytes(raw)) for raw in wrong), replace(message, answer=b"\x82"), message]

    served.gateway.tamper = altered_first
    served.wait_for_reports(1, timeout=3.0)
    assert len(served.gateway.openings) == 1


def test_replayed_opening_answer_is_refused(in_session: Served) -> None:
    """The answer to the opening before this start."""
    old = next(answer for answer in in_session.gateway.answered if isinstance(answer, OpenAnswer))
    in_session.gateway.tamper = lambda message: (
        [replace(message, answer=old.answer)] if isinstance(message, OpenAnswer) else [message]
    )
    in_session.device.power_off()
    in_session.wait(lambda: len(in_session.gateway.openings) == 3)
    assert len(in_session.server.reports) == 2
    in_session.gateway.tamper = lambda message: [message]
    in_session.wait_for_reports(1)


def test_server_with_a_wrong_online_key_gets_no_report(served: Served) -> None:
    right, served.server.signer = served.server.signer, STRANGER
    served.wait(lambda: len(served.gateway.openings) == 3)
    assert served.gateway.check_ins == []
    served.server.signer = right
    served.wait_for_reports(1)


# No server


def test_silent_server_is_asked_less_and_less(served: Served) -> None:
    served.gateway.is_silent = True
    served.wait(lambda: len(served.gateway.openings) == 5, 200.0)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(served.gateway.sent)]
    for gap, pause in zip(gaps, (5, 10, 20, 40), strict=True):
        assert TIMEOUT_S + pause - 0.1 <= gap <= TIMEOUT_S + pause * 1.25 + 0.5
    assert len({message.message for message in served.gateway.openings}) == 5, "each is a new one"
    served.gateway.is_silent = False
    served.wait_for_reports(1, timeout=120.0)


def test_silence_in_a_session_is_asked_again_with_new_counters(in_session: Served) -> None:
    in_session.gateway.is_silent = True
    before = len(in_session.gateway.check_ins)
    in_session.wait(lambda: len(in_session.gateway.check_ins) == before + 3)
    messages = [message.message for message in in_session.gateway.check_ins[before:]]
    assert len(set(messages)) == 3
    in_session.gateway.is_silent = False
    in_session.wait_for_reports(1)
    assert len(in_session.gateway.openings) == 1
    in_session.gateway.is_silent = True
    before = len(in_session.gateway.sent)
    in_session.wait(lambda: len(in_session.gateway.sent) == before + 2)
    (first, _), (second, _) = in_session.gateway.sent[-2:]
    assert second - first <= TIMEOUT_S + 5 * 1.25 + 0.5, "an answer ends the back-off"


def test_unreachable_server_is_not_waited_for(served: Served) -> None:
    served.gateway.is_server_there = False
    served.wait(lambda: len(served.gateway.openings) == 3)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(served.gateway.sent)]
    assert all(pause <= gap <= pause * 1.25 + 0.5 for gap, pause in zip(gaps, (5, 10), strict=True))


def test_device_without_identity_page_or_key_set_is_silent(served: Served) -> None:
    board = served.board
    page = served.device.flash_bytes(IDENTITY_ADDR, 1024)
    served.device.write_memory(IDENTITY_ADDR, b"\xff" * 1024)
    assert board.boot().identity == served.base.identity
    served.device.run(20.0)
    assert served.gateway.sent == []
    served.device.write_memory(IDENTITY_ADDR, page)
    board.write_log([], list(board.log.records[:1]))
    assert board.power_cycle().keyset_version == 0
    served.device.run(20.0)
    assert served.gateway.sent == []


def test_local_update_has_the_line_for_itself(in_session: Served, victim: Victim) -> None:
    image = victim.image(NEWER)
    patch = encode_full(image.raw)
    in_session.server.next_s = 1
    in_session.wait_for_reports(2)
    board = in_session.board
    in_session.gateway.tamper = lambda message: [] if isinstance(message, Data) else [message]
    during: list[int] = []
    host = board.update(
        board.offer(image, patch),
        patch,
        on_progress=lambda progress: (
            during.append(len(in_session.gateway.sent)) if progress.state is UpdateState.SENDING else None
        ),
    )
    assert host.state is UpdateState.CONFIRMED
    assert len(during) > 10
    assert len(set(during[1:])) == 1, "no check-in while the patch comes"
    in_session.wait(lambda: in_session.server.state.get("identity") == image.identity[:8])


# Key sets


def keyset(key_store: KeyStore, version: int, *online: KeySigner) -> KeySet:
    content = key_store.keyset().content
    keys = tuple(sorted((key.public_key for key in online), key=lambda key: key.raw))
    content = replace(content, version=version, online_keys=keys)
    return KeySet.signed(content, [key_store.signer(name) for name in ROOTS[:ROOT_THRESHOLD]])


def test_device_that_slept_through_a_rotation_finds_its_way(served: Served, key_store: KeyStore) -> None:
    """Six sets, three at once; only the last one has the server's key."""
    sets = [keyset(key_store, version, STRANGER) for version in range(2, 6)] + [keyset(key_store, 6, NEXT_ONLINE)]
    served.server.chain = tuple(served.gateway.reference(one) for one in sets)
    served.server.signer = NEXT_ONLINE
    (report,) = served.wait_for_reports(1, timeout=4.0)
    assert report.keyset_version == 6
    assert len(served.gateway.openings) == 2
    assert len(served.gateway.fetched) == 5
    assert served.board.log.keyset is not None
    assert served.board.log.keyset.content.version == 6


def test_online_key_before_counts_until_the_new_one_has_opened_a_session(
    in_session: Served, key_store: KeyStore
) -> None:
    old, server = in_session.server.signer, in_session.server
    server.chain = (in_session.gateway.reference(keyset(key_store, 2, NEXT_ONLINE)),)
    server.say = {"keysets": server.chain}
    in_session.wait_for_reports(1)
    (report,) = in_session.wait_for_reports(1, timeout=2.0)
    assert report.keyset_version == 2, "told at once"
    in_session.device.power_off()
    in_session.wait_for_reports(1)
    server.signer = NEXT_ONLINE
    in_session.device.power_off()
    in_session.wait_for_reports(1)
    server.signer = old
    in_session.device.power_off()
    before = len(server.reports)
    in_session.wait(lambda: in_session.gateway.text.endswith(b"no answer\r\n"))
    assert len(server.reports) == before
    server.signer = NEXT_ONLINE
    in_session.wait_for_reports(1)


@pytest.mark.parametrize("mode", [CutMode.CLEAN, CutMode.TORN], ids=["clean", "torn"])
def test_power_cut_while_key_sets_are_stored_is_recovered_from(
    served: Served, key_store: KeyStore, mode: CutMode
) -> None:
    """Three sets: for the second one the boot log is compacted."""
    sets = [keyset(key_store, version, NEXT_ONLINE) for version in (2, 3, 4)]
    chain = tuple(served.gateway.reference(one) for one in sets)
    stored = dict(served.gateway.stored)
    operations = 0
    for part in range(6):
        served.server.chain, served.server.signer = chain, NEXT_ONLINE
        served.gateway.stored.update(stored)
        served.device.power_on()
        if part:
            served.device.cut_power_at_flash_operation(part * operations // 6, mode)
            served.device.run_until(lambda: not served.device.powered, 20.0)
            assert not served.device.powered
        (report,) = served.wait_for_reports(1)
        assert report.keyset_version == 4
        operations = operations or served.device.counters.flash_operations
        served.device.power_off()
        served.reset()
    assert operations > 500


@pytest.mark.parametrize("spoil", ["altered", "by other roots", "missing"])
def test_key_set_that_no_root_signed_is_refused(served: Served, key_store: KeyStore, spoil: str) -> None:
    true = keyset(key_store, 2, NEXT_ONLINE)
    forged = {
        "altered": true,
        "missing": true,
        "by other roots": KeySet.signed(true.content, [STRANGER, NEXT_ONLINE]),
    }[spoil]
    served.server.signer = NEXT_ONLINE
    served.server.chain = (served.gateway.reference(forged),)
    digest = served.server.chain[0].digest
    if spoil == "missing":
        del served.gateway.stored[digest]
    if spoil == "altered":
        served.gateway.tamper = lambda message: (
            [replace(message, content=message.content[:-1] + b"?")] if isinstance(message, Data) else [message]
        )
    served.wait(lambda: len(served.gateway.openings) == 2)
    assert served.gateway.check_ins == []
    assert served.board.log.keyset is not None
    assert served.board.log.keyset.content.version == 1
    served.gateway.tamper = lambda message: [message]
    served.server.chain = (served.gateway.reference(true),)
    (report,) = served.wait_for_reports(1)
    assert report.keyset_version == 2
