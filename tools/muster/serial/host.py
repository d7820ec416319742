# SPDX-License-Identifier: Apache-2.0
"""The host's side of one update over the serial link, without any port or clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from muster.device.bootlog import RecordType
from muster.errors import FormatError, ValueOutOfRange
from muster.serial.frame import Frame, FrameReader
from muster.serial.info import BootState, Info
from muster.serial.lines import LogCallback, LogLines
from muster.serial.messages import (
    Confirm,
    ConfirmAnswer,
    Data,
    Fetch,
    InfoRequest,
    Message,
    Offer,
    OfferAnswer,
    UpdatePhase,
    UpdateStatus,
    frame_of,
)
from muster.serial.parse import message_of
from muster.status import OtaStatus

_ASK_S = 1.0
"""Between two questions to a device that does not answer: it is off, or its flash is busy."""
_TRIAL_S = 5.0
"""Between two looks at a trial that is not to be confirmed."""
_FETCH_S = 6.0
"""The device repeats an unanswered FETCH every 2 s."""
_PATIENCE_S = {UpdatePhase.ERASING: 15.0, UpdatePhase.CHECKING: 5.0, UpdatePhase.ENDED: 1.0}
"""How long the device may be silent after it has announced a phase."""


class UpdateState(StrEnum):
    """Where an update stands."""

    ASKING = "asking"
    """The device's own word is needed before the next step."""
    OFFERED = "offered"
    SENDING = "sending"
    """The device asks for pieces of the patch."""
    ERASING = "erasing"
    CHECKING = "checking"
    STAGED = "staged"
    """The device restarts into the new image."""
    TRIAL = "trial"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """The device took the offer or the patch not; `status` says why."""
    REVERTED = "reverted"
    """The new image was tried and given up; the reason is in the last Info's outcome."""


FINAL_STATES = frozenset({UpdateState.CONFIRMED, UpdateState.REFUSED, UpdateState.REVERTED})


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """One step of an update.

    Attributes:
        state: where it stands now.
        patch_off: how many patch bytes the device has, as far as is known.
        patch_len: how many there are.
    """

    state: UpdateState
    patch_off: int
    patch_len: int


class UpdateHost:
    """Brings one device to one image, whatever happens on the way: offers the patch, serves it, confirms the trial.

    It decides only by what the device says, so a device that loses power or frames goes on where it was. Bytes and time
    come in, bytes to send come out: `receive()` takes what the device sent (it fits an emulated UART's peer), `tick()`
    is to be called at first, and again when the time is `wake_at`. `state` ends in one of FINAL_STATES.

    Attributes:
        state: where the update stands.
        status: why it was refused; OK otherwise.
        info: the newest INFO of the device, or None.
        served_bytes: patch bytes sent, repetitions included.
        wake_at: the time at which tick() is to be called.
    """

    def __init__(
        self,
        offer: Offer,
        patch: bytes,
        *,
        confirm: bool = True,
        on_log: LogCallback | None = None,
        on_progress: Callable[[UpdateProgress], None] | None = None,
    ) -> None:
        """`patch` must be the one of `offer`. With `confirm` False the trial is watched until the device reverts.

        Raises:
            ValueOutOfRange: the patch has another length than the offer says.
        """
        if len(patch) != offer.patch_len:
            raise ValueOutOfRange(f"the offer is of {offer.patch_len} bytes, the patch has {len(patch)}")
        self.offer = offer
        self.state = UpdateState.ASKING
        self.status = OtaStatus.OK
        self.info: Info | None = None
        self.served_bytes = 0
        self.wake_at = 0.0
        self._patch = patch
        self._confirm = confirm
        self._on_progress = on_progress
        self._lines = LogLines(on_log)
        self._reader = FrameReader()
        self._patch_off = 0
        self._now = 0.0

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in FINAL_STATES

    @property
    def bad_frames(self) -> int:
        """Broken frames that came from the device."""
        return self._reader.bad_frames

    def receive(self, data: bytes, time: float) -> bytes:
        """Takes bytes from the device at `time` (seconds of any steady clock); the answer is to be sent."""
        self._now = time
        answer = b""
        for item in self._reader.feed(data):
            if isinstance(item, Frame):
                answer += self._take_frame(item)
            else:
                self._lines.feed(item)
        return answer

    def tick(self, time: float) -> bytes:
        """Says what to send now that `time` has come; nothing before `wake_at`."""
        self._now = time
        if self.done or time < self.wake_at:
            return b""
        # Silence: whatever was under way, the device knows best.
        self._move(UpdateState.ASKING, _ASK_S)
        return frame_of(InfoRequest())

    def _take_frame(self, frame: Frame) -> bytes:
        try:
            message = message_of(frame)
        except FormatError:
            return b""  # its checksum holds, so this is another version of the protocol: no answer to it
        if message is None or self.done:
            return b""
        return self._take(message)

    def _take(self, message: Message) -> bytes:
        match message:
            case Info():
                self.info = message
                return self._reconcile(message)
            case OfferAnswer() if message.attempt == self.offer.attempt:
                return self._take_offer_answer(message)
            case Fetch() if message.digest == self.offer.digest:
                return self._serve(message)
            case UpdateStatus() if message.attempt == self.offer.attempt:
                return self._take_update_status(message)
            case ConfirmAnswer():
                return self._ask()
        return b""

    def _reconcile(self, info: Info) -> bytes:
        """From what the device says to the next step."""
        if info.identity == self.offer.identity:
            return self._reconcile_target(info)
        outcome = info.outcome
        failed = (RecordType.REJECTED, RecordType.INTERRUPTED)
        if outcome is not None and outcome.attempt == self.offer.attempt and outcome.type in failed:
            self._end(UpdateState.REVERTED)
            return b""
        if info.download is not None and info.download[0] == self.offer.digest:
            self._patch_off = info.download[1]
            self._move(UpdateState.SENDING, _FETCH_S)
            return b""
        self._move(UpdateState.OFFERED, _ASK_S)
        return frame_of(self.offer)

    def _reconcile_target(self, info: Info) -> bytes:
        if info.boot_state is BootState.CONFIRMED:
            self._end(UpdateState.CONFIRMED)
            return b""
        if not self._confirm:
            self._move(UpdateState.TRIAL, _TRIAL_S)
            return b""
        self._move(UpdateState.CONFIRMING, _ASK_S)
        return frame_of(Confirm(self.offer.identity[:16]))

    def _take_offer_answer(self, answer: OfferAnswer) -> bytes:
        if answer.status is not OtaStatus.OK:
            self._end(UpdateState.REFUSED, answer.status)
            return b""
        self._patch_off = answer.patch_off
        self._move(UpdateState.SENDING, _FETCH_S)
        return b""

    def _serve(self, fetch: Fetch) -> bytes:
        piece = self._patch[fetch.offset : fetch.offset + fetch.length]
        self.served_bytes += len(piece)
        self._patch_off = fetch.offset
        self._move(UpdateState.SENDING, _FETCH_S)
        return frame_of(Data(fetch.offset, piece))

    def _take_update_status(self, update: UpdateStatus) -> bytes:
        self._patch_off = update.patch_off
        if update.phase is not UpdatePhase.ENDED:
            state = UpdateState.ERASING if update.phase is UpdatePhase.ERASING else UpdateState.CHECKING
            self._move(state, _PATIENCE_S[update.phase])
        elif update.status is OtaStatus.OK:
            self._move(UpdateState.STAGED, _PATIENCE_S[update.phase])
        elif update.status is OtaStatus.ERR_TIMEOUT:
            return self._ask()  # the line was down for long; the device has kept its checkpoint
        else:
            self._end(UpdateState.REFUSED, update.status)
        return b""

    def _ask(self) -> bytes:
        self._move(UpdateState.ASKING, _ASK_S)
        return frame_of(InfoRequest())

    def _end(self, state: UpdateState, status: OtaStatus = OtaStatus.OK) -> None:
        self.status = status
        self._move(state, 0.0)

    def _move(self, state: UpdateState, patience_s: float) -> None:
        self.state = state
        self.wake_at = self._now + patience_s
        if self._on_progress is not None:
            self._on_progress(UpdateProgress(state, self._patch_off, self.offer.patch_len))
