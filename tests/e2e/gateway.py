# SPDX-License-Identifier: Apache-2.0
"""A gateway and a server in one, at the other end of an emulated board's line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from muster.delta import Patch
from muster.device.bootlog import Reason, RecordType
from muster.emulator import RunReason
from muster.errors import FormatError
from muster.image.image import Image
from muster.protocol import (
    Answer,
    KeySetReference,
    Offer,
    OpenRequest,
    ProtocolError,
    Report,
    SealedMessage,
    open_report,
)
from muster.serial import Frame, FrameReader, frame_of
from muster.serial.messages import CheckIn, CheckInAnswer, Data, Fetch, Message, Open, OpenAnswer
from muster.serial.parse import message_of
from muster.signing.keyset import KeySet
from muster.signing.signer import Signer
from tests.e2e.board import NEWER, SOUND, Board, Victim
from tests.muster.protocol.server_model import ServerModel

OK = 200
UNAUTHORIZED = 401
NOT_REACHED = 0

Tamper = Callable[[Message], list[Message]]
"""What the gateway sends in place of an answer."""


@dataclass
class Server(ServerModel):
    """Counts what is reported and answers; what else it says is scripted.

    Attributes:
        offer: said until the device works on it, has it, or has told what came of it.
        say: parts of the next answer, once.
        next_s: said whenever it is not what the device does.
        chain: every key set that it has beyond the first one.
    """

    offer: Offer | None = None
    say: dict[str, object] = field(default_factory=dict)
    next_s: int = 10
    chain: tuple[KeySetReference, ...] = ()

    def open(self, request: bytes) -> bytes | None:
        version = OpenRequest.from_bytes(request).keyset_version
        self.references = tuple(item for item in self.chain if item.version > version)[:3]
        return super().open(request)

    def forget(self) -> None:
        """As a server whose sessions have been dropped."""
        self.current = self.pending = None

    def check_in(self, message: bytes, answer: Answer | None = None) -> bytes | None:
        report = self._report(message)
        if report is not None:
            answer = replace(self._answer_to(report), **self.say)  # type: ignore[arg-type]  # fields of Answer
            self.say = {}
        return super().check_in(message, answer)

    def _report(self, message: bytes) -> Report | None:
        try:
            sealed = SealedMessage.from_bytes(message)
            keys = self._session_of(sealed)
            return None if keys is None else open_report(keys.session_id, keys.key, sealed)[1]
        except ProtocolError:
            return None

    def _answer_to(self, report: Report) -> Answer:
        told = (report.logs, report.events, report.crash)
        interval_s = report.interval_s if report.interval_s is not None else self.state.get("interval_s")
        return Answer(
            next_s=None if interval_s == self.next_s else self.next_s,
            offer=self.offer if self._is_wanted(report) else None,
            acknowledged=tuple(part.report_id for part in told if part is not None),
            outcome_acknowledged=None if report.outcome is None else report.outcome.attempt,
            results_acknowledged=tuple(result.call_id for result in report.results),
        )

    def _is_wanted(self, report: Report) -> bool:
        offer = self.offer
        if offer is None or (report.update is not None and report.update.attempt == offer.attempt):
            return False
        identity = report.identity or self.state.get("identity")
        return identity != offer.identity[:8] and all(
            item.outcome is None or item.outcome.attempt != offer.attempt for item in (report, *self.reports)
        )


@dataclass
class Gateway:
    """The board's peer: carries messages to the server and back.

    Attributes:
        stored: what can be fetched, by digest.
        sent: every OPEN and CHECK_IN of the device with the time at which it came.
        answered: every answer sent, its size counted as the server made it.
        fetched: the FETCHes that were answered.
        is_server_there: whether it is reached; else the answer says so.
        is_silent: nothing is answered at all.
        tamper: what becomes of each answer.
    """

    server: Server
    stored: dict[bytes, bytes] = field(default_factory=dict)
    sent: list[tuple[float, Open | CheckIn]] = field(default_factory=list)
    answered: list[OpenAnswer | CheckInAnswer] = field(default_factory=list)
    fetched: list[Fetch] = field(default_factory=list)
    text: bytes = b""
    is_server_there: bool = True
    is_silent: bool = False
    tamper: Tamper = lambda message: [message]
    _reader: FrameReader = field(default_factory=FrameReader)

    def receive(self, data: bytes, time: float) -> bytes:
        answer = b""
        for item in self._reader.feed(data):
            if isinstance(item, Frame):
                answer += self._take(item, time)
            else:
                self.text += item
        return answer

    def store(self, content: bytes) -> bytes:
        """Makes bytes fetchable; their digest."""
        digest = hashlib.sha256(content).digest()
        self.stored[digest] = content
        return digest

    def offer(self, attempt: int, target: Image, patch: Patch) -> Offer:
        """An offer that the server makes from now on."""
        digest = self.store(patch.raw)
        self.server.offer = Offer(attempt, target.identity[:16], digest, len(patch.raw), len(target.raw))
        return self.server.offer

    def reference(self, keyset: KeySet) -> KeySetReference:
        raw = keyset.to_bytes()
        return KeySetReference(keyset.content.version, self.store(raw), len(raw))

    @property
    def check_ins(self) -> list[CheckIn]:
        return [message for _, message in self.sent if isinstance(message, CheckIn)]

    @property
    def openings(self) -> list[Open]:
        return [message for _, message in self.sent if isinstance(message, Open)]

    def outcomes(self) -> list[tuple[int, RecordType, Reason]]:
        """Every outcome that was counted: attempt, type, reason."""
        told = [report.outcome for report in self.server.reports if report.outcome is not None]
        unique = dict.fromkeys((item.attempt, item.type, item.reason) for item in told)
        return [(attempt, RecordType(kind), Reason(reason)) for attempt, kind, reason in unique]

    def _take(self, frame: Frame, time: float) -> bytes:
        try:
            message = message_of(frame)
        except FormatError:
            return b""
        if isinstance(message, (Open, CheckIn)):
            self.sent.append((time, message))
            return b"" if self.is_silent else self._send(self._ask(message))
        if isinstance(message, Fetch) and not self.is_silent:
            self.fetched.append(message)
            content = self.stored.get(message.digest, b"")
            return self._send(Data(message.offset, content[message.offset : message.offset + message.length]))
        return b""

    def _ask(self, message: Open | CheckIn) -> OpenAnswer | CheckInAnswer:
        kind = OpenAnswer if isinstance(message, Open) else CheckInAnswer
        if not self.is_server_there:
            return kind(message.exchange, NOT_REACHED, b"")
        ask = self.server.open if isinstance(message, Open) else self.server.check_in
        body = ask(message.message)
        answer = kind(message.exchange, UNAUTHORIZED if body is None else OK, body or b"")
        self.answered.append(answer)
        return answer

    def _send(self, message: Message) -> bytes:
        return b"".join(frame_of(one) for one in self.tamper(message))


class Served:
    """A board that runs version 1 of the victim, with a gateway on its line. A context manager."""

    def __init__(self, victim: Victim, signer: Signer) -> None:
        self._hex_path = victim.hex_path(SOUND)
        self.board = Board(self._hex_path)
        self.device = self.board.device
        self.base, self.target = victim.image(SOUND), victim.image(NEWER)
        self.server = Server(signer)
        self._connect()

    def _connect(self) -> None:
        self.gateway = Gateway(self.server)
        self.device.uart(1).attach(self.gateway)

    def reset(self) -> None:
        """The board as it left the factory, and a server that has never heard of it."""
        self.device.erase_flash()
        self.device.load_hex(self._hex_path)
        self.server = Server(self.server.signer, next_s=self.server.next_s)
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.device.close()

    def wait(self, condition: Callable[[], bool], timeout: float = 120.0) -> None:
        """Gives power and lets the device run until the condition holds, which it must."""
        if not self.device.powered:
            self.device.power_on()
        result = self.device.run_until(condition, timeout, poll=0.005)
        assert result.reason is RunReason.CONDITION, (result, self.gateway.text.decode("utf-8", "replace")[-2000:])

    def wait_for_reports(self, count: int, timeout: float = 120.0) -> list[Report]:
        """The next reports that the server counts."""
        before = len(self.server.reports)
        self.wait(lambda: len(self.server.reports) >= before + count, timeout)
        return self.server.reports[before:]

    def wait_for_outcome(self, attempt: int, kind: RecordType, reason: Reason = Reason.NONE) -> None:
        """Waits until the server has counted an outcome and the device knows that."""
        self.wait(lambda: (attempt, kind, reason) in self.gateway.outcomes(), 300.0)
        self.wait(lambda: self.board.log.facts.outcome is None)

    def assert_confirmed(self, attempt: int) -> None:
        """The target runs, confirmed by the server, and nothing went wrong on the way."""
        self.wait_for_outcome(attempt, RecordType.CONFIRMED)
        facts = self.board.log.facts
        assert facts.confirmed is not None
        assert facts.confirmed.identity == self.target.identity[:16]
        assert self.board.installed(facts.confirmed.slot).raw == self.target.raw
        assert self.server.state["identity"] == self.target.identity[:8]
        assert self.server.state["boot_state"] == 0
        assert self.device.violations == []
