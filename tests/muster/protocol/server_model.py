# SPDX-License-Identifier: Apache-2.0
"""A server that keeps one device's sessions as docs/spec/device_protocol.md says, in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields

from muster.protocol import (
    Answer,
    DeviceState,
    KeySetReference,
    ProtocolError,
    SealedMessage,
    SessionKeys,
    accept_opening,
    open_report,
    opening_digest,
    seal_answer,
)
from muster.protocol.report import Report
from muster.signing.signer import Signer

STATE_NAMES = [item.name for item in fields(DeviceState)]


@dataclass
class ServerModel:
    """None as an answer is the one fixed refusal."""

    signer: Signer
    references: tuple[KeySetReference, ...] = ()
    current: SessionKeys | None = None
    last_counter: int = 0
    pending: SessionKeys | None = None
    pending_answer: bytes = b""
    state: dict[str, object] = field(default_factory=dict)
    counted: list[int] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    nonces: set[tuple[bytes, int]] = field(default_factory=set)
    _openings: int = 0

    def open(self, request: bytes) -> bytes | None:
        if self.pending is not None and self.pending.request_digest == opening_digest(request):
            return self.pending_answer
        self._openings += 1
        secret = hashlib.sha256(b"server secret %d" % self._openings).digest()
        session_id = hashlib.sha256(b"session %d" % self._openings).digest()[:8]
        try:
            answer, keys = accept_opening(request, self.signer, secret, session_id, self.references)
        except ProtocolError:
            return None
        self.pending, self.pending_answer = keys, answer
        return answer

    def check_in(self, message: bytes, answer: Answer | None = None) -> bytes | None:
        try:
            sealed = SealedMessage.from_bytes(message)
            keys = self._session_of(sealed)
            if keys is None or (keys is self.current and sealed.counter <= self.last_counter):
                return None
            counter, report = open_report(keys.session_id, keys.key, sealed)
        except ProtocolError:
            return None
        if keys is self.pending:
            self.current, self.pending = keys, None
            self.state.clear()
        self.last_counter = counter
        self._count(report)
        assert (keys.key, counter) not in self.nonces
        self.nonces.add((keys.key, counter))
        if answer is None:
            answer = Answer(acknowledged=(report.logs.report_id,) if report.logs else ())
        return seal_answer(keys.session_id, keys.key, counter, answer)

    def _session_of(self, sealed: SealedMessage) -> SessionKeys | None:
        for keys in (self.current, self.pending):
            if keys is not None and keys.session_id == sealed.session_id:
                return keys
        return None

    def _count(self, report: Report) -> None:
        self.reports.append(report)
        for name in STATE_NAMES:
            if getattr(report, name) is not None:
                self.state[name] = getattr(report, name)
        if report.logs is not None and report.logs.report_id not in self.counted:
            self.counted.append(report.logs.report_id)
