# SPDX-License-Identifier: Apache-2.0
"""Rows of a table in a field of a form: what somebody has looked at is what is changed, whatever is found by then."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence

from ota_server.errors import Invalid

_ROW_MAX = 2**53


def pack(rows: Iterable[int]) -> str:
    """Rows in rising order as text: their distances, a few bits each."""
    last, raw = 0, bytearray()
    for row in sorted(rows):
        distance, last = row - last, row
        while distance > 0x7F:
            raw.append(distance & 0x7F | 0x80)
            distance >>= 7
        raw.append(distance)
    return base64.urlsafe_b64encode(zlib.compress(bytes(raw), 9)).decode()


def unpack(text: str, rows_max: int) -> Sequence[int]:
    """What `pack` made. Raises Invalid."""
    inflate, rows, distance, shift, last = zlib.decompressobj(), [], 0, 0, 0
    try:
        raw = inflate.decompress(base64.urlsafe_b64decode(text.encode()), 8 * rows_max)
    except (zlib.error, binascii.Error, UnicodeEncodeError) as error:
        raise Invalid("this form's devices are cut off: begin again at the list", "devices") from error
    for byte in raw:
        distance |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            last += distance
            rows.append(last)
            distance = shift = 0
        if last > _ROW_MAX or shift > 56 or len(rows) > rows_max:
            raise Invalid("this form's devices are none: begin again at the list", "devices")
    return rows
