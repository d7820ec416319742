# SPDX-License-Identifier: Apache-2.0
"""Which input section of a new link is which one of the last release."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import PurePosixPath
from typing import Protocol

_BUILD_FOLDER_DEPTH = 3
"""build/<product>/<platform>/..., build/common/<chip>/..., build/platforms/<name>/...: it differs between versions."""

_NUMBERED = re.compile(r"\.(?:\d+|constprop|isra|part|cold)(?=\.|$)")
"""What GCC appends to the names of clones and of variables inside functions; it counts them through the file."""


class NamedSection(Protocol):
    """Of what the answer depends on."""

    @property
    def name(self) -> str: ...

    @property
    def object_file(self) -> str: ...


def match_sections(new: Sequence[NamedSection], old: Sequence[NamedSection]) -> dict[int, int]:
    """For each section of `new` that was there before, which one of `old` it is; no old one is taken twice.

    A section is found by its object and name; else, where that leaves no choice, by its name and the object's file name
    (a source that moved to another folder), by its name alone (a function that moved to another file), or by its object
    and its name without the numbers that the compiler gives.
    """
    found: dict[int, int] = {}
    keys: tuple[Callable[[NamedSection], Hashable], ...] = (
        lambda section: (_object(section), section.name),
        lambda section: (PurePosixPath(section.object_file).name, section.name),
        lambda section: section.name,
        lambda section: (_object(section), _NUMBERED.sub("", section.name)),
    )
    for key in keys:
        taken = set(found.values())
        new_groups = _groups([(at, key(section)) for at, section in enumerate(new) if at not in found])
        old_groups = _groups([(at, key(section)) for at, section in enumerate(old) if at not in taken])
        for name, numbers in new_groups.items():
            candidates = old_groups.get(name, [])
            if len(candidates) == len(numbers) == 1:
                found[numbers[0]] = candidates[0]
    return found


def _object(section: NamedSection) -> str:
    parts = PurePosixPath(section.object_file).parts
    return "/".join(parts[_BUILD_FOLDER_DEPTH:] if parts[0] == "build" else parts)


def _groups(keys: Sequence[tuple[int, Hashable]]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for at, key in keys:
        groups.setdefault(key, []).append(at)
    return groups
