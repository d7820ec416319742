# SPDX-License-Identifier: Apache-2.0
"""Messages on the serial link: docs/spec/serial_link.md section 2. All integers are little-endian.

Every message is a frozen dataclass with `type`, `to_body()` and `from_body()`; `message_of()` parses a frame.
Parsing raises FormatError for a body that is not exactly what the type asks for.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Protocol, Self

from muster.errors import FormatError, ValueOutOfRange
from muster.protocol.report import CLAIM_CODE_SIZE, check_claim_code
from muster.serial.frame import BODY_MAX, Frame
from muster.status import OtaStatus

IDENTITY_SIZE = 32
IDENTITY_SHORT_SIZE = 16
DIGEST_SIZE = 32
DATA_SIZE_MAX = BODY_MAX - 4
CALL_NAME_MAX = 12
CALL_ARGUMENT_MAX = 622
EXCHANGE_SIZE_MAX = 1008

_OFFER = struct.Struct("<I32s32sII")
_OFFER_ANSWER = struct.Struct("<IhI")
_FETCH = struct.Struct("<32sIH")
_CALL_ANSWER = struct.Struct("<Hhi")
_UPDATE_STATUS = struct.Struct("<IBhI")
_EXCHANGE = struct.Struct("<H")
_EXCHANGE_ANSWER = struct.Struct("<HH")


class MessageType(IntEnum):
    """First byte of a frame."""

    INFO_REQUEST = 0x01
    OFFER = 0x02
    CONFIRM = 0x03
    FETCH = 0x04
    RESTART = 0x05
    CALL = 0x06
    UPDATE_STATUS = 0x07
    OPEN = 0x08
    CHECK_IN = 0x09
    INFO = 0x81
    OFFER_ANSWER = 0x82
    CONFIRM_ANSWER = 0x83
    DATA = 0x84
    RESTART_ANSWER = 0x85
    CALL_ANSWER = 0x86
    OPEN_ANSWER = 0x88
    CHECK_IN_ANSWER = 0x89
    CLAIM = 0x0A
    CLAIM_ANSWER = 0x8A


class UpdatePhase(IntEnum):
    """What UPDATE_STATUS announces."""

    ERASING = 1
    """The device is silent for up to 12 s."""
    CHECKING = 2
    """All bytes are there; the device is silent for up to 2 s."""
    ENDED = 3
    """Status OK: staged, the device restarts; else why it stopped."""


class Message(Protocol):
    """One message."""

    type: ClassVar[MessageType]

    def to_body(self) -> bytes: ...

    @classmethod
    def from_body(cls, body: bytes) -> Self: ...


def frame_of(message: Message) -> bytes:
    """The message as it goes over the line."""
    return Frame(message.type, message.to_body()).to_bytes()


@dataclass(frozen=True, slots=True)
class InfoRequest:
    """Asks the device for INFO (`muster.serial.info.Info`)."""

    type: ClassVar[MessageType] = MessageType.INFO_REQUEST

    def to_body(self) -> bytes:
        return b""

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, not body)
        return cls()


@dataclass(frozen=True, slots=True)
class Offer:
    """Offers an update.

    Attributes:
        attempt: u32, another one for every offer that is not a repetition.
        identity: of the image that the patch makes, 32 bytes.
        digest: SHA-256 of the patch.
        patch_len, image_len: bytes.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    type: ClassVar[MessageType] = MessageType.OFFER
    attempt: int
    identity: bytes
    digest: bytes
    patch_len: int
    image_len: int

    def __post_init__(self) -> None:
        if len(self.identity) != IDENTITY_SIZE or len(self.digest) != DIGEST_SIZE:
            raise ValueOutOfRange("identity and digest have 32 bytes each")
        if not all(0 <= value < 2**32 for value in (self.attempt, self.patch_len, self.image_len)):
            raise ValueOutOfRange("attempt and lengths are u32")

    @classmethod
    def of_patch(cls, attempt: int, identity: bytes, image_len: int, patch: bytes) -> Self:
        """The offer of a patch that makes the image with this identity and length."""
        return cls(attempt, identity, hashlib.sha256(patch).digest(), len(patch), image_len)

    def to_body(self) -> bytes:
        return _OFFER.pack(self.attempt, self.identity, self.digest, self.patch_len, self.image_len)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == _OFFER.size)
        return cls(*_OFFER.unpack(body))


@dataclass(frozen=True, slots=True)
class OfferAnswer:
    """Whether the device takes the offer; `patch_off` patch bytes are there already."""

    type: ClassVar[MessageType] = MessageType.OFFER_ANSWER
    attempt: int
    status: OtaStatus
    patch_off: int

    def to_body(self) -> bytes:
        return _OFFER_ANSWER.pack(self.attempt, self.status, self.patch_off)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == _OFFER_ANSWER.size)
        attempt, status, patch_off = _OFFER_ANSWER.unpack(body)
        return cls(attempt, _status(status), patch_off)


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ends a trial well. `identity` names the image, its first 16 bytes."""

    type: ClassVar[MessageType] = MessageType.CONFIRM
    identity: bytes

    def __post_init__(self) -> None:
        if len(self.identity) != IDENTITY_SHORT_SIZE:
            raise ValueOutOfRange(f"CONFIRM names {IDENTITY_SHORT_SIZE} bytes of identity")

    def to_body(self) -> bytes:
        return self.identity

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == IDENTITY_SHORT_SIZE)
        return cls(body)


@dataclass(frozen=True, slots=True)
class ConfirmAnswer:
    """OK also when the image was confirmed before."""

    type: ClassVar[MessageType] = MessageType.CONFIRM_ANSWER
    status: OtaStatus

    def to_body(self) -> bytes:
        return struct.pack("<h", self.status)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        return cls(_status_body(cls.type, body))


@dataclass(frozen=True, slots=True)
class Fetch:
    """The device asks for bytes `[offset, offset + length)` of the patch with this digest."""

    type: ClassVar[MessageType] = MessageType.FETCH
    digest: bytes
    offset: int
    length: int

    def to_body(self) -> bytes:
        return _FETCH.pack(self.digest, self.offset, self.length)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == _FETCH.size)
        return cls(*_FETCH.unpack(body))


@dataclass(frozen=True, slots=True)
class Data:
    """Patch bytes from `offset`, at most as many as were asked for; none: the host does not have them."""

    type: ClassVar[MessageType] = MessageType.DATA
    offset: int
    content: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.offset < 2**32 or len(self.content) > DATA_SIZE_MAX:
            raise ValueOutOfRange(f"DATA carries at most {DATA_SIZE_MAX} bytes")

    def to_body(self) -> bytes:
        return struct.pack("<I", self.offset) + self.content

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) >= 4)
        return cls(int.from_bytes(body[:4], "little"), body[4:])


@dataclass(frozen=True, slots=True)
class Restart:
    """Restarts the device; refused in a trial, where it would count against the image."""

    type: ClassVar[MessageType] = MessageType.RESTART

    def to_body(self) -> bytes:
        return b""

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, not body)
        return cls()


@dataclass(frozen=True, slots=True)
class RestartAnswer:
    """Comes before the restart."""

    type: ClassVar[MessageType] = MessageType.RESTART_ANSWER
    status: OtaStatus

    def to_body(self) -> bytes:
        return struct.pack("<h", self.status)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        return cls(_status_body(cls.type, body))


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function of the product by name. A repetition with the same id is done once.

    Raises:
        ValueOutOfRange: a name of more than 12 bytes, or an argument of more than 622.
    """

    type: ClassVar[MessageType] = MessageType.CALL
    call_id: int
    name: bytes
    argument: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.call_id < 2**16:
            raise ValueOutOfRange("a call id is a u16")
        if len(self.name) > CALL_NAME_MAX or len(self.argument) > CALL_ARGUMENT_MAX:
            raise ValueOutOfRange(f"a name has at most {CALL_NAME_MAX} bytes, an argument {CALL_ARGUMENT_MAX}")

    def to_body(self) -> bytes:
        return struct.pack("<HB", self.call_id, len(self.name)) + self.name + self.argument

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) >= 3 and body[2] <= min(CALL_NAME_MAX, len(body) - 3))
        end = 3 + body[2]
        _expect(cls.type, len(body) - end <= CALL_ARGUMENT_MAX)
        return cls(int.from_bytes(body[:2], "little"), body[3:end], body[end:])


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What a function returned; `result` counts only with status OK."""

    type: ClassVar[MessageType] = MessageType.CALL_ANSWER
    call_id: int
    status: OtaStatus
    result: int

    def to_body(self) -> bytes:
        return _CALL_ANSWER.pack(self.call_id, self.status, self.result)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == _CALL_ANSWER.size)
        call_id, status, result = _CALL_ANSWER.unpack(body)
        return cls(call_id, _status(status), result)


@dataclass(frozen=True, slots=True)
class Claim:
    """Gives the device a claim code to tell the server. Raises ValueOutOfRange as `check_claim_code`."""

    type: ClassVar[MessageType] = MessageType.CLAIM
    code: str

    def __post_init__(self) -> None:
        check_claim_code(self.code)

    def to_body(self) -> bytes:
        return self.code.encode("ascii")

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == CLAIM_CODE_SIZE and all(0x21 <= byte <= 0x7E for byte in body))
        return cls(body.decode("ascii"))


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the device has kept the claim code."""

    type: ClassVar[MessageType] = MessageType.CLAIM_ANSWER
    status: OtaStatus

    def to_body(self) -> bytes:
        return struct.pack("<h", self.status)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        return cls(_status_body(cls.type, body))


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """The device tells how an update goes; `patch_off` patch bytes have been decoded."""

    type: ClassVar[MessageType] = MessageType.UPDATE_STATUS
    attempt: int
    phase: UpdatePhase
    status: OtaStatus
    patch_off: int

    def to_body(self) -> bytes:
        return _UPDATE_STATUS.pack(self.attempt, self.phase, self.status, self.patch_off)

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        _expect(cls.type, len(body) == _UPDATE_STATUS.size)
        attempt, phase, status, patch_off = _UPDATE_STATUS.unpack(body)
        _expect(cls.type, phase in iter(UpdatePhase))
        return cls(attempt, UpdatePhase(phase), _status(status), patch_off)


@dataclass(frozen=True, slots=True)
class _ToServer:
    """What a gateway forwards to the server.

    Attributes:
        exchange: u16, tells the answer from those to earlier messages.
        message: at most 1,008 bytes.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    type: ClassVar[MessageType]
    exchange: int
    message: bytes

    def __post_init__(self) -> None:
        _check_exchange(self.exchange, self.message)

    def to_body(self) -> bytes:
        return _EXCHANGE.pack(self.exchange) + self.message

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        return cls(*_exchange_body(cls.type, body))


@dataclass(frozen=True, slots=True)
class _FromServer:
    """What a gateway brings back.

    Attributes:
        exchange: that of the question.
        http_status: as the server said it; 0 when it was not reached.
        answer: the body, at most 1,008 bytes.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    type: ClassVar[MessageType]
    exchange: int
    http_status: int
    answer: bytes

    def __post_init__(self) -> None:
        _check_exchange(self.exchange, self.answer, self.http_status)

    def to_body(self) -> bytes:
        return _EXCHANGE_ANSWER.pack(self.exchange, self.http_status) + self.answer

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        return cls(*_exchange_answer_body(cls.type, body))


class Open(_ToServer):
    """The device opens a session: `POST /device/v1/open`."""

    __slots__ = ()
    type = MessageType.OPEN


class OpenAnswer(_FromServer):
    """What the server answered to OPEN."""

    __slots__ = ()
    type = MessageType.OPEN_ANSWER


class CheckIn(_ToServer):
    """The device reports to the server: `POST /device/v1/check-in`."""

    __slots__ = ()
    type = MessageType.CHECK_IN


class CheckInAnswer(_FromServer):
    """What the server answered to CHECK_IN."""

    __slots__ = ()
    type = MessageType.CHECK_IN_ANSWER


def _check_exchange(number: int, content: bytes, http_status: int = 0) -> None:
    if not 0 <= number < 2**16 or not 0 <= http_status < 2**16:
        raise ValueOutOfRange("exchange and HTTP status are u16")
    if len(content) > EXCHANGE_SIZE_MAX:
        raise ValueOutOfRange(f"a message to the server and its answer have at most {EXCHANGE_SIZE_MAX} bytes")


def _exchange_body(kind: MessageType, body: bytes) -> tuple[int, bytes]:
    _expect(kind, _EXCHANGE.size <= len(body) <= _EXCHANGE.size + EXCHANGE_SIZE_MAX)
    return int.from_bytes(body[:2], "little"), body[_EXCHANGE.size :]


def _exchange_answer_body(kind: MessageType, body: bytes) -> tuple[int, int, bytes]:
    _expect(kind, _EXCHANGE_ANSWER.size <= len(body) <= _EXCHANGE_ANSWER.size + EXCHANGE_SIZE_MAX)
    number, http_status = _EXCHANGE_ANSWER.unpack_from(body)
    return number, http_status, body[_EXCHANGE_ANSWER.size :]


def _expect(kind: MessageType, holds: bool) -> None:
    if not holds:
        raise FormatError(f"not the body of a {kind.name} message", OtaStatus.ERR_MESSAGE)


def _status(value: int) -> OtaStatus:
    try:
        return OtaStatus(value)
    except ValueError as error:
        raise FormatError(f"there is no status {value}", OtaStatus.ERR_MESSAGE) from error


def _status_body(kind: MessageType, body: bytes) -> OtaStatus:
    _expect(kind, len(body) == 2)
    return _status(int.from_bytes(body, "little", signed=True))
