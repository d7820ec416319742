# SPDX-License-Identifier: Apache-2.0
"""What a device reports at a check-in (docs/spec/device_protocol.md section 3.1)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from muster.errors import ValueOutOfRange
from muster.protocol import codec, fields
from muster.protocol.codec import (
    U16_MAX,
    check_bytes,
    check_int,
    check_items,
    check_list,
    check_map,
    check_text,
    check_uint,
)
from muster.protocol.fields import Field, Fields, part, parts

IDENTITY_SIZE = 8
TRIALS_MAX = 3
HOLD_MAX = 25
UPDATE_STAGED = 1
NAME_MAX = 64
"""Bytes of the name of a function or variable."""
NAMES_MAX = 32
"""Functions, and variables, that a device tells of."""
VALUE_TEXT_MAX = 622
CLAIM_CODE_SIZE = 63


class OutcomeType(IntEnum):
    """How an attempt ended: the type of its last record in the boot log."""

    CONFIRMED = 3
    REJECTED = 4
    INTERRUPTED = 5


class LogLevel(IntEnum):
    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


class HealthKey(IntEnum):
    """Keys of the health map; a device may send others."""

    FREE_STACK = 1
    LINK_ERRORS = 2
    FLASH_ERRORS = 3
    RESETS = 4
    RESET_CAUSE = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last outcome of the boot log that no answer has acknowledged.

    Attributes:
        attempt: u32.
        identity: first 8 bytes of the image's.
        reason: u16, `enum ota_bootlog_reason`.
    """

    attempt: int
    type: OutcomeType
    identity: bytes
    reason: int

    def __post_init__(self) -> None:
        check_uint(self.attempt, "attempt")
        check_bytes(self.identity, "identity", IDENTITY_SIZE)
        check_uint(self.reason, "reason", U16_MAX)

    def to_value(self) -> list[object]:
        return [self.attempt, int(self.type), self.identity, self.reason]

    @classmethod
    def from_value(cls, value: object) -> Outcome:
        attempt, kind, identity, reason = check_list(value, "outcome", 4)
        check_uint(kind, "outcome type", OutcomeType.INTERRUPTED, OutcomeType.CONFIRMED)
        return cls(attempt, OutcomeType(kind), identity, reason)  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """The attempt that the device is at work on.

    Attributes:
        attempt: u32.
        status: 0 going on, 1 staged, negative: stopped, an `ota_status`.
        received: patch bytes so far.
    """

    attempt: int
    status: int
    received: int

    def __post_init__(self) -> None:
        check_uint(self.attempt, "attempt")
        if check_int(self.status, "update status") > UPDATE_STAGED:
            raise ValueOutOfRange("update status is above 1")
        check_uint(self.received, "patch bytes received")

    def to_value(self) -> list[object]:
        return [self.attempt, self.status, self.received]

    @classmethod
    def from_value(cls, value: object) -> UpdateProgress:
        return cls(*check_list(value, "update", 3))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the device's log; `age_ms` before the message was made."""

    level: LogLevel
    age_ms: int
    text: str

    def __post_init__(self) -> None:
        check_uint(self.age_ms, "age of a log line")
        check_text(self.text, "log line")

    def to_value(self) -> list[object]:
        return [int(self.level), self.age_ms, self.text]

    @classmethod
    def from_value(cls, value: object) -> LogLine:
        level, age_ms, text = check_list(value, "log line", 3)
        return cls(LogLevel(check_uint(level, "log level", LogLevel.ERROR)), age_ms, text)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class LogReport:
    """Log lines under one report id."""

    report_id: int
    lines: tuple[LogLine, ...]

    def __post_init__(self) -> None:
        check_uint(self.report_id, "report id")
        check_items(list(self.lines), "log lines")

    def to_value(self) -> list[object]:
        return [self.report_id, [line.to_value() for line in self.lines]]

    @classmethod
    def from_value(cls, value: object) -> LogReport:
        report_id, lines = check_list(value, "logs", 2)
        return cls(report_id, tuple(LogLine.from_value(line) for line in check_items(lines, "log lines")))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Event:
    """Something the product's code wants to be known; `age_ms` before the message was made."""

    name: str
    data: str
    age_ms: int

    def __post_init__(self) -> None:
        check_text(self.name, "event name")
        check_text(self.data, "event data")
        check_uint(self.age_ms, "age of an event")

    def to_value(self) -> list[object]:
        return [self.name, self.data, self.age_ms]

    @classmethod
    def from_value(cls, value: object) -> Event:
        return cls(*check_list(value, "event", 3))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class EventReport:
    """Events under one report id."""

    report_id: int
    events: tuple[Event, ...]

    def __post_init__(self) -> None:
        check_uint(self.report_id, "report id")
        check_items(list(self.events), "events")

    def to_value(self) -> list[object]:
        return [self.report_id, [event.to_value() for event in self.events]]

    @classmethod
    def from_value(cls, value: object) -> EventReport:
        report_id, events = check_list(value, "events", 2)
        return cls(report_id, tuple(Event.from_value(event) for event in check_items(events, "events")))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash record.

    Attributes:
        report_id: u32.
        identity: first 8 bytes of the crashed image's.
        reason: u32, the device's fault code.
        pc, lr: registers at the fault.
        uptime_s: at the fault.
    """

    report_id: int
    identity: bytes
    reason: int
    pc: int
    lr: int
    uptime_s: int

    def __post_init__(self) -> None:
        check_uint(self.report_id, "report id")
        check_bytes(self.identity, "identity", IDENTITY_SIZE)
        check_uint(self.reason, "crash reason")
        check_uint(self.pc, "pc")
        check_uint(self.lr, "lr")
        check_uint(self.uptime_s, "uptime at the crash")

    def to_value(self) -> list[object]:
        return [self.report_id, self.identity, self.reason, self.pc, self.lr, self.uptime_s]

    @classmethod
    def from_value(cls, value: object) -> Crash:
        return cls(*check_list(value, "crash", 6))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a called function returned: an i32."""

    call_id: int
    value: int

    def __post_init__(self) -> None:
        check_uint(self.call_id, "call id")
        check_int(self.value, "result of a call")

    def to_value(self) -> list[object]:
        return [self.call_id, self.value]

    @classmethod
    def from_value(cls, value: object) -> CallResult:
        return cls(*check_list(value, "result", 2))  # type: ignore[arg-type]  # checked in __post_init__


class VariableType(IntEnum):
    """What a variable holds."""

    INT = 1
    DOUBLE = 2
    TEXT = 3
    BOOL = 4


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the product's code that can be read. `name`: 1 to 64 bytes of UTF-8."""

    name: str
    type: VariableType

    def __post_init__(self) -> None:
        check_text(self.name, "name of a variable", NAME_MAX, 1)

    def to_value(self) -> list[object]:
        return [self.name, int(self.type)]

    @classmethod
    def from_value(cls, value: object) -> Variable:
        name, kind = check_list(value, "variable", 2)
        check_uint(kind, "type of a variable", VariableType.BOOL, VariableType.INT)
        return cls(name, VariableType(kind))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Reading:
    """What a variable held: an i32, a text of at most 622 bytes, or a double. Of a bool it is 0 or 1."""

    call_id: int
    value: int | str | float

    def __post_init__(self) -> None:
        check_uint(self.call_id, "call id")
        if isinstance(self.value, str):
            check_text(self.value, "value of a variable", VALUE_TEXT_MAX)
        elif not isinstance(self.value, float):
            check_int(self.value, "value of a variable")

    def to_value(self) -> list[object]:
        # The protocol's CBOR has no floats: a double travels as its eight bytes.
        is_double = isinstance(self.value, float)
        return [self.call_id, struct.pack("<d", self.value) if is_double else self.value]

    @classmethod
    def from_value(cls, value: object) -> Reading:
        call_id, content = check_list(value, "reading", 2)
        if isinstance(content, bytes):
            content = struct.unpack("<d", check_bytes(content, "double", 8))[0]
        return cls(call_id, content)  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Postponed:
    """The product puts an offer off, for so many seconds more."""

    attempt: int
    left_s: int

    def __post_init__(self) -> None:
        check_uint(self.attempt, "attempt")
        check_uint(self.left_s, "seconds that an offer is put off")

    def to_value(self) -> list[object]:
        return [self.attempt, self.left_s]

    @classmethod
    def from_value(cls, value: object) -> Postponed:
        return cls(*check_list(value, "postponed", 2))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Report:
    """One report; None (or empty) is what it does not say.

    Attributes:
        identity: first 8 bytes of the running image's.
        product_version, hardware_revision, bootloader_version: u16.
        slot: 0 A, 1 B.
        security_counter, keyset_version, boots: u32.
        boot_state: 0 confirmed, 1 to 3 the number of this trial.
        interval_s: between its check-ins, as the device keeps them now.
        uptime_s: u32.
        health: u32 -> i32, see HealthKey.
        hold_s: at most 25; how long the answer may be held back while there is nothing to say.
        functions: names of 1 to 64 bytes, at most 32; told until a session's first answer, as `variables` is.
        readings: values of variables that the server asked for.
        claim_code: 63 characters of printable ASCII; repeated until it is taken.
        postponed: an offer that the product puts off.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    identity: bytes | None = None
    product_version: int | None = None
    slot: int | None = None
    hardware_revision: int | None = None
    security_counter: int | None = None
    boot_state: int | None = None
    bootloader_version: int | None = None
    keyset_version: int | None = None
    interval_s: int | None = None
    outcome: Outcome | None = None
    update: UpdateProgress | None = None
    uptime_s: int | None = None
    health: dict[int, int] | None = None
    logs: LogReport | None = None
    events: EventReport | None = None
    crash: Crash | None = None
    results: tuple[CallResult, ...] = ()
    hold_s: int | None = None
    boots: int | None = None
    functions: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    readings: tuple[Reading, ...] = ()
    claim_code: str | None = None
    postponed: Postponed | None = None

    def __post_init__(self) -> None:
        for name, check in _PLAIN_CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                check(value)
        for name in self.functions:
            check_text(name, "name of a function", NAME_MAX, 1)

    def to_bytes(self) -> bytes:
        """The plaintext."""
        return fields.to_bytes(self, _FIELDS)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Report:
        """Parses a plaintext; keys that are not known are ignored.

        Raises:
            MessageFormatError: anything that is not of the page's form.
        """
        return codec.parsed(lambda: cls(**fields.arguments_from(raw, "report", _FIELDS)))


def check_claim_code(value: object) -> None:
    """Raises ValueOutOfRange unless it is 63 characters of printable ASCII without spaces."""
    code = check_text(value, "claim code", CLAIM_CODE_SIZE, CLAIM_CODE_SIZE)
    if not all("!" <= character <= "~" for character in code):
        raise ValueOutOfRange("a claim code is printable ASCII without spaces")


def _check_health(value: object) -> None:
    health = check_map(value, "health")
    if not health:
        raise ValueOutOfRange("health is empty")
    for key, number in health.items():
        check_uint(key, "health key")
        check_int(number, "health value")


_PLAIN_CHECKS: dict[str, Callable[[object], object]] = {
    "identity": lambda value: check_bytes(value, "identity", IDENTITY_SIZE),
    "product_version": lambda value: check_uint(value, "product version", U16_MAX),
    "slot": lambda value: check_uint(value, "slot", 1),
    "hardware_revision": lambda value: check_uint(value, "hardware revision", U16_MAX),
    "security_counter": lambda value: check_uint(value, "security counter"),
    "boot_state": lambda value: check_uint(value, "boot state", TRIALS_MAX),
    "bootloader_version": lambda value: check_uint(value, "bootloader version", U16_MAX),
    "keyset_version": lambda value: check_uint(value, "key set version"),
    "interval_s": lambda value: check_uint(value, "interval"),
    "uptime_s": lambda value: check_uint(value, "uptime"),
    "health": _check_health,
    "hold_s": lambda value: check_uint(value, "hold", HOLD_MAX),
    "boots": lambda value: check_uint(value, "boots"),
    "claim_code": lambda value: check_claim_code(value),
}


def _health_to_value(value: Any) -> object:
    return {int(key): number for key, number in value.items()}


def _results_from_value(value: object) -> tuple[CallResult, ...]:
    return tuple(CallResult.from_value(item) for item in check_items(value, "results"))


def _functions_from_value(value: object) -> object:
    return tuple(check_items(value, "functions", NAMES_MAX))


def _variables_from_value(value: object) -> object:
    return tuple(Variable.from_value(item) for item in check_items(value, "variables", NAMES_MAX))


def _readings_from_value(value: object) -> object:
    return tuple(Reading.from_value(item) for item in check_items(value, "readings"))


_FIELDS: Fields = {
    1: Field("identity"),
    2: Field("product_version"),
    3: Field("slot"),
    4: Field("hardware_revision"),
    5: Field("security_counter"),
    6: Field("boot_state"),
    7: Field("bootloader_version"),
    8: Field("keyset_version"),
    9: Field("interval_s"),
    10: Field("outcome", part, Outcome.from_value),
    11: Field("update", part, UpdateProgress.from_value),
    12: Field("uptime_s"),
    13: Field("health", _health_to_value),
    14: Field("logs", part, LogReport.from_value),
    15: Field("events", part, EventReport.from_value),
    16: Field("crash", part, Crash.from_value),
    17: Field("results", parts, _results_from_value),
    18: Field("hold_s"),
    19: Field("boots"),
    20: Field("functions", list, _functions_from_value),
    21: Field("variables", parts, _variables_from_value),
    22: Field("readings", parts, _readings_from_value),
    23: Field("claim_code"),
    24: Field("postponed", part, Postponed.from_value),
}
"""Key of the map -> field of Report."""
