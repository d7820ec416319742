# SPDX-License-Identifier: Apache-2.0
"""Loss, repetition, reordering, resets and replays on the way: both devices against a server that follows the page.

What must hold at every moment: an answered device and its server agree about the device's state; no report counts
twice; no nonce is used twice (the server model asserts that it answers each counter once); and whatever happened
before, an opening and a message on a way that loses nothing bring a device back.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from muster.protocol import (
    DeviceIdentity,
    DeviceSession,
    LogLevel,
    LogLine,
    LogReport,
    ProtocolError,
    Report,
    SealedMessage,
    opening_digest,
)
from tests.firmware.core.machine import Machine
from tests.firmware.core.session_device import Refused, SessionDevice
from tests.muster.protocol.server_model import ServerModel
from tests.vectors.fixed import key, signer
from tests.vectors.protocol.generate import STATE

WHO = DeviceIdentity(b"device-12345", key("device-1"), 1234, 6)
ONLINE_KEYS = [key("online-1").public_key]
REFUSALS = (ProtocolError, Refused)


class Way(RuleBasedStateMachine):
    """A device, a server, and everything that was ever on the way between them."""

    machine: ClassVar[Machine | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.device: DeviceSession | SessionDevice = (
            DeviceSession(WHO) if self.machine is None else SessionDevice(self.machine, WHO)
        )
        self.server = ServerModel(signer("online-1"))
        self.state = STATE
        self.agreed = False
        self.has_session = False
        self.randoms = 0
        self.report_id = 1
        self.acknowledged = 0
        self.requests: list[bytes] = []
        self.opening_answers: list[bytes] = []
        self.messages: list[bytes] = []
        self.answers: list[bytes] = []
        self.counters: set[tuple[bytes, int]] = set()

    def open(self) -> None:
        self.randoms += 1
        secret = hashlib.sha256(b"device secret %d" % self.randoms).digest()
        self.requests.append(self.device.begin(1, secret, bytes(16)))
        self.has_session = False
        self.agreed = False

    def send(self) -> None:
        line = LogLine(LogLevel.INFO, 0, "line")
        message = self.device.seal(self.state, Report(logs=LogReport(self.report_id, (line,))))
        sealed = SealedMessage.from_bytes(message)
        assert (sealed.session_id, sealed.counter) not in self.counters
        self.counters.add((sealed.session_id, sealed.counter))
        self.messages.append(message)
        self.agreed = False

    def take_opening_answer(self, answer: bytes) -> None:
        try:
            self.device.finish(answer, ONLINE_KEYS)
        except REFUSALS:
            return
        self.has_session = True

    def take_answer(self, message: bytes) -> None:
        try:
            answer = self.device.open(message)
        except REFUSALS:
            return
        self.agreed = True
        if self.report_id in answer.acknowledged:
            self.acknowledged = self.report_id
            self.report_id += 1

    def round_trip(self) -> bool:
        """A message on a way that loses nothing; False: the server refused it."""
        self.send()
        answer = self.server.check_in(self.messages[-1])
        if answer is None:
            return False
        self.answers.append(answer)
        self.take_answer(answer)
        assert self.agreed
        return True

    @rule()
    def device_opens(self) -> None:
        self.open()

    @rule()
    def device_resets(self) -> None:
        self.device.drop()
        self.has_session = False
        self.agreed = False

    @rule(interval_s=st.integers(1, 2), boot_state=st.integers(0, 1))
    def state_changes(self, interval_s: int, boot_state: int) -> None:
        self.state = dataclasses.replace(self.state, interval_s=interval_s, boot_state=boot_state)
        self.agreed = False

    @rule()
    def device_sends(self) -> None:
        if self.has_session:
            self.send()

    @rule(age=st.integers(1, 4))
    def request_arrives(self, age: int) -> None:
        """Any that was ever sent: late, twice, out of order, or replayed."""
        if age <= len(self.requests):
            answer = self.server.open(self.requests[-age])
            assert answer is not None
            self.opening_answers.append(answer)

    @rule(age=st.integers(1, 4))
    def opening_answer_arrives(self, age: int) -> None:
        if age <= len(self.opening_answers):
            self.take_opening_answer(self.opening_answers[-age])

    @rule(age=st.integers(1, 4))
    def message_arrives(self, age: int) -> None:
        if age <= len(self.messages):
            answer = self.server.check_in(self.messages[-age])
            if answer is not None:
                self.answers.append(answer)

    @rule(age=st.integers(1, 4))
    def answer_arrives(self, age: int) -> None:
        if age <= len(self.answers):
            self.take_answer(self.answers[-age])

    @rule(kind=st.sampled_from(["message", "answer"]), at=st.integers(0, 200), bit=st.integers(0, 7))
    def byte_is_altered_on_the_way(self, kind: str, at: int, bit: int) -> None:
        sent = self.messages if kind == "message" else self.answers
        if not sent:
            return
        altered = bytearray(sent[-1])
        altered[at % len(altered)] ^= 1 << bit
        if kind == "message":
            assert self.server.check_in(bytes(altered)) is None
        else:
            agreed = self.agreed
            self.take_answer(bytes(altered))
            assert self.agreed == agreed

    @rule(boot_state=st.integers(0, 1))
    def change_is_counted_and_its_answer_lost(self, boot_state: int) -> None:
        self.state = dataclasses.replace(self.state, boot_state=boot_state)
        self.agreed = False
        if self.has_session:
            self.send()
            self.server.check_in(self.messages[-1])

    @rule(boot_state=st.integers(0, 1))
    def quiet_way_brings_the_device_back(self, boot_state: int) -> None:
        self.state = dataclasses.replace(self.state, boot_state=boot_state)
        if self.has_session and self.round_trip():
            return
        self.open()
        answer = self.server.open(self.requests[-1])
        assert answer is not None
        self.take_opening_answer(answer)
        assert self.has_session
        assert self.round_trip()

    @invariant()
    def agreed_state_is_the_devices(self) -> None:
        if self.agreed:
            assert self.server.state == {
                item.name: getattr(self.state, item.name) for item in dataclasses.fields(self.state)
            }

    @invariant()
    def reports_count_once_and_none_is_lost(self) -> None:
        assert len(set(self.server.counted)) == len(self.server.counted)
        assert set(range(1, self.acknowledged + 1)) <= set(self.server.counted)

    @invariant()
    def pending_session_is_the_last_openings(self) -> None:
        if self.server.pending is not None:
            assert self.server.pending.request_digest in {opening_digest(request) for request in self.requests}


QUICK = settings(max_examples=60, stateful_step_count=25)


def test_library_device_survives_any_way() -> None:
    run_state_machine_as_test(Way, settings=QUICK)


def test_c_device_survives_any_way(machine: Machine) -> None:
    class WayOfC(Way):
        pass

    WayOfC.machine = machine
    run_state_machine_as_test(WayOfC, settings=QUICK)
