# SPDX-License-Identifier: Apache-2.0
"""The input sections of a link with their alignment, which a linker map does not tell: read from the objects."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from muster.build.mapfile import LinkMap, MapSection, without_folders
from muster.build.placement import align_up
from muster.errors import FileFault, LinkError

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_SIZE = 60
_SHF_MERGE = 0x10
_COMMON_ALIGNMENT = 8
"""What no variable without a section of its own needs more than (AAPCS section 5.1)."""


@dataclass(frozen=True, slots=True)
class InputSection:
    """An input section of a link, where the linker puts it when nothing tells it otherwise.

    Attributes:
        output, name, object_file, addr, size: as `MapSection`; libraries without their folders.
        alignment: a power of two.
        is_merged: it holds strings or constants that the linker stores once for all sections of one output section.
    """

    output: str
    name: str
    object_file: str
    addr: int
    size: int
    alignment: int
    is_merged: bool


@dataclass(frozen=True, slots=True)
class LinkInputs:
    """What one link put together.

    Attributes:
        outputs: address and size of every output section.
    """

    outputs: dict[str, tuple[int, int]]
    sections: tuple[InputSection, ...]

    @classmethod
    def read(cls, map_text: str, root: Path) -> LinkInputs:
        """From a map as the linker wrote it; its relative paths count from `root`.

        Raises:
            LinkError: it is not a map, or an object is not what the map says.
            FileFault: an object cannot be read.
        """
        link = LinkMap.from_text(map_text)
        # What the linker makes itself has no file and no size.
        files = sorted({section.object_file for section in link.sections})
        headers = {name: _headers(name, root) for name in files}
        inputs: dict[tuple[str, str], InputSection] = {}
        for section in link.sections:
            one = _input(section, headers[section.object_file])
            key = one.object_file, one.name
            inputs[key] = _joined(inputs[key], one) if key in inputs else one
        return cls(link.outputs, tuple(inputs.values()))

    def to_json(self) -> str:
        facts = {"outputs": self.outputs, "sections": [asdict(section) for section in self.sections]}
        return json.dumps(facts, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> LinkInputs:
        """Reads back what `to_json` wrote.

        Raises:
            LinkError: it is something else.
        """
        try:
            facts = json.loads(text)
            outputs = {str(name): (int(addr), int(size)) for name, (addr, size) in facts["outputs"].items()}
            return cls(outputs, tuple(InputSection(**section) for section in facts["sections"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LinkError(f"not a list of input sections: {error}") from error


@dataclass(frozen=True, slots=True)
class _Header:
    """What an object says about one of its sections (System V ABI, section header)."""

    alignment: int
    is_merged: bool


def _input(section: MapSection, headers: dict[str, _Header]) -> InputSection:
    if section.name not in headers:
        raise LinkError(f"{section.object_file} has no section {section.name}, which the map tells of")
    return InputSection(
        output=section.output,
        name=section.name,
        object_file=without_folders(section.object_file),
        addr=section.addr,
        size=section.size,
        alignment=headers[section.name].alignment,
        is_merged=headers[section.name].is_merged,
    )


def _joined(first: InputSection, second: InputSection) -> InputSection:
    """Two sections of one object with one name: a linker script cannot tell them apart."""
    alignment = max(first.alignment, second.alignment)
    size = align_up(first.size, alignment) + second.size
    return replace(first, size=size, alignment=alignment, is_merged=first.is_merged or second.is_merged)


def _headers(object_file: str, root: Path) -> dict[str, _Header]:
    archive, _, member = object_file.removesuffix(")").rpartition("(") if object_file.endswith(")") else ("", "", "")
    path = root / (archive or object_file)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error
    if archive:
        raw = _member(raw, member, path)
    try:
        sections = list(ELFFile(io.BytesIO(raw)).iter_sections())
        found = {"COMMON": _Header(_COMMON_ALIGNMENT, False)}
        for section in sections:
            before = found.get(str(section.name), _Header(1, False))
            alignment = max(int(section["sh_addralign"]), before.alignment)
            is_merged = bool(int(section["sh_flags"]) & _SHF_MERGE) or before.is_merged
            found[str(section.name)] = _Header(alignment, is_merged)
    except (ELFError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise LinkError(f"{object_file} is not an object file: {error}") from error
    return found


def _member(raw: bytes, wanted: str, path: Path) -> bytes:
    """One file of an archive (System V and GNU variant of ar)."""
    if not raw.startswith(_AR_MAGIC):
        raise LinkError(f"{path} is not an archive")
    for name, data in _members(raw, path):
        if name == wanted:
            return data
    raise LinkError(f"{path} holds no {wanted}, which the map tells of")


def _members(raw: bytes, path: Path) -> Iterable[tuple[str, bytes]]:
    long_names = b""
    at = len(_AR_MAGIC)
    while at + _AR_HEADER_SIZE <= len(raw):
        name = raw[at : at + 16].decode("ascii", "replace").rstrip()
        size_text = raw[at + 48 : at + 58].strip()
        if not size_text.isdigit():
            raise LinkError(f"{path} is a damaged archive")
        data = raw[at + _AR_HEADER_SIZE :][: int(size_text)]
        # Members begin at even offsets.
        at += _AR_HEADER_SIZE + len(data) + len(data) % 2
        if name == "//":
            long_names = data
        elif name.startswith("/") and name[1:].isdigit():
            yield long_names[int(name[1:]) :].split(b"/\n", 1)[0].decode("utf-8", "replace"), data
        else:
            yield name.removesuffix("/"), data
