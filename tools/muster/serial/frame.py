# SPDX-License-Identifier: Apache-2.0
"""Frames and text on the serial link: docs/spec/serial_link.md section 1."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from muster.errors import ValueOutOfRange

BODY_MAX = 1024
_CRC_SIZE = 4
_RAW_MAX = 1 + BODY_MAX + _CRC_SIZE
_CODED_MAX = _RAW_MAX + _RAW_MAX // 254 + 1
_BLOCK = 254


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        type: 0 to 255; `muster.serial.messages` knows what they mean.
        body: at most 1,024 bytes.

    Raises:
        ValueOutOfRange: one of them is not.
    """

    type: int
    body: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.type <= 0xFF or len(self.body) > BODY_MAX:
            raise ValueOutOfRange(f"a frame has a type of one byte and at most {BODY_MAX} bytes of body")

    def to_bytes(self) -> bytes:
        """The frame as it goes over the line, delimiters included."""
        raw = bytes((self.type,)) + self.body
        raw += zlib.crc32(raw).to_bytes(_CRC_SIZE, "little")
        return b"\x00" + cobs_encode(raw) + b"\x00"


def cobs_encode(raw: bytes) -> bytes:
    """Consistent Overhead Byte Stuffing: `raw` without 0x00 bytes, one byte longer per started 254."""
    coded = bytearray()
    parts = raw.split(b"\x00")
    for number, part in enumerate(parts):
        while len(part) >= _BLOCK:
            coded += b"\xff" + part[:_BLOCK]
            part = part[_BLOCK:]
            if not part and number == len(parts) - 1:
                return bytes(coded)  # a full block at the end implies no zero byte
        coded.append(len(part) + 1)
        coded += part
    return bytes(coded)


def cobs_decode(coded: bytes) -> bytes | None:
    """The bytes that `coded` stands for; None when it is no encoding."""
    raw = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        part = coded[at + 1 : at + code]
        if code == 0 or len(part) != code - 1 or 0 in part:
            return None
        raw += part
        at += code
        if code != 0xFF and at < len(coded):
            raw.append(0)
    return bytes(raw)


class FrameReader:
    """Takes a byte stream apart into frames and the text between them. Any bytes may come, in pieces of any size.

    Attributes:
        bad_frames: how often something between two delimiters was no frame.
    """

    def __init__(self) -> None:
        self.bad_frames = 0
        self._inside = False
        self._coded = bytearray()

    def feed(self, data: bytes) -> list[Frame | bytes]:
        """Frames and pieces of text in the order in which they came; a frame once its last byte is there."""
        found: list[Frame | bytes] = []
        text = bytearray()
        for byte in data:
            frame = None
            if byte == 0:
                frame = self._delimiter()
            elif self._inside:
                self._inner(byte)
            else:
                text.append(byte)
            if frame is not None:
                if text:
                    found.append(bytes(text))
                    text.clear()
                found.append(frame)
        if text:
            found.append(bytes(text))
        return found

    def _inner(self, byte: int) -> None:
        if len(self._coded) < _CODED_MAX:
            self._coded.append(byte)
        else:  # longer than any frame: the delimiter was a stray one
            self.bad_frames += 1
            self._inside = False

    def _delimiter(self) -> Frame | None:
        coded, self._coded = bytes(self._coded), bytearray()
        if not self._inside or not coded:
            self._inside = True
            return None
        frame = _decoded(coded)
        # After a frame text follows; after anything else this delimiter may be the one that begins a frame.
        self._inside = frame is None
        self.bad_frames += frame is None
        return frame


def _decoded(coded: bytes) -> Frame | None:
    raw = cobs_decode(coded)
    if raw is None or not 1 + _CRC_SIZE <= len(raw) <= _RAW_MAX:
        return None
    if zlib.crc32(raw[:-_CRC_SIZE]) != int.from_bytes(raw[-_CRC_SIZE:], "little"):
        return None
    return Frame(raw[0], raw[1:-_CRC_SIZE])
