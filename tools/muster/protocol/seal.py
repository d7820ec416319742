# SPDX-License-Identifier: Apache-2.0
"""Sealed messages: COSE_Encrypt0 with ChaCha20-Poly1305 (docs/spec/device_protocol.md section 2; RFC 9052, 8439)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from muster.errors import ValueOutOfRange
from muster.protocol.errors import MessageFormatError, SealRefused

SESSION_ID_SIZE = 8
SESSION_KEY_SIZE = 32
TAG_SIZE = 16
COUNTER_MAX = 0xFFFF_FFFF
MESSAGE_SIZE_MAX = 1008

UP_OVERHEAD_MAX = 1 + 5 + 17 + 3 + TAG_SIZE
"""Most bytes of a message from a device that are not its report."""
DOWN_OVERHEAD_MAX = 1 + 5 + 1 + 3 + TAG_SIZE
"""The same for an answer."""

_PROTECTED = bytes.fromhex("44A1011818")  # a byte string that holds {1 (alg): 24 (ChaCha20/Poly1305)}
_UP_HEAD = b"\x83" + _PROTECTED + bytes.fromhex("A20448")
_DOWN_HEAD = b"\x83" + _PROTECTED + b"\xa0"
_AAD_HEAD = b"\x83\x68Encrypt0" + _PROTECTED + b"\x48"
_SESSION_ID_AT = len(_UP_HEAD)
_COUNTER_AT = _SESSION_ID_AT + SESSION_ID_SIZE


class Direction(IntEnum):
    """The first byte of the nonce: the two sides never use the same one."""

    UP = 0
    DOWN = 1


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """A message from a device, its header read and nothing of it believed yet.

    Attributes:
        session_id: 8 bytes.
        counter: 1 to 2^32 - 1.
        ciphertext: with its tag.
    """

    session_id: bytes
    counter: int
    ciphertext: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealedMessage:
        """Reads the header.

        Raises:
            MessageFormatError: not of the one form, or too long.
        """
        if len(raw) > MESSAGE_SIZE_MAX:
            raise MessageFormatError(f"a message has at most {MESSAGE_SIZE_MAX} bytes")
        if not raw.startswith(_UP_HEAD) or len(raw) < _COUNTER_AT + 2 or raw[_COUNTER_AT] != 0x06:
            raise MessageFormatError("not a COSE_Encrypt0 with session id and counter")
        size = raw[_COUNTER_AT + 1] - 0x40
        at = _COUNTER_AT + 2
        if not 1 <= size <= 4 or len(raw) - at < size or raw[at] == 0:
            raise MessageFormatError("counter is not 1 to 4 bytes in its shortest form")
        counter = int.from_bytes(raw[at : at + size], "big")
        return cls(raw[_SESSION_ID_AT:_COUNTER_AT], counter, _read_ciphertext(raw, at + size))

    def open(self, key: bytes) -> bytes:
        """The plaintext.

        Raises:
            SealRefused: not sealed under this key, session and counter by a device.
        """
        return _open(key, self.session_id, Direction.UP, self.counter, self.ciphertext)


def seal_up(session_id: bytes, key: bytes, counter: int, plaintext: bytes) -> bytes:
    """A message from a device.

    Raises:
        ValueOutOfRange: a size or the counter.
    """
    ciphertext = _seal(key, session_id, Direction.UP, counter, plaintext)
    digits = counter.to_bytes((counter.bit_length() + 7) // 8, "big")
    head = _UP_HEAD + session_id + bytes((0x06, 0x40 + len(digits))) + digits
    return _limited(head + _byte_string_head(len(ciphertext)) + ciphertext)


def seal_down(session_id: bytes, key: bytes, counter: int, plaintext: bytes) -> bytes:
    """The answer to the message with this counter. To be called once for a counter: there is one answer to it.

    Raises:
        ValueOutOfRange: a size or the counter.
    """
    ciphertext = _seal(key, session_id, Direction.DOWN, counter, plaintext)
    return _limited(_DOWN_HEAD + _byte_string_head(len(ciphertext)) + ciphertext)


def open_down(session_id: bytes, key: bytes, counter: int, raw: bytes) -> bytes:
    """The plaintext of the answer to the message with this counter.

    Raises:
        MessageFormatError: not of the one form, or too long.
        SealRefused: not the server's answer to this message.
    """
    if len(raw) > MESSAGE_SIZE_MAX:
        raise MessageFormatError(f"an answer has at most {MESSAGE_SIZE_MAX} bytes")
    if not raw.startswith(_DOWN_HEAD):
        raise MessageFormatError("not a COSE_Encrypt0 with an empty unprotected header")
    return _open(key, session_id, Direction.DOWN, counter, _read_ciphertext(raw, len(_DOWN_HEAD)))


def _nonce(direction: Direction, counter: int) -> bytes:
    return bytes((direction,)) + bytes(7) + counter.to_bytes(4, "big")


def _seal(key: bytes, session_id: bytes, direction: Direction, counter: int, plaintext: bytes) -> bytes:
    if len(session_id) != SESSION_ID_SIZE or len(key) != SESSION_KEY_SIZE:
        raise ValueOutOfRange(f"a session id has {SESSION_ID_SIZE} bytes, its key {SESSION_KEY_SIZE}")
    if not 1 <= counter <= COUNTER_MAX:
        raise ValueOutOfRange(f"counter {counter} is not in 1..{COUNTER_MAX}")
    return ChaCha20Poly1305(key).encrypt(_nonce(direction, counter), plaintext, _AAD_HEAD + session_id)


def _open(key: bytes, session_id: bytes, direction: Direction, counter: int, ciphertext: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(_nonce(direction, counter), ciphertext, _AAD_HEAD + session_id)
    except InvalidTag as error:
        raise SealRefused("the message cannot be opened") from error


def _limited(message: bytes) -> bytes:
    if len(message) > MESSAGE_SIZE_MAX:
        raise ValueOutOfRange(f"the message would have {len(message)} bytes, at most {MESSAGE_SIZE_MAX} are sent")
    return message


def _byte_string_head(size: int) -> bytes:
    if size < 24:
        return bytes((0x40 + size,))
    return bytes((0x58, size)) if size < 0x100 else b"\x59" + size.to_bytes(2, "big")


def _read_ciphertext(raw: bytes, at: int) -> bytes:
    """The byte string that must be the rest of `raw`, and holds at least a tag."""
    for head_size in (1, 2, 3):
        size = len(raw) - at - head_size
        if size >= TAG_SIZE and raw[at : at + head_size] == _byte_string_head(size):
            return raw[at + head_size :]
    raise MessageFormatError("ciphertext is not a byte string that ends the message")
