# SPDX-License-Identifier: Apache-2.0
"""Reads golden vectors. Their shape is described in README.md beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

Case = dict[str, Any]


def cases(path: str) -> list[Case]:
    """The cases of one file, such as `image/manifests.json`."""
    content: dict[str, Any] = json.loads((FOLDER / path).read_text())
    found: list[Case] = content["cases"]
    return found


def case(path: str, name: str) -> Case:
    """One case by its name."""
    return next(found for found in cases(path) if found["name"] == name)


def key_seed(name: str) -> bytes:
    """The seed of one of the fixed keys."""
    return bytes.fromhex(case("image/keys.json", name)["seed"])


def sector_bytes(segments: list[Case], size: int) -> bytes:
    """A flash sector of `size` bytes: the segments, and 0xFF around them."""
    sector = bytearray(b"\xff" * size)
    for segment in segments:
        raw = bytes.fromhex(segment["bytes"])
        sector[segment["at"] : segment["at"] + len(raw)] = raw
    return bytes(sector)
