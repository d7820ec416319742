# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.protocol import (
    CallResult,
    Crash,
    DeviceIdentity,
    DeviceState,
    Event,
    EventReport,
    LogLevel,
    LogLine,
    LogReport,
    Outcome,
    OutcomeType,
    Report,
    StateMemory,
    UpdateProgress,
)
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.firmware.core.session_device import Refused, ReportStruct, SessionDevice
from tests.muster.protocol.strategies import FACTS, STATES
from tests.vectors.fixed import key
from tests.vectors.protocol.generate import STATE
from tests.vectors.reading import Case, cases


def device(machine: Machine) -> SessionDevice:
    return SessionDevice(machine, DeviceIdentity(bytes(12), key("device-1"), 1, 6))


def answered(device_: SessionDevice, state: DeviceState) -> SessionDevice:
    """The device after its server has answered a report of this state."""
    device_.write(ReportStruct(device_.machine, state, Report()))
    device_.machine.lib.ota_report_memory_take_answer(device_.memory)
    return device_


@pytest.mark.parametrize(
    "found",
    [found for found in cases("protocol/reports.json") if found["status"] == 0 and found["name"] != "unknown_keys"],
    ids=lambda found: found["name"],
)
def test_golden_vectors(machine: Machine, found: Case) -> None:
    report = Report.from_bytes(bytes.fromhex(found["plaintext"]))
    said: dict[str, Any] = {item.name: getattr(report, item.name) for item in dataclasses.fields(DeviceState)}
    present = {name: value for name, value in said.items() if value is not None}
    if len(present) == 9:
        made = device(machine).write(ReportStruct(machine, DeviceState(**said), report))
    else:
        # The server knows a state that differs in just the keys that the report says.
        now = dataclasses.replace(STATE, **present)
        known = dataclasses.replace(now, **{name: other(getattr(now, name)) for name in present})
        made = answered(device(machine), known).write(ReportStruct(machine, now, report))
    assert made.hex() == found["plaintext"]


def other(value: object) -> Any:
    return bytes(8) if isinstance(value, bytes) else 1 if value == 0 else 0


@settings(max_examples=100)
@given(state=STATES, facts=FACTS)
def test_report_reads_as_what_was_meant(machine: Machine, state: DeviceState, facts: Report) -> None:
    made = device(machine).write(ReportStruct(machine, state, facts))
    meant = dataclasses.replace(facts, **{item.name: getattr(state, item.name) for item in dataclasses.fields(state)})
    assert Report.from_bytes(made) == meant
    assert made == meant.to_bytes()


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "interval_s": st.integers(0, 2),
        "slot": st.integers(0, 1),
        "identity": st.sampled_from([bytes(8), b"identity"]),
    },
)


@settings(max_examples=60)
@given(steps=st.lists(st.tuples(st.booleans(), CHANGES), max_size=12))
def test_state_keys_are_those_the_library_would_send(
    machine: Machine, steps: list[tuple[bool, dict[str, Any]]]
) -> None:
    c_device, memory, state = device(machine), StateMemory(), STATE
    for is_answered, changes in steps:
        state = dataclasses.replace(state, **changes)
        made = c_device.write(ReportStruct(machine, state, Report()))
        assert made == memory.fill(Report(), state).to_bytes()
        if is_answered:
            machine.lib.ota_report_memory_take_answer(c_device.memory)
            memory.take_answer()


@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(DeviceState)])
def test_each_state_key_is_sent_when_it_differs(machine: Machine, name: str) -> None:
    changed = dataclasses.replace(STATE, **{name: other(getattr(STATE, name))})
    made = answered(device(machine), STATE).write(ReportStruct(machine, changed, Report()))
    assert Report.from_bytes(made) == Report(**{name: getattr(changed, name)})


# Good UTF-8 stays; of anything else, every byte above 0x7F becomes a question mark (RFC 3629 section 4).
TEXTS = [
    (b"", b""),
    (b"plain", b"plain"),
    ("20 \u00b0C".encode(), "20 \u00b0C".encode()),
    ("\u0800\uffff\ud7ff\ue000".encode(), "\u0800\uffff\ud7ff\ue000".encode()),
    ("\U00010000\U0010ffff".encode(), "\U00010000\U0010ffff".encode()),
    (b"20 \xb0C", b"20 ?C"),
    (b"cut \xc2", b"cut ?"),
    (b"cut \xe2\x82", b"cut ??"),
    (b"\xc3\xa4 and \xff", b"?? and ?"),
    (b"\xc0\x80", b"??"),
    (b"\xc1\xbf", b"??"),
    (b"\xe0\x9f\xbf", b"???"),
    (b"\xed\xa0\x80", b"???"),
    (b"\xf0\x8f\xbf\xbf", b"????"),
    (b"\xf4\x90\x80\x80", b"????"),
    (b"\xf5\x80\x80\x80", b"????"),
    (b"\x80", b"?"),
    (b"\xe2\x28\xa1", b"?(?"),
]


@pytest.mark.parametrize(("raw", "sent"), TEXTS, ids=[raw.hex() or "empty" for raw, _ in TEXTS])
def test_text_is_made_utf8(machine: Machine, raw: bytes, sent: bytes) -> None:
    assert sent_text(machine, raw) == sent


@settings(max_examples=200)
@given(raw=st.binary(max_size=8))
def test_any_bytes_are_made_utf8_and_utf8_is_kept(machine: Machine, raw: bytes) -> None:
    try:
        raw.decode()
        expected = raw
    except UnicodeDecodeError:
        expected = bytes(byte if byte < 0x80 else ord("?") for byte in raw)
    assert sent_text(machine, raw) == expected


def sent_text(machine: Machine, raw: bytes) -> bytes:
    struct = ReportStruct(machine, STATE, Report())
    line = machine.new("struct ota_report_line[]", [{"level": 1, "age_ms": 0, "text": struct.span(raw)}])
    struct.c.lines, struct.c.line_count = line, 1
    report = Report.from_bytes(device(machine).write(struct))
    assert report.logs is not None
    return report.logs.lines[0].text.encode()


def test_lines_then_events_are_dropped_from_the_end_until_it_fits(machine: Machine) -> None:
    facts = Report(
        uptime_s=1,
        logs=LogReport(1, tuple(LogLine(LogLevel.INFO, number, "x" * 50) for number in range(5))),
        events=EventReport(2, tuple(Event("name", "y" * 50, number) for number in range(3))),
    )
    whole = len(device(machine).write(ReportStruct(machine, STATE, facts)))
    previous = (5, 3)
    smallest = len(device(machine).write(ReportStruct(machine, STATE, Report(uptime_s=1))))
    with pytest.raises(Refused) as caught:
        device(machine).write(ReportStruct(machine, STATE, facts), smallest - 1)
    assert caught.value.status == OtaStatus.ERR_BUFFER
    for size in range(whole, smallest - 1, -1):
        struct = ReportStruct(machine, STATE, facts)
        made = device(machine).write(struct, size)
        left = (struct.c.line_count, struct.c.event_count)
        assert len(made) <= size
        assert left <= previous
        assert left[0] == 0 or left[1] == 3
        report = Report.from_bytes(made)
        assert (len(report.logs.lines) if report.logs else 0, len(report.events.events) if report.events else 0) == left
        previous = left
    assert previous == (0, 0)


def test_longest_facts_fit_beside_the_state(machine: Machine) -> None:
    """What is never dropped must always fit."""
    facts = Report(
        outcome=Outcome(2**32 - 1, OutcomeType.REJECTED, bytes(8), 0xFFFF),
        update=UpdateProgress(2**32 - 1, -(2**31), 2**32 - 1),
        uptime_s=2**32 - 1,
        health={2**32 - 8 + number: -(2**31) for number in range(8)},
        crash=Crash(2**32 - 1, bytes(8), 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1),
        results=tuple(CallResult(2**32 - 1, -(2**31)) for _ in range(8)),
        hold_s=25,
        boots=2**32 - 1,
    )
    state = DeviceState(bytes(8), 0xFFFF, 1, 0xFFFF, 2**32 - 1, 3, 0xFFFF, 2**32 - 1, 2**32 - 1)
    assert len(device(machine).write(ReportStruct(machine, state, facts))) < 400
