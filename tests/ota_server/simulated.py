# SPDX-License-Identifier: Apache-2.0
"""A device as docs/spec/device_protocol.md describes it, without hardware: boot log, slots, agent and report ids.

Its flash survives `cut`; what is in RAM (session, download) does not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from muster import delta
from muster.image.image import Image
from muster.protocol import (
    Answer,
    CallResult,
    Crash,
    DeviceIdentity,
    DeviceSession,
    DeviceState,
    Event,
    EventReport,
    LogLevel,
    LogLine,
    LogReport,
    Offer,
    OpenAnswer,
    Outcome,
    OutcomeType,
    Postponed,
    Read,
    Reading,
    Report,
    UpdateProgress,
    Variable,
    VariableType,
)
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, check_successor
from tests.ota_server import keys

Post = Callable[[str, bytes], tuple[int, bytes]]
"""POSTs CBOR to a path: status and body. Raises Lost when no answer comes."""
Get = Callable[[str, int, int], bytes | None]
"""GETs (path, first, last) of a patch or key set."""


class Lost(Exception):
    """No answer came."""


class Refused(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@dataclass
class SimulatedDevice:
    """One device. Attributes without a comment are as in `DeviceState`."""

    post: Post
    get: Get
    device_id: bytes
    key: PrivateKey
    running: Image
    product_id: int = keys.PRODUCT
    platform_id: int = keys.PHOTON
    hardware_revision: int = 1
    bootloader_version: int = 1
    interval_s: int = 300
    keyset: KeySet = field(default_factory=keys.keyset)
    pending_keyset: KeySet | None = None
    # Flash: what a cut leaves.
    slot: int = 0
    security_counter: int = 0
    boots: int = 1
    other: Image | None = None
    staged: tuple[int, Image] | None = None
    trial: int = 0
    trial_attempt: int = 0
    outcome: Outcome | None = None
    next_report: int = 1
    unsent_logs: list[LogReport] = field(default_factory=list)
    unsent_crash: Crash | None = None
    claim_code: str | None = None
    # The product's code.
    functions: dict[str, Callable[[str], int]] = field(default_factory=dict)
    variables: dict[str, tuple[VariableType, int | str | float]] = field(default_factory=dict)
    put_off_s: int = 0
    # RAM.
    postponed: Postponed | None = None
    offer: Offer | None = None
    stopped: int | None = None
    received: bytes = b""
    answers: list[Answer] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    unsent_events: list[EventReport] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    acknowledged_results: set[int] = field(default_factory=set)
    reads: tuple[Read, ...] = ()
    is_signalling: bool = False
    hold_s: int | None = None
    has_told_interface: bool = False

    def __post_init__(self) -> None:
        self.identity = DeviceIdentity(self.device_id, self.key, self.product_id, self.platform_id)
        self.session = DeviceSession(self.identity)

    @property
    def state(self) -> DeviceState:
        return DeviceState(
            identity=self.running.identity[:8],
            product_version=self.running.manifest.product_version,
            slot=self.slot,
            hardware_revision=self.hardware_revision,
            security_counter=self.security_counter,
            boot_state=self.trial,
            bootloader_version=self.bootloader_version,
            keyset_version=(self.pending_keyset or self.keyset).content.version,
            interval_s=self.interval_s,
        )

    def log(self, text: str, level: LogLevel = LogLevel.INFO) -> int:
        """Logs a line; returns the id of the report that will carry it."""
        report_id = self.next_report
        self.next_report += 1
        self.unsent_logs.append(LogReport(report_id, (LogLine(level, 0, text),)))
        return report_id

    def publish(self, name: str, data: str = "") -> None:
        """Publishes an event; the next check-in that has room carries it."""
        self.unsent_events.append(EventReport(self.next_report, (Event(name, data, 0),)))
        self.next_report += 1

    def crash(self) -> None:
        """What runs faults; the next check-in tells of it."""
        self.unsent_crash = Crash(self.next_report, self.running.identity[:8], 3, 0x0802_01A4, 0x0802_0333, 77)
        self.next_report += 1

    def open(self) -> None:
        """Opens a session."""
        self.has_told_interface = False
        request = self.session.begin(self.state.keyset_version, os.urandom(32), os.urandom(16))
        status, body = self.post("/device/v1/open", request)
        if status != 200:
            raise Refused(status)
        answer = OpenAnswer.from_bytes(body)
        for reference in answer.references:
            raw = self._fetch(reference.digest, reference.length)
            newer = KeySet.from_bytes(raw)
            current = self.pending_keyset or self.keyset
            check_successor(newer, current.content.version, current.content.roots)
            self.pending_keyset = newer
        online = list(self.keyset.content.online_keys)
        if self.pending_keyset is not None:
            online += self.pending_keyset.content.online_keys
        self.session.finish(answer, online)
        if self.pending_keyset is not None and answer.key_id in {
            key.key_id for key in self.pending_keyset.content.online_keys
        }:
            self.keyset, self.pending_keyset = self.pending_keyset, None

    def report(self, hold_s: int | None = None) -> Report:
        """What is to be told now, besides the state."""
        update = None
        if self.staged is not None:
            update = UpdateProgress(self.staged[0], 1, 0)
        elif self.offer is not None:
            status = self.stopped if self.stopped is not None else 0
            update = UpdateProgress(self.offer.attempt, status, len(self.received))
        return Report(
            outcome=self.outcome,
            update=update,
            crash=self.unsent_crash,
            logs=self.unsent_logs[0] if self.unsent_logs else None,
            events=self.unsent_events[0] if self.unsent_events else None,
            results=tuple(
                CallResult(number, value)
                for number, value in self.results.items()
                if number not in self.acknowledged_results
            )[:4],
            boots=self.boots,
            claim_code=self.claim_code,
            postponed=self.postponed,
            hold_s=self.hold_s if hold_s is None else hold_s,
            functions=() if self.has_told_interface else tuple(self.functions),
            variables=()
            if self.has_told_interface
            else tuple(Variable(name, kind) for name, (kind, _) in self.variables.items()),
            readings=tuple(
                Reading(read.call_id, self.variables[read.name][1])
                for read in self.reads
                if read.name in self.variables
            ),
        )

    def check_in(self, hold_s: int | None = None) -> Answer:
        """One check-in; opens a session when there is none, and once more when it is refused."""
        if self.session.keys is None:
            self.open()
        status, body = self.post("/device/v1/check-in", self.session.seal(self.state, self.report(hold_s)))
        if status == 401:
            self.session.drop()
            self.open()
            status, body = self.post("/device/v1/check-in", self.session.seal(self.state, self.report(hold_s)))
        if status != 200:
            raise Refused(status)
        answer = self.session.open(body)
        self.take(answer)
        return answer

    def take(self, answer: Answer) -> None:
        """Does what an answer asks for."""
        self.answers.append(answer)
        if answer.next_s:
            self.interval_s = answer.next_s
        self.has_told_interface = True
        self.reads = answer.reads
        for call in answer.calls:
            if call.call_id not in self.results:
                done = self.functions.get(call.name)
                self.results[call.call_id] = -42 if done is None else done(call.argument)
        if answer.signal is not None and answer.signal.call_id not in self.results:
            self.is_signalling = answer.signal.is_on
            self.results[answer.signal.call_id] = 0
        self.acknowledged_results |= set(answer.results_acknowledged)
        if answer.settings and 2 in answer.settings:
            self.hold_s = int(answer.settings[2]) or None
        self.unsent_events = [report for report in self.unsent_events if report.report_id not in answer.acknowledged]
        if self.unsent_crash is not None and self.unsent_crash.report_id in answer.acknowledged:
            self.unsent_crash = None
        self.unsent_logs = [report for report in self.unsent_logs if report.report_id not in answer.acknowledged]
        if answer.is_claim_taken:
            self.claim_code = None
        if self.outcome is not None and answer.outcome_acknowledged == self.outcome.attempt:
            self.outcome = None
        if self.trial:
            self._confirm()
            return
        if self.offer is not None and (answer.withdrawn == self.offer.attempt or self.stopped is not None):
            self._forget_download()
        offer = answer.offer
        if offer is None or self.staged is not None or (self.offer is not None and self.offer.attempt == offer.attempt):
            return
        self._forget_download()
        if self.put_off_s and answer.consent_s:
            self.postponed = Postponed(offer.attempt, min(self.put_off_s, answer.consent_s))
        elif self.other is not None and self.other.identity[:16] == offer.identity:
            self.staged = (offer.attempt, self.other)
        else:
            self.offer = offer

    def fetch(self, count: int | None = None) -> None:
        """Fetches so many bytes of the offered patch, or all; stages the image when it is whole."""
        assert self.offer is not None
        left = self.offer.patch_len - len(self.received)
        self.received += self._fetch(self.offer.patch_digest, min(left, count or left), len(self.received))
        if len(self.received) < self.offer.patch_len:
            return
        if hashlib.sha256(self.received).digest() != self.offer.patch_digest:
            self.stopped = -57
            return
        header = delta.Patch.from_bytes(self.received).header
        base = b"" if header.is_full_image else self.running.raw
        if header.base_check is not None and not self.running.identity.startswith(header.base_check):
            self.stopped = -52
            return
        made = Image.from_bytes(delta.apply(base, self.received))
        assert made.identity[:16] == self.offer.identity
        self.other = made
        self.staged = (self.offer.attempt, made)
        self._forget_download()

    def boot_staged(self) -> None:
        """Resets into the trial of the staged image."""
        assert self.staged is not None
        self.trial_attempt, image = self.staged
        self.other, self.running = self.running, image
        self.staged = None
        self.trial = 1
        self._reset()

    def revert(self, reason: int, kind: OutcomeType = OutcomeType.REJECTED) -> None:
        """The trial ends badly: the old image boots."""
        assert self.trial
        self.outcome = Outcome(self.trial_attempt, kind, self.running.identity[:8], reason)
        assert self.other is not None
        self.running, self.other = self.other, self.running
        self.trial = 0
        self._reset()

    def cut(self) -> None:
        """Loses power and boots again: a trial begins again, all else goes on from flash."""
        if self.trial == 3:
            self.revert(5, OutcomeType.INTERRUPTED)
            return
        if self.trial:
            self.trial += 1
        self._reset()

    def update(self) -> None:
        """Goes on with whatever is at hand until nothing is: fetch, boot the trial, confirm, report."""
        for _ in range(12):
            if self.offer is not None and self.stopped is None:
                self.fetch()
            if self.staged is not None:
                self.boot_staged()
            answer = self.check_in()
            if not (self.offer or self.staged or self.outcome or self.trial or answer.offer):
                return

    def _confirm(self) -> None:
        self.outcome = Outcome(self.trial_attempt, OutcomeType.CONFIRMED, self.running.identity[:8], 0)
        self.security_counter = max(self.security_counter, self.running.manifest.security_counter)
        self.trial = 0
        self.slot = 1 - self.slot
        self.confirmed.append(self.trial_attempt)

    def _reset(self) -> None:
        self.boots += 1
        self.results, self.acknowledged_results, self.reads, self.unsent_events = {}, set(), (), []
        self.is_signalling = False
        self.session.drop()
        self._forget_download()

    def _forget_download(self) -> None:
        self.offer, self.stopped, self.received, self.postponed = None, None, b"", None

    def _fetch(self, digest: bytes, count: int, first: int = 0) -> bytes:
        raw = self.get(f"/device/v1/patches/{digest.hex()}", first, first + count - 1)
        if raw is None:
            raise Refused(404)
        return raw
