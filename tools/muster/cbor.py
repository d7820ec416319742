# SPDX-License-Identifier: Apache-2.0
"""Deterministic CBOR (RFC 8949 section 4.2.1), restricted to the types that Muster's signed formats use.

A value is an int, bytes, None, or a list or dict of values. There is exactly one encoding of each, and no other parses.
"""

from __future__ import annotations

import cbor2

from muster.errors import FormatError

_TYPE_NAMES = "int, bytes, None, list or dict"
_DEPTH_MAX = 8
"""Lists and dicts inside each other. Also what ends the look at a value that holds itself (RFC 8949 tags 28 and 29)."""


def dumps(value: object) -> bytes:
    """The one encoding of a value.

    Raises:
        TypeError: for a value outside the types above, or nested more than eight deep: a programming error.
    """
    if not _is_plain(value):
        raise TypeError(f"only {_TYPE_NAMES} are encoded")
    encoded: bytes = cbor2.dumps(value, canonical=True)
    return encoded


def loads(raw: bytes) -> object:
    """The value of which `raw` is the one encoding.

    Raises:
        FormatError: not CBOR, another type, another encoding of the same value, or bytes behind it.
    """
    try:
        value: object = cbor2.loads(raw)
    except cbor2.CBORDecodeError as error:
        raise FormatError(f"not CBOR: {error}") from error
    if not _is_plain(value):
        raise FormatError("CBOR holds a type that the format does not use")
    if dumps(value) != raw:
        raise FormatError("CBOR is not in its one deterministic encoding")
    return value


def _is_plain(value: object, depth_left: int = _DEPTH_MAX) -> bool:
    if value is None or type(value) in (int, bytes):
        return True
    if depth_left == 0:
        return False
    if type(value) is list:
        return all(_is_plain(item, depth_left - 1) for item in value)
    if type(value) is dict:
        return all(_is_plain(item, depth_left - 1) for pair in value.items() for item in pair)
    return False
