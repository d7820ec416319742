# SPDX-License-Identifier: Apache-2.0
"""A device at the other end of a byte stream, asked question by question."""

from __future__ import annotations

from typing import Protocol, TypeVar

from muster.errors import DeviceError, FormatError
from muster.serial.frame import Frame, FrameReader
from muster.serial.host import UpdateHost
from muster.serial.info import Info
from muster.serial.lines import LogCallback, LogLines
from muster.serial.messages import (
    Call,
    CallAnswer,
    Claim,
    ClaimAnswer,
    Confirm,
    ConfirmAnswer,
    InfoRequest,
    Message,
    Restart,
    RestartAnswer,
    frame_of,
)
from muster.serial.parse import message_of
from muster.status import OtaStatus

_Answer = TypeVar("_Answer", bound=Message)


class SerialTransport(Protocol):
    """A byte stream with a clock: a serial port, or an emulated UART in virtual time."""

    def read(self, timeout_s: float) -> bytes:
        """Waits until bytes are there and takes them; empty when none came in time."""
        ...

    def write(self, data: bytes) -> None: ...

    def time_s(self) -> float:
        """Seconds of a steady clock."""
        ...


class Link:
    """Questions to a device, each repeated until it answers.

    Every method raises DeviceError when the device does not answer `tries` times, each within `timeout_s` seconds, or
    answers with a failure (`status` is the device's).
    """

    def __init__(
        self, transport: SerialTransport, *, on_log: LogCallback | None = None, timeout_s: float = 2.0, tries: int = 5
    ) -> None:
        self._transport = transport
        self._lines = LogLines(on_log)
        self._reader = FrameReader()
        self._timeout_s = timeout_s
        self._tries = tries
        self._last_call_id = 0

    def info(self) -> Info:
        """What the device says about itself."""
        return self._ask(InfoRequest(), Info)

    def confirm(self, identity: bytes) -> None:
        """Confirms the trial of the image with this identity (32 bytes)."""
        self._check(self._ask(Confirm(identity[:16]), ConfirmAnswer).status)

    def restart(self) -> None:
        """Restarts the device."""
        self._check(self._ask(Restart(), RestartAnswer).status)

    def call(self, name: str, argument: str = "") -> int:
        """Calls a function of the product; returns its result."""
        # Not the id of another host's last call: the device would take it for a repetition.
        before = self._last_call_id or int(self._transport.time_s() * 1000)
        self._last_call_id = (before + 1) & 0xFFFF
        answer = self._ask(Call(self._last_call_id, name.encode(), argument.encode()), CallAnswer)
        self._check(answer.status)
        return answer.result

    def claim(self, code: str) -> None:
        """Gives the device a claim code, which it tells the server at its next check-in."""
        self._check(self._ask(Claim(code), ClaimAnswer).status)

    def listen(self, timeout_s: float) -> None:
        """Waits until the device says something, at most `timeout_s` seconds; log lines go to `on_log`."""
        self._messages(self._transport.read(timeout_s))

    def update(self, host: UpdateHost, timeout_s: float) -> None:
        """Runs an update to one of its final states.

        Raises:
            DeviceError: it was not done in time (status ERR_TIMEOUT).
        """
        deadline = self._transport.time_s() + timeout_s
        while not host.done:
            now = self._transport.time_s()
            if now >= deadline:
                raise DeviceError(f"the update stopped as {host.state}: no progress in time", OtaStatus.ERR_TIMEOUT)
            self._transport.write(host.tick(now))
            data = self._transport.read(max(0.0, min(host.wake_at, deadline) - now))
            self._transport.write(host.receive(data, self._transport.time_s()))

    def _ask(self, question: Message, kind: type[_Answer]) -> _Answer:
        for _ in range(self._tries):
            self._transport.write(frame_of(question))
            deadline = self._transport.time_s() + self._timeout_s
            while (left := deadline - self._transport.time_s()) > 0:
                for answer in self._messages(self._transport.read(left)):
                    if isinstance(answer, kind) and _belongs(question, answer):
                        return answer
        raise DeviceError(f"the device does not answer {question.type.name}", OtaStatus.ERR_TIMEOUT)

    def _messages(self, data: bytes) -> list[Message]:
        messages: list[Message] = []
        for item in self._reader.feed(data):
            if isinstance(item, Frame):
                try:
                    message = message_of(item)
                except FormatError:
                    continue  # another version of the protocol
                if message is not None:
                    messages.append(message)
            else:
                self._lines.feed(item)
        return messages

    def _check(self, status: OtaStatus) -> None:
        if status is not OtaStatus.OK:
            raise DeviceError(f"the device refuses: {status.text}", status)


def _belongs(question: Message, answer: Message) -> bool:
    """An answer to an earlier call is not this one's."""
    return not isinstance(question, Call) or not isinstance(answer, CallAnswer) or question.call_id == answer.call_id
