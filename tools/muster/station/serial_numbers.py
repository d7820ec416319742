# SPDX-License-Identifier: Apache-2.0
"""Serial numbers for units: from a list, or a prefix and a count."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Self

from muster.errors import ValueOutOfRange

DIGITS = 5
COUNT_MAX = 100_000
_SERIAL_NUMBER = re.compile(r"[!-~]{1,64}")


class SerialNumbers:
    """Gives out serial numbers in their order, each to one unit."""

    def __init__(self, numbers: Iterator[str]) -> None:
        self._numbers = numbers

    @classmethod
    def none(cls) -> Self:
        """Units without serial numbers."""
        return cls(itertools.repeat(""))

    @classmethod
    def listed(cls, lines: Iterable[str], used: Iterable[str]) -> Self:
        """Those of a list, one per line, that no unit has yet.

        Raises:
            ValueOutOfRange: a line is none, or two are the same.
        """
        numbers: dict[str, None] = {}
        for count, line in enumerate((line.strip() for line in lines), start=1):
            if not line:
                continue
            if not _SERIAL_NUMBER.fullmatch(line):
                raise ValueOutOfRange(
                    f"line {count} of the serial numbers: 1 to 64 characters of ASCII without spaces, not {line[:80]!r}"
                )
            if line in numbers:
                raise ValueOutOfRange(f"line {count} of the serial numbers: {line} is there twice")
            numbers[line] = None
        taken = set(used)
        return cls(number for number in numbers if number not in taken)

    @classmethod
    def counted(cls, prefix: str, used: Iterable[str]) -> Self:
        """The prefix and five digits, from 00001 or what follows the highest that a unit has.

        Raises:
            ValueOutOfRange: the prefix is too long, or has characters that serial numbers have not.
        """
        if not _SERIAL_NUMBER.fullmatch(prefix + "0" * DIGITS):
            raise ValueOutOfRange(f"a prefix has at most {64 - DIGITS} characters of ASCII without spaces")
        form = re.compile(re.escape(prefix) + f"([0-9]{{{DIGITS}}})")
        matches = (form.fullmatch(number) for number in used)
        highest = max((int(match[1]) for match in matches if match), default=0)
        return cls(f"{prefix}{number:0{DIGITS}}" for number in range(highest + 1, COUNT_MAX))

    def next(self) -> str:
        """The next one.

        Raises:
            ValueOutOfRange: there is none left.
        """
        for number in self._numbers:
            return number
        raise ValueOutOfRange("no serial number is left")
