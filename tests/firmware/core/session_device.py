# SPDX-License-Identifier: Apache-2.0
"""The C core's end of a session, with the calls of the library's DeviceSession."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from muster.errors import MusterError
from muster.protocol import Answer, DeviceIdentity, DeviceState, Reading, Report, VariableType
from muster.signing.keys import PublicKey
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine

MESSAGE_MAX = 1008

# Fields of struct ota_report_state -> of DeviceState.
STATE_FIELDS = {
    "product_version": "product_version",
    "slot": "slot",
    "hw_rev": "hardware_revision",
    "security_counter": "security_counter",
    "trial": "boot_state",
    "bootloader_version": "bootloader_version",
    "keyset_version": "keyset_version",
    "interval_s": "interval_s",
}


class Refused(MusterError):
    """A C function answered with this status."""


def check(status: int) -> None:
    if status != 0:
        raise Refused(OtaStatus(status).name, OtaStatus(status))


class ReportStruct:
    """struct ota_report with everything it points to."""

    def __init__(self, machine: Machine, state: DeviceState, report: Report) -> None:
        self._machine = machine
        self._kept: list[Any] = []
        self.c = machine.new("struct ota_report *")
        self.c.state.identity = state.identity
        for name, python_name in STATE_FIELDS.items():
            setattr(self.c.state, name, getattr(state, python_name))
        self._fill(report)

    def _fill(self, report: Report) -> None:
        c = self.c
        if report.outcome is not None:
            c.outcome = self._struct("struct ota_report_outcome", report.outcome)
        if report.update is not None:
            c.update = self._struct("struct ota_report_update", report.update)
        if report.crash is not None:
            c.crash = self._struct("struct ota_report_crash", report.crash)
        for name in ("uptime", "hold", "boots"):
            value = getattr(report, name if name == "boots" else f"{name}_s")
            if value is not None:
                setattr(c, f"has_{name}", True)
                setattr(c, name if name == "boots" else f"{name}_s", value)
        if report.health is not None:
            pairs = [{"key": int(key), "value": value} for key, value in sorted(report.health.items())]
            c.health, c.health_count = self._array("struct ota_report_health", pairs), len(pairs)
        if report.logs is not None:
            lines = [
                {"level": int(line.level), "age_ms": line.age_ms, "text": self.span(line.text.encode())}
                for line in report.logs.lines
            ]
            c.lines_report_id = report.logs.report_id
            c.lines, c.line_count = self._array("struct ota_report_line", lines), len(lines)
        if report.events is not None:
            events = [
                {"name": self.span(e.name.encode()), "data": self.span(e.data.encode()), "age_ms": e.age_ms}
                for e in report.events.events
            ]
            c.events_report_id = report.events.report_id
            c.events, c.event_count = self._array("struct ota_report_event", events), len(events)
        results = [{"call_id": result.call_id, "value": result.value} for result in report.results]
        c.results, c.result_count = self._array("struct ota_report_result", results), len(results)
        names = [self.span(name.encode()) for name in report.functions]
        c.functions, c.function_count = self._array("struct ota_span", names), len(names)
        variables = [{"name": self.span(item.name.encode()), "type": int(item.type)} for item in report.variables]
        c.variables, c.variable_count = self._array("struct ota_report_variable", variables), len(variables)
        readings = [self._reading(item) for item in report.readings]
        c.readings, c.reading_count = self._array("struct ota_report_reading", readings), len(readings)
        if report.claim_code is not None:
            c.claim_code = self._array("struct ota_span", [self.span(report.claim_code.encode())])
        if report.postponed is not None:
            c.postponed = self._struct("struct ota_report_postponed", report.postponed)

    def _reading(self, item: Reading) -> dict[str, Any]:
        value = item.value
        if isinstance(value, str):
            said: dict[str, Any] = {"type": int(VariableType.TEXT), "bytes": self.span(value.encode())}
        elif isinstance(value, float):
            said = {"type": int(VariableType.DOUBLE), "bytes": self.span(struct.pack("<d", value))}
        else:
            said = {"type": int(VariableType.INT), "number": value}
        return {"call_id": item.call_id, **said}

    def span(self, content: bytes) -> dict[str, Any]:
        """struct ota_span as an initializer."""
        return {"bytes": self._keep(self._machine.buffer(content)), "len": len(content)}

    def _struct(self, kind: str, value: Any) -> Any:
        named = {item.name: getattr(value, item.name) for item in fields(value)}
        return self._keep(self._machine.new(f"{kind} *", named))

    def _array(self, kind: str, items: list[dict[str, Any]]) -> Any:
        return self._keep(self._machine.new(f"{kind}[]", items)) if items else self._machine.ffi.NULL

    def _keep(self, made: Any) -> Any:
        self._kept.append(made)
        return made


class SessionDevice:
    """Raises Refused where DeviceSession raises another MusterError with the same status."""

    def __init__(self, machine: Machine, identity: DeviceIdentity) -> None:
        self.machine = machine
        self.identity = identity
        self.session = machine.new("struct ota_session *")
        self.memory = machine.new("struct ota_report_memory *")
        machine.lib.ota_session_init(self.session)
        machine.lib.ota_report_memory_init(self.memory)

    def begin(self, keyset_version: int, share_secret: bytes, nonce: bytes, size: int = 192) -> bytes:
        page = self.machine.new("struct ota_identity_page *")
        page.product_id = self.identity.product_id
        page.device_id = self.identity.device_id
        page.device_seed = self.identity.key.seed
        page.device_public_key = self.identity.key.public_key.raw
        facts = self.machine.new(
            "struct ota_session_device *",
            {"identity": page, "platform_id": self.identity.platform_id, "keyset_version": keyset_version},
        )
        out, length = self.machine.buffer(bytes(size)), self.machine.new("uint32_t *")
        check(self.machine.lib.ota_session_begin(self.session, facts, share_secret, nonce, out, size, length))
        return bytes(self.machine.ffi.buffer(out, length[0]))

    def read_answer(self, answer: bytes) -> Any:
        """struct ota_session_answer; its spans point into memory that goes with this object."""
        self._answer_bytes = self.machine.buffer(answer)
        parsed = self.machine.new("struct ota_session_answer *")
        check(self.machine.lib.ota_session_read_answer(self._answer_bytes, len(answer), parsed))
        return parsed

    def finish(self, answer: bytes, online_keys: Sequence[PublicKey], previous_keys: Sequence[PublicKey] = ()) -> bool:
        """Whether the current key set's key signed the answer."""
        is_by_current = self.machine.new("bool *")
        parsed = self.read_answer(answer)
        current, previous = self.keyset(online_keys), self.keyset(previous_keys)
        check(self.machine.lib.ota_session_finish(self.session, parsed, current, previous, is_by_current))
        self.machine.lib.ota_report_memory_init(self.memory)
        return bool(is_by_current[0])

    def keyset(self, online_keys: Sequence[PublicKey]) -> Any:
        """struct ota_keyset with these online keys; NULL without any."""
        if not online_keys:
            return self.machine.ffi.NULL
        keyset = self.machine.new("struct ota_keyset *", {"version": 1, "online_count": len(online_keys)})
        for number, key in enumerate(online_keys):
            keyset.online[number] = key.raw
        return keyset

    def seal(self, state: DeviceState, report: Report | None = None) -> bytes:
        return self.seal_raw(self.write(ReportStruct(self.machine, state, report or Report())))

    def write(self, report: ReportStruct, size: int = 966) -> bytes:
        out, length = self.machine.buffer(bytes(size)), self.machine.new("uint32_t *")
        check(self.machine.lib.ota_report_write(report.c, self.memory, out, size, length))
        return bytes(self.machine.ffi.buffer(out, length[0]))

    def seal_raw(self, plaintext: bytes, size: int = MESSAGE_MAX) -> bytes:
        span = self.machine.span(plaintext)
        out, length = self.machine.buffer(bytes(size)), self.machine.new("uint32_t *")
        check(self.machine.lib.ota_session_seal(self.session, span[0], out, size, length))
        return bytes(self.machine.ffi.buffer(out, length[0]))

    def open_raw(self, message: bytes) -> bytes:
        content, span = self.machine.buffer(message), self.machine.new("struct ota_span *")
        status = self.machine.lib.ota_session_open(self.session, content, len(message), span)
        if status != 0:
            assert bytes(self.machine.ffi.buffer(content, len(message))) == message
        check(status)
        return bytes(self.machine.ffi.buffer(span.bytes, span.len))

    def open(self, message: bytes) -> Answer:
        plaintext = self.open_raw(message)
        self.machine.lib.ota_report_memory_take_answer(self.memory)
        check(self.machine.lib.ota_answer_read(plaintext, len(plaintext), self.machine.new("struct ota_answer *")))
        return Answer.from_bytes(plaintext)

    def drop(self) -> None:
        self.machine.lib.ota_session_drop(self.session)
