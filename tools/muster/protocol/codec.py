# SPDX-License-Identifier: Apache-2.0
"""The CBOR of the device protocol (docs/spec/device_protocol.md, "Encoding"; RFC 8949 section 4.2.1).

Values are int (-2^31 to 2^32 - 1), bytes, str, bool, None, list, and dict with unsigned keys. A general decoder would
turn tags into rich objects, cycles among them, before they could be refused; so hostile bytes are read here, by rules
that the device's reader shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import cbor2

from muster.errors import ValueOutOfRange
from muster.protocol.errors import MessageFormatError

DEPTH_MAX = 6
"""How deep arrays and maps may stand in each other."""

U16_MAX = 0xFFFF
U32_MAX = 0xFFFF_FFFF
INT_MIN = -0x8000_0000
INT_MAX = 0x7FFF_FFFF

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _, _SIMPLE = range(8)
_SIMPLE_VALUES: dict[int, object] = {20: False, 21: True, 22: None}
_SHORTEST_ABOVE = {24: 23, 25: 0xFF, 26: 0xFFFF}

T = TypeVar("T")


def dumps(value: object) -> bytes:
    """The one encoding of a value."""
    encoded: bytes = cbor2.dumps(value, canonical=True)
    return encoded


def loads(raw: bytes) -> object:
    """The value of which `raw` is the one encoding.

    Raises:
        MessageFormatError: anything else.
    """
    value, end = _item(raw, 0, DEPTH_MAX)
    if end != len(raw):
        raise MessageFormatError("bytes behind the end of a CBOR item")
    return value


def load_map(raw: bytes, name: str) -> dict[int, object]:
    """The same for bytes that must hold a map."""
    value = loads(raw)
    if type(value) is not dict:
        raise MessageFormatError(f"{name} is not a map")
    return value


def _head(raw: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument and where the item goes on."""
    if at >= len(raw):
        raise MessageFormatError("CBOR is cut short")
    initial = raw[at]
    major, argument = initial >> 5, initial & 31
    at += 1
    if argument < 24:
        return major, argument, at
    if argument > 26:
        raise MessageFormatError("CBOR number longer than 32 bits, or of indefinite length")
    end = at + (1 << (argument - 24))
    if end > len(raw):
        raise MessageFormatError("CBOR is cut short")
    number = int.from_bytes(raw[at:end], "big")
    if number <= _SHORTEST_ABOVE[argument]:
        raise MessageFormatError("CBOR number in a longer form than needed")
    return major, number, end


def _item(raw: bytes, at: int, depth: int) -> tuple[object, int]:
    major, number, at = _head(raw, at)
    if major == _UINT:
        return number, at
    if major == _BYTES:
        if number > len(raw) - at:
            raise MessageFormatError("CBOR is cut short")
        return raw[at : at + number], at + number
    if major == _TEXT:
        if number > len(raw) - at:
            raise MessageFormatError("CBOR is cut short")
        try:
            return raw[at : at + number].decode(), at + number
        except UnicodeDecodeError as error:
            raise MessageFormatError("text is not UTF-8") from error
    if major == _NEGATIVE:
        if number > INT_MAX:
            raise MessageFormatError("CBOR number below -2^31")
        return -1 - number, at
    if major in (_ARRAY, _MAP):
        if depth == 0:
            raise MessageFormatError(f"CBOR nested deeper than {DEPTH_MAX}")
        # Every item takes a byte: a count beyond that is refused before anything is made for it.
        if number > len(raw) - at:
            raise MessageFormatError("CBOR is cut short")
        return _array(raw, at, number, depth) if major == _ARRAY else _map(raw, at, number, depth)
    if major == _SIMPLE and number in _SIMPLE_VALUES:
        return _SIMPLE_VALUES[number], at
    raise MessageFormatError("CBOR of a type that the protocol does not use")


def _array(raw: bytes, at: int, count: int, depth: int) -> tuple[object, int]:
    items = []
    for _ in range(count):
        item, at = _item(raw, at, depth - 1)
        items.append(item)
    return items, at


def _map(raw: bytes, at: int, count: int, depth: int) -> tuple[object, int]:
    pairs: dict[int, object] = {}
    last = -1
    for _ in range(count):
        major, key, at = _head(raw, at)
        if major != _UINT or key <= last:
            raise MessageFormatError("map keys are not rising unsigned numbers")
        pairs[key], at = _item(raw, at, depth - 1)
        last = key
    return pairs, at


# Checks of one value. They raise ValueOutOfRange; `parsed` turns that into MessageFormatError where bytes were read.


def check_uint(value: object, name: str, highest: int = U32_MAX, lowest: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise ValueOutOfRange(f"{name} is not a number from {lowest} to {highest}")
    return value


def check_int(value: object, name: str) -> int:
    return check_uint(value, name, INT_MAX, INT_MIN)


def check_bytes(value: object, name: str, size: int) -> bytes:
    if type(value) is not bytes or len(value) != size:
        raise ValueOutOfRange(f"{name} is not a string of {size} bytes")
    return value


def check_text(value: object, name: str, size_max: int | None = None, size_min: int = 0) -> str:
    """`size_min` and `size_max` count bytes of UTF-8."""
    if type(value) is not str:
        raise ValueOutOfRange(f"{name} is not a text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueOutOfRange(f"{name} is not a text") from error
    if size < size_min or (size_max is not None and size > size_max):
        raise ValueOutOfRange(f"{name} has {size} bytes, allowed are {size_min} to {size_max or 'any'}")
    return value


def check_list(value: object, name: str, count: int) -> list[object]:
    """A CBOR array of exactly `count` items."""
    if type(value) is not list or len(value) != count:
        raise ValueOutOfRange(f"{name} is not an array of {count}")
    return value


def check_items(value: object, name: str, count_max: int | None = None) -> list[object]:
    """A CBOR array of any number of items, or of up to `count_max`; never an empty one: that is left out."""
    if type(value) is not list or not value or (count_max is not None and len(value) > count_max):
        raise ValueOutOfRange(f"{name} is not an array of 1 to {count_max or 'any number of'} items")
    return value


def check_map(value: object, name: str) -> dict[int, object]:
    if type(value) is not dict:
        raise ValueOutOfRange(f"{name} is not a map")
    return value


def need(values: Mapping[int, object], key: int, name: str) -> object:
    """The value of a key that must be there."""
    if key not in values:
        raise ValueOutOfRange(f"{name} is missing")
    return values[key]


def parsed(make: Callable[[], T]) -> T:
    """Runs what makes an object from bytes.

    Raises:
        MessageFormatError: a value is out of range.
    """
    try:
        return make()
    except ValueOutOfRange as error:
        raise MessageFormatError(str(error)) from error
