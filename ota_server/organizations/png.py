# SPDX-License-Identifier: Apache-2.0
"""Checks that a file is a PNG image (RFC 2083) and nothing else."""

from __future__ import annotations

import struct
import zlib

from ota_server.errors import Invalid

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDE_MAX = 1024


def check_png(raw: bytes) -> None:
    """Its chunks, from the head to the end; not the picture, which only browsers decode. Raises Invalid."""
    if not raw.startswith(SIGNATURE):
        raise Invalid("a logo is a PNG file", "file")
    rest = raw[len(SIGNATURE) :]
    names: list[bytes] = []
    while rest:
        if len(rest) < 12:
            raise Invalid("this PNG file is cut off", "file")
        (size,) = struct.unpack_from(">I", rest)
        if size > len(rest) - 12:
            raise Invalid("this PNG file is cut off", "file")
        name, body = rest[4:8], rest[8 : 8 + size]
        if struct.unpack_from(">I", rest, 8 + size) != (zlib.crc32(name + body),):
            raise Invalid("this PNG file is damaged", "file")
        if not names:
            _check_head(name, body)
        names.append(name)
        rest = rest[12 + size :]
        if name == b"IEND":
            break
    if rest or not names or names[-1] != b"IEND" or b"IDAT" not in names:
        raise Invalid("this PNG file has no picture, or something behind it", "file")


def _check_head(name: bytes, body: bytes) -> None:
    if name != b"IHDR" or len(body) != 13:
        raise Invalid("this PNG file has no head", "file")
    width, height = struct.unpack_from(">II", body)
    if not (1 <= width <= SIDE_MAX and 1 <= height <= SIDE_MAX):
        raise Invalid(f"a logo has up to {SIDE_MAX} pixels on each side", "file")
