# SPDX-License-Identifier: Apache-2.0
"""Whole numbers in paths, addresses and forms: how large they may be, and what counts as one."""

from __future__ import annotations

VERSION_MAX = 0xFFFF
ROW_MAX = 999_999_999
"""The largest number of a row that anybody asks for: PostgreSQL's columns hold it, and not all of ten digits."""
_DIGITS_MAX = 20
"""Of a number that somebody types, with zeros before it."""


def digits(text: str, most: int, least: int = 0) -> int | None:
    """A whole number that stands alone, in the digits 0 to 9; None for anything else."""
    if not text.isascii() or not text.isdecimal() or len(text) > _DIGITS_MAX:
        return None
    found = int(text)
    return found if least <= found <= most else None
