# SPDX-License-Identifier: Apache-2.0
"""The gateway's side of one serial link, without any port, clock or network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from muster.errors import FormatError
from muster.serial.frame import Frame, FrameReader
from muster.serial.lines import LogCallback, LogLines
from muster.serial.messages import (
    DATA_SIZE_MAX,
    EXCHANGE_SIZE_MAX,
    CheckIn,
    CheckInAnswer,
    Data,
    Fetch,
    Message,
    Open,
    OpenAnswer,
    UpdateStatus,
    frame_of,
)
from muster.serial.parse import message_of

NOT_REACHED = 0
"""In the place of an HTTP status: no server has answered."""
OK = 200


class ExchangeKind(StrEnum):
    """What a device asks the server; the value is the last part of the path (docs/spec/device_protocol.md)."""

    OPEN = "open"
    CHECK_IN = "check-in"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A message for the server, to be posted as it is.

    Attributes:
        number: the device's own, u16; the answer bears it again.
    """

    kind: ExchangeKind
    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class PatchRequest:
    """Bytes `[offset, offset + length)` of what has this SHA-256 are wanted; length is 1 to 1,020."""

    digest: bytes
    offset: int
    length: int


Request = Exchange | PatchRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered to an exchange.

    Attributes:
        status: of HTTP; NOT_REACHED when none has come.
        body: counts with status 200 only.
    """

    status: int
    body: bytes = b""


@dataclass(slots=True)
class PortCounts:
    """What went through one port, in bytes unless said otherwise.

    Attributes:
        up: from the device, everything.
        down: to the device, everything.
        patches: to the device, of patches and key sets.
        exchanges: messages forwarded.
        failures: messages that no server answered with status 200.
        bad_frames: from the device.
    """

    up: int = 0
    down: int = 0
    patches: int = 0
    exchanges: int = 0
    failures: int = 0
    bad_frames: int = 0


class GatewayPort:
    """One device: its bytes in, requests for the server out; the server's replies in, bytes for the device out.

    At most one exchange and one patch request are open. A newer one takes the place of an open one, whose reply then
    makes no bytes: the device has given it up, and may be erasing flash when the late reply comes.
    Any bytes may come from the device; what is no message for a gateway is left alone.

    Attributes:
        counts: since the object was made.
        update: the last UPDATE_STATUS since the last call of reset(), or None.
    """

    def __init__(self, on_log: LogCallback | None = None) -> None:
        """`on_log` gets each line of the device's log text, without its end."""
        self.counts = PortCounts()
        self.update: UpdateStatus | None = None
        self._lines = LogLines(on_log)
        self._reader = FrameReader()
        self._exchange: Exchange | None = None
        self._patch: PatchRequest | None = None

    @property
    def open_requests(self) -> list[Request]:
        """Requests whose replies the device still waits for."""
        return [request for request in (self._exchange, self._patch) if request is not None]

    def reset(self) -> None:
        """The port was lost: what was half received or asked for before counts no more."""
        self._reader = FrameReader()
        self._exchange = self._patch = None
        self.update = None

    def receive(self, data: bytes) -> list[Request]:
        """Takes bytes from the device; what is to be asked of the server now. A repetition of an open one is not."""
        self.counts.up += len(data)
        before = self._reader.bad_frames
        requests: list[Request] = []
        for item in self._reader.feed(data):
            if isinstance(item, Frame):
                request = self._take_frame(item)
                if request is not None:
                    requests.append(request)
            else:
                self._lines.feed(item)
        self.counts.bad_frames += self._reader.bad_frames - before
        # What came later in the same bytes may have taken an earlier one's place.
        return [request for request in requests if request in (self._exchange, self._patch)]

    def reply(self, request: Exchange, reply: Reply) -> bytes:
        """The server's reply to an exchange, as bytes for the device; none when it waits no longer."""
        if request != self._exchange:
            return b""
        self._exchange = None
        if reply.status == OK and len(reply.body) > EXCHANGE_SIZE_MAX:
            reply = Reply(NOT_REACHED)  # whoever that was, it was no Muster server
        self.counts.failures += reply.status != OK
        body = reply.body if reply.status == OK else b""
        answer: Message
        if request.kind is ExchangeKind.OPEN:
            answer = OpenAnswer(request.number, reply.status, body)
        else:
            answer = CheckInAnswer(request.number, reply.status, body)
        return self._sent(frame_of(answer))

    def piece(self, request: PatchRequest, content: bytes | None) -> bytes:
        """The wanted bytes (none: not to be had, for good) as bytes for the device.

        With None, for what cannot be had just now, nothing is sent: the device asks again.
        """
        if request != self._patch:
            return b""
        self._patch = None
        if content is None:
            return b""
        content = content[: request.length]
        self.counts.patches += len(content)
        return self._sent(frame_of(Data(request.offset, content)))

    def _sent(self, data: bytes) -> bytes:
        self.counts.down += len(data)
        return data

    def _take_frame(self, frame: Frame) -> Request | None:
        try:
            message = message_of(frame)
        except FormatError:
            return None  # its checksum holds, so this is another version of the protocol
        match message:
            case Open():
                return self._take_exchange(Exchange(ExchangeKind.OPEN, message.exchange, message.message))
            case CheckIn():
                return self._take_exchange(Exchange(ExchangeKind.CHECK_IN, message.exchange, message.message))
            case Fetch():
                return self._take_fetch(message)
            case UpdateStatus():
                self.update = message
        return None

    def _take_exchange(self, exchange: Exchange) -> Request | None:
        if exchange == self._exchange:
            return None
        self._exchange = exchange
        self.counts.exchanges += 1
        return exchange

    def _take_fetch(self, fetch: Fetch) -> Request | None:
        request = PatchRequest(fetch.digest, fetch.offset, fetch.length)
        if request == self._patch or not 1 <= fetch.length <= DATA_SIZE_MAX:
            return None
        self._patch = request
        return request
