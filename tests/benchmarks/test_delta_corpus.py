# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import pytest
from intelhex import IntelHex

from tests.benchmarks.delta_corpus import BASES, CorpusError, Pair, module_start, read_pairs, write_pairs
from tests.benchmarks.delta_public import micropython_in, modules_in


def module(prefix_offset: int, version: int = 1, dependency: int = 1, body: bytes = b"code", trailer: int = 0) -> bytes:
    """A module of Particle's format at 0x08020000; `trailer` fills its last 44 bytes."""
    size = prefix_offset + 24 + len(body) + 44
    start = 0x0802_0000
    prefix = struct.pack("<IIBBHHBBBBHBBH", start, start + size - 4, 0, 0, version, 6, 4, 1, 4, 2, dependency, 0, 0, 0)
    return bytes(prefix_offset) + prefix + body + bytes([trailer]) * 44


def test_what_is_written_is_read_back_in_order_of_names(tmp_path: Path) -> None:
    pairs = [Pair("p1-system-part1-2.0.0", b"old", b"new", 0x0802_0000), Pair("a", b"1", b"2", 0)]
    write_pairs(tmp_path, pairs)
    assert read_pairs(tmp_path) == sorted(pairs, key=lambda pair: pair.name)
    assert [pair.name for pair in read_pairs(tmp_path, "part1")] == ["p1-system-part1-2.0.0"]


def test_bases_need_no_head_line_and_may_be_decimal(tmp_path: Path) -> None:
    write_pairs(tmp_path, [Pair("a", b"1", b"2", 0)])
    (tmp_path / BASES).write_text("a, 4096\n\n", encoding="utf-8")
    assert read_pairs(tmp_path) == [Pair("a", b"1", b"2", 4096)]


@pytest.mark.parametrize("line", ["a", "a,b", "a,0x0,1", "a,-1", "a,0x100000000"])
def test_line_that_is_no_name_and_address_is_named(tmp_path: Path, line: str) -> None:
    write_pairs(tmp_path, [Pair("a", b"1", b"2", 0)])
    (tmp_path / BASES).write_text(f"name,base\n{line}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"bases\.csv:2"):
        read_pairs(tmp_path)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"bases\.csv"):
        read_pairs(tmp_path)
    write_pairs(tmp_path, [Pair("a", b"1", b"2", 0)])
    (tmp_path / "a.new").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"a\.new: empty"):
        read_pairs(tmp_path)
    (tmp_path / "a.old").unlink()
    with pytest.raises(CorpusError, match=r"a\.old"):
        read_pairs(tmp_path)


def test_name_tells_platform_and_part() -> None:
    found = [
        (pair.platform, pair.part)
        for pair in (Pair(name, b"", b"", 0) for name in ("photon-bootloader-2.0.1", "p1-system-part2-2.1.0", "lua_53"))
    ]
    assert found == [("photon", "bootloader"), ("p1", "system-part2"), ("lua", "image")]


@pytest.mark.parametrize("offset", [0, 0x184])
def test_module_start_stands_in_the_prefix(offset: int) -> None:
    assert module_start(module(offset)) == 0x0802_0000


def test_image_without_prefix_has_no_module_start() -> None:
    with pytest.raises(CorpusError):
        module_start(module(0) + b"more")
    with pytest.raises(CorpusError):
        module_start(b"short")


@pytest.mark.parametrize(
    ("target", "alike"),
    [
        (module(0x184, version=2, dependency=3, trailer=9), True),
        (module(0x184, body=b"core"), False),
        (module(0x184, body=b"longer"), False),
        (module(0x100), False),
    ],
)
def test_pair_that_differs_in_version_and_hash_only_is_known(target: bytes, alike: bool) -> None:
    assert Pair("a", module(0x184), target, 0).only_version_differs is alike


def test_other_images_differ_in_more_than_a_version() -> None:
    assert not Pair("a", bytes(100), bytes(100), 0).only_version_differs


def archive_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return made.getvalue()


def test_modules_of_the_three_platforms_and_one_release_are_taken() -> None:
    package = archive_of(
        {
            "package/assets/updates/photon-bootloader@2.0.0+lto.bin": b"1",
            "package/assets/updates/p1-system-part1@2.0.0.bin": b"2",
            "package/assets/updates/electron-system-part3@1.5.0.bin": b"3",
            "package/assets/updates/argon-system-part1@2.0.0.bin": b"4",
            "package/assets/knownApps/photon/tinker/tinker-0.4.5-photon.bin": b"5",
        }
    )
    assert modules_in(package, "2.0.0") == {"photon-bootloader": b"1", "p1-system-part1": b"2"}
    with pytest.raises(CorpusError):
        modules_in(package, "2.2.0")


def test_micropython_is_the_long_hex_string_from_address_0() -> None:
    image = bytes(range(256)) * 20
    hexadecimal = IntelHex()
    hexadecimal.frombytes(image)
    hexadecimal.puts(0x1000_1000, b"settings")
    text = io.StringIO()
    hexadecimal.write_hex_file(text)
    # IntelHex writes no record for the segment at 0, as uflash's images have it.
    source = f'HEADER = ":020000040003F7"\nRUNTIME = """:020000040000FA\n{text.getvalue()}"""\n'
    assert micropython_in(archive_of({"uflash-1.0.0/uflash.py": source.encode()})) == image
    with pytest.raises(CorpusError):
        micropython_in(archive_of({"uflash-1.0.0/uflash.py": b'HEADER = ":020000040003F7"\n'}))
