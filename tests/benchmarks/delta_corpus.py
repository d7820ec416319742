# SPDX-License-Identifier: Apache-2.0
"""Firmware pairs in a folder (NAME.old, NAME.new, bases.csv), and what kind of pair each one is."""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BASES = "bases.csv"

# Particle's module_info, 24 bytes (Device OS, module_info.h): it follows the vector table of an STM32F2 or stands at 0.
_PREFIX = struct.Struct("<II16s")
_PREFIX_OFFSETS = (0, 0x184)
_VERSION_FIELDS = (10, 18, 22)  # the module's version, and the least versions of the two that it depends on
_FLASH_ADDR = 0x0800_0000
# The last bytes of a module: product id and version, SHA-256, size of all this, CRC-32.
_TRAILER_SIZE = 44


class CorpusError(Exception):
    """A folder, a package or an image is not what it should be."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of one firmware; `load_base` is the address of their first byte."""

    name: str
    base: bytes
    target: bytes
    load_base: int

    @property
    def only_version_differs(self) -> bool:
        """True for two modules that are equal but for the version fields of the prefix and the 44 bytes of the end."""
        try:
            at = _prefix_offset(self.base)
        except CorpusError:
            return False
        return _without_version(self.base, at) == _without_version(self.target, at)

    @property
    def platform(self) -> str:
        """The first word of the name: photon, p1, electron, or the name of a set."""
        return re.split(r"[-_]", self.name, maxsplit=1)[0]

    @property
    def part(self) -> str:
        """bootloader, system-part1.. of a Device OS module; `image` for all else."""
        found = re.search(r"bootloader|system-part\d", self.name)
        return found.group() if found else "image"


def read_pairs(folder: Path, only: str = "") -> list[Pair]:
    """The pairs of `folder` whose name holds the regular expression `only`, by name.

    Raises:
        CorpusError: bases.csv or a file is missing, a line is not a name and a 32-bit address, or a file is empty.
    """
    pairs = []
    for name, load_base in _read_bases(folder / BASES):
        if re.search(only, name):
            pairs.append(Pair(name, _read(folder / f"{name}.old"), _read(folder / f"{name}.new"), load_base))
    return sorted(pairs, key=lambda pair: pair.name)


def write_pairs(folder: Path, pairs: Iterable[Pair]) -> None:
    """Puts the pairs into `folder`; bases.csv comes last, so who finds it finds all files."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["name,base"]
    for pair in pairs:
        (folder / f"{pair.name}.old").write_bytes(pair.base)
        (folder / f"{pair.name}.new").write_bytes(pair.target)
        lines.append(f"{pair.name},{pair.load_base:#010x}")
    near = folder / f".{BASES}"
    near.write_text("\n".join(lines) + "\n", encoding="utf-8")
    near.rename(folder / BASES)


def module_start(image: bytes) -> int:
    """Address of the first byte of a module of Particle's format, from its prefix.

    Raises:
        CorpusError: no prefix whose length agrees with the file's.
    """
    return int(_PREFIX.unpack_from(image, _prefix_offset(image))[0])


def _prefix_offset(image: bytes) -> int:
    for at in _PREFIX_OFFSETS:
        if len(image) >= at + _PREFIX.size:
            start, end = _PREFIX.unpack_from(image, at)[:2]
            if start >= _FLASH_ADDR and end - start + 4 == len(image):
                return at
    raise CorpusError("this is no module: neither prefix gives the length of the file")


def _without_version(image: bytes, prefix_offset: int) -> bytes:
    prefix = bytearray(image[prefix_offset : prefix_offset + _PREFIX.size])
    for field in _VERSION_FIELDS:
        prefix[field : field + 2] = bytes(2)
    return image[:prefix_offset] + prefix + image[prefix_offset + _PREFIX.size : -_TRAILER_SIZE]


def _read_bases(path: Path) -> list[tuple[str, int]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    bases = []
    for number, row in enumerate(rows, start=1):
        if not row or (number == 1 and row[:1] == ["name"]):
            continue
        try:
            name, address = row
            load_base = int(address, 0)
            load_base.to_bytes(4, "little")
            bases.append((name.strip(), load_base))
        except (ValueError, OverflowError) as error:
            raise CorpusError(f"{path}:{number}: not a name and a 32-bit address") from error
    return bases


def _read(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    if not raw:
        raise CorpusError(f"{path}: empty")
    return raw
