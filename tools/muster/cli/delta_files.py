# SPDX-License-Identifier: Apache-2.0
"""What the commands of `muster delta` read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from muster.cli.files import read_bytes
from muster.delta import Patch, PatchHeader, PatchKind
from muster.delta.header import FORMAT
from muster.elf import Elf
from muster.errors import InputError
from muster.layout import SLOT_A_ADDR

BaseFile = click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)
"""A file, or `-` for no base at all."""


class NumberOf(click.ParamType[int]):
    """A number, decimal or with 0x, from 0 up to a limit."""

    name = "number"

    def __init__(self, highest: int) -> None:
        self._highest = highest

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value), 0)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not 0 <= number <= self._highest:
            self.fail(f"{value} is not between 0 and 0x{self._highest:X}", param, ctx)
        return number


def read_base(path: Path) -> bytes:
    """The base, empty for `-`."""
    return b"" if str(path) == "-" else read_bytes(path)


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Names the file in an error about its content."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{path}: {error}", error.status) from error


def read_patch(path: Path) -> bytes:
    """A patch whose header is valid.

    Raises:
        click.UsageError: the file is something else.
        PatchTruncated, PatchHeaderError: it is a patch, and not valid.
    """
    raw = read_bytes(path)
    if raw and raw[0] >> 5 != FORMAT:
        raise click.UsageError(f"{path} is not a patch")
    return Patch.from_bytes(raw).raw


def load_base_of(header: PatchHeader, image: bytes, elf: Path | None) -> int:
    """Address of the first byte of an image that a patch is for: by the patch, by what the image is, or by its ELF
    file where neither says it.

    Raises:
        ElfFormatError: it is no ELF file.
    """
    if header.kind is PatchKind.IMAGE:
        return SLOT_A_ADDR
    if header.load_base:
        return header.load_base
    prefix_at = header.kind.prefix_at
    if prefix_at is not None:
        return int.from_bytes(image[prefix_at : prefix_at + 4], "little")
    return address_of_elf(elf) if elf is not None else 0


def address_of_elf(path: Path) -> int:
    """Where an ELF file is loaded to; raises ElfFormatError, with the file's name, when it is none."""
    raw = read_bytes(path)
    with blaming(path):
        return Elf.from_bytes(raw).flat()[0]
