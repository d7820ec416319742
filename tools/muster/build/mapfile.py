# SPDX-License-Identifier: Apache-2.0
"""Linker maps that are the same on every machine."""

from __future__ import annotations

import re

_FOLDERS = re.compile(r"(?<![\w.\-/])/(?:[^\s()/]+/)+")


def without_folders(text: str) -> str:
    """A linker map without absolute folders: of the compiler's own libraries only the file names stay."""
    return _FOLDERS.sub("", text)
