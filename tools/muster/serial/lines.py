# SPDX-License-Identifier: Apache-2.0
"""Log text between frames, as whole lines."""

from __future__ import annotations

from collections.abc import Callable

LogCallback = Callable[[str], None]
LINE_MAX = 4096


class LogLines:
    """Puts pieces of text together and calls `on_line` for each line, without its end.

    Bytes that are no UTF-8 show as U+FFFD.
    """

    def __init__(self, on_line: LogCallback | None) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, text: bytes) -> None:
        """Takes the next piece."""
        if self._on_line is None:
            return
        *lines, rest = (self._rest + text).split(b"\n")
        self._rest = rest[-LINE_MAX:]
        for line in lines:
            self._on_line(line.rstrip(b"\r").decode("utf-8", "replace"))
