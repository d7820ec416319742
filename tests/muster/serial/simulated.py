# SPDX-License-Identifier: Apache-2.0
"""A device by the specification, without firmware: it takes frames and answers them, in a time of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from muster.device.bootlog import Reason, RecordType
from muster.serial.frame import Frame, FrameReader
from muster.serial.info import BootState, Info, Outcome, ResetCause
from muster.serial.messages import (
    Call,
    CallAnswer,
    Claim,
    ClaimAnswer,
    Confirm,
    ConfirmAnswer,
    Data,
    Fetch,
    InfoRequest,
    Message,
    Offer,
    OfferAnswer,
    Restart,
    RestartAnswer,
    UpdatePhase,
    UpdateStatus,
    frame_of,
)
from muster.serial.parse import message_of
from muster.status import OtaStatus

OLD = bytes(range(32))
NEW = bytes(range(32, 64))
PIECE = 1000


def info_of(identity: bytes = OLD) -> Info:
    return Info(
        device_id=bytes(12),
        product_id=1,
        version=1,
        platform_id=6,
        identity=identity,
        slot=0,
        hardware_revision=1,
        lifecycle=1,
        security_counter=0,
        boot_state=BootState.CONFIRMED,
        attempt=0,
        trial_count=0,
        outcome=None,
        reset=ResetCause.POWER,
        fault=None,
        bootloader_version=1,
        keyset_version=1,
        link_errors=0,
        flash_errors=0,
        uptime_ms=0,
        download=None,
        device_key=bytes(range(64, 96)),
    )


class SimulatedDevice:
    """Keeps the bytes that it got of a patch over a restart, as a real device's checkpoint does.

    Attributes:
        info: what it says of itself.
        patch: the bytes that have come.
        refuse: status that offers and claim codes are answered with.
        verdict: status that the whole patch ends with.
        calls: arguments of the calls that were done.
        claim_code: that it was given last.
        drop: asked for each frame that arrives; true: the line swallows it.
    """

    def __init__(self) -> None:
        self.info = info_of()
        self.patch = b""
        self.refuse = OtaStatus.OK
        self.verdict = OtaStatus.OK
        self.calls: list[bytes] = []
        self.claim_code = ""
        self.drop: Callable[[Message], bool] = lambda _: False
        self._offer: Offer | None = None
        self._reader = FrameReader()

    def receive(self, data: bytes) -> bytes:
        answer = b""
        for item in self._reader.feed(data):
            assert isinstance(item, Frame)
            message = message_of(item)
            assert message is not None
            if not self.drop(message):
                answer += b"".join(frame_of(answered) for answered in self._take(message))
        return answer

    def lose_power(self) -> None:
        """It starts again: a download is no longer open, what has come stays."""
        self._offer = None
        self.info = replace(self.info, download=None)
        if self.info.boot_state is BootState.TRIAL:
            self.info = replace(self.info, trial_count=self.info.trial_count + 1)

    def revert(self, reason: Reason) -> None:
        """The trial ends badly."""
        outcome = Outcome(RecordType.REJECTED, self.info.attempt, NEW[:16], reason)
        self.info = replace(info_of(), outcome=outcome)

    def _take(self, message: Message) -> list[Message]:
        match message:
            case InfoRequest():
                return [self.info]
            case Offer():
                return self._take_offer(message)
            case Data():
                return self._take_data(message)
            case Confirm():
                return [ConfirmAnswer(self._confirm(message))]
            case Call():
                self.calls.append(message.argument)
                known = message.name == b"double"
                status = OtaStatus.OK if known else OtaStatus.ERR_NOT_FOUND
                return [CallAnswer(message.call_id, status, 2 * int(message.argument) if known else 0)]
            case Claim():
                self.claim_code = message.code
                return [ClaimAnswer(self.refuse)]
            case Restart():
                return [RestartAnswer(OtaStatus.OK)]
        raise AssertionError(message)

    def _take_offer(self, offer: Offer) -> list[Message]:
        if self.refuse is not OtaStatus.OK:
            return [OfferAnswer(offer.attempt, self.refuse, 0)]
        self._offer = offer
        self.info = replace(self.info, download=(offer.digest, len(self.patch)))
        answer = OfferAnswer(offer.attempt, OtaStatus.OK, len(self.patch))
        return [answer, UpdateStatus(offer.attempt, UpdatePhase.ERASING, OtaStatus.OK, 0), self.fetch()]

    def fetch(self) -> Fetch:
        """What it asks for now."""
        assert self._offer is not None
        left = self._offer.patch_len - len(self.patch)
        return Fetch(self._offer.digest, len(self.patch), min(PIECE, left))

    def _take_data(self, data: Data) -> list[Message]:
        if self._offer is None or data.offset != len(self.patch):
            return []
        self.patch += data.content
        if len(self.patch) < self._offer.patch_len:
            return [self.fetch()]
        attempt, length = self._offer.attempt, len(self.patch)
        status = self.verdict
        if hashlib.sha256(self.patch).digest() != self._offer.digest:
            status = OtaStatus.ERR_PATCH_DIGEST
        if status is OtaStatus.OK:
            self.info = replace(info_of(NEW), boot_state=BootState.TRIAL, attempt=attempt, trial_count=1, slot=1)
        self._offer = None
        checking = UpdateStatus(attempt, UpdatePhase.CHECKING, OtaStatus.OK, length)
        return [checking, UpdateStatus(attempt, UpdatePhase.ENDED, status, length)]

    def _confirm(self, confirm: Confirm) -> OtaStatus:
        if confirm.identity != self.info.identity[:16]:
            return OtaStatus.ERR_IDENTITY
        self.info = replace(self.info, boot_state=BootState.CONFIRMED, trial_count=0)
        return OtaStatus.OK


class SimulatedTransport:
    """A SerialTransport to a SimulatedDevice. Time passes only while reading.

    Attributes:
        device: None is a line without a device.
        during: called at each read, before the device's bytes are taken.
    """

    def __init__(self, device: SimulatedDevice | None) -> None:
        self.device = device
        self.during: Callable[[], None] = lambda: None
        self.sent = b""
        self._now = 100.0
        self._waiting = b""

    def say(self, data: bytes) -> None:
        """The device sends bytes by itself."""
        self._waiting += data

    def read(self, timeout_s: float) -> bytes:
        self.during()
        data, self._waiting = self._waiting, b""
        self._now += 0.01 if data else timeout_s
        return data

    def write(self, data: bytes) -> None:
        self.sent += data
        if self.device is not None and data:
            answer = self.device.receive(data)  # it may say something by itself, too
            self._waiting += answer

    def time_s(self) -> float:
        return self._now
