# SPDX-License-Identifier: Apache-2.0
"""One pin of the chip seen from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = re.compile(r"P?([A-I])(1[0-5]|[0-9])")


def pin_number(name: str) -> tuple[int, int]:
    """Port 0 (A) to 8 (I) and pin 0 to 15 of a name such as "A13" or "PA13". Raises ValueError."""
    match = _NAME.fullmatch(name.upper())
    if match is None:
        raise ValueError(f"no such pin: {name!r}")
    return ord(match[1]) - ord("A"), int(match[2])


class Pin:
    """One pin; made by Device.pin()."""

    def __init__(self, name: str, library: Any, handle: Any) -> None:
        self.port, self.pin = pin_number(name)
        self.name = f"{'ABCDEFGHI'[self.port]}{self.pin}"
        self._library = library
        self._handle = handle
        self._on_change: Callable[[bool, float], None] | None = None

    @property
    def level(self) -> bool:
        """The level on the pad: the device's output, else what drives it from outside, else its pull-up."""
        return bool(self._library.emu_pin_level(self._handle, self.port, self.pin))

    def drive(self, level: bool | None) -> None:
        """Drive the pin from outside; None lets go."""
        self._library.emu_pin_drive(self._handle, self.port, self.pin, -1 if level is None else int(level))

    def on_change(self, call: Callable[[bool, float], None] | None) -> None:
        """Call `call(level, time)` at every change of the level; None ends it. It must not run the device."""
        self._on_change = call
        self._library.emu_pin_watch(self._handle, self.port, self.pin, int(call is not None))

    def disconnect(self, library: Any) -> None:
        """Use another library: the one that refuses everything once the device is closed. Device calls this."""
        self._library = library

    def feed(self, level: bool, time: float) -> None:
        """The level changed. Device calls this."""
        if self._on_change is not None:
            self._on_change(level, time)
