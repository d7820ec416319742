# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/patch.md."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace

from muster.image.image import Image
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.patch_writer import (
    FromBase,
    FromTarget,
    HugeNumber,
    Layout,
    Literal,
    Operation,
    header_bytes,
    patch_bytes,
)
from tests.vectors.reading import Case

_HEADER_STATUS = OtaStatus.ERR_PATCH_HEADER
_OLD = b"The quick brown fox jumps over the lazy dog. " * 3
_NEW = b"The quick black fox jumps over the lazy cat! " * 3
_RAW: list[Operation] = [
    FromBase(10, 0),
    Literal(5),
    FromBase(25, 15),
    Literal(5),
    FromTarget(89, 45),
    Literal(1),
]


def patch_files() -> dict[str, tuple[str, list[Case]]]:
    return {
        "patch/patches.json": ("Patches that a decoder accepts, and what they make.", _good()),
        "patch/refused.json": ("Patches that a decoder refuses.", _refused()),
    }


def _good() -> list[Case]:
    made = [
        _case("raw_empty", b"", b"", [[]]),
        _case("raw_one_literal", b"", b"x", [[Literal(1)]]),
        _case("raw_nothing_left", b"x", b"", [[]]),
        _case("raw_text", _OLD, _NEW, [_RAW]),
        _case("raw_sparse_differences", _OLD, _NEW, [[FromBase(len(_NEW), 0)]]),
        _case("raw_overlapping_copy", b"", b"ab" * 40, [[Literal(2), FromTarget(78, 2)]]),
        _case("raw_shift_back_and_forth", _OLD, _OLD[45:] + _OLD[:50], [[FromBase(90, 45), FromBase(50, 0)]]),
        _case("raw_all_bytes", b"", bytes(range(256)), [[Literal(256)]]),
        _long_case(),
    ]
    small, signed, large = fixed.small_image(), fixed.signed_image("release-1", "release-2"), fixed.large_image()
    whole: list[list[Operation]] = [[Literal(_table_len(large))], [Literal(_code_len(large))], [Literal(556)]]
    made.append(_image_case("image_full", None, large, whole))
    signatures: list[list[Operation]] = [
        [FromBase(_table_len(small), small.manifest.reloc_start)],
        [FromBase(_code_len(small), 0)],
        [FromBase(556, small.manifest.ext_start)],
    ]
    made.append(_image_case("image_two_signatures_added", small, signed, signatures))
    made.append(_image_case("image_grown", small, large, _grown(small, large)))
    return made


def _grown(small: Image, large: Image) -> list[list[Operation]]:
    """Each operation in each part that has a use for it; the tail copies zeros from the vector table."""
    table, code = _table_len(small), _code_len(small)
    to_zeros = large.manifest.ext_start + 200 - (_table_len(large) + 0x40)
    ext_start = small.manifest.ext_start
    return [
        [FromBase(table, small.manifest.reloc_start), Literal(_table_len(large) - table)],
        [
            Literal(8),
            FromTarget(56, 4),
            Literal(4),
            FromTarget(0x184 - 68, 4),
            FromBase(code - 0x184, 0x184),
            Literal(_code_len(large) - code),
        ],
        [FromBase(200, ext_start), FromTarget(200, to_zeros), FromBase(156, ext_start + 400)],
    ]


def _long_case() -> Case:
    """Long enough for two checkpoints; counters far from where they began."""
    text = b"".join(n.to_bytes(4, "little") for n in range(0, 60_000, 3))
    target = text[:50_000] + b"!" + text[49_990:]
    operations: list[Operation] = [FromBase(50_000, 0), Literal(1), FromBase(len(target) - 50_001, 49_990)]
    patch = patch_bytes(text, target, [operations])
    return {
        "name": "raw_long",
        "base": "the integers 0, 3, 6, ... below 60,000, each as u32",
        "patch": patch.hex(),
        "target_length": len(target),
        "target_sha256": hashlib.sha256(target).hexdigest(),
    }


def long_base() -> bytes:
    """The base that raw_long describes in words."""
    return b"".join(n.to_bytes(4, "little") for n in range(0, 60_000, 3))


def _refused() -> list[Case]:
    good = patch_bytes(_OLD, _NEW, [_RAW])
    layout = _layout(fixed.small_image(), fixed.signed_image("release-1"))
    small, signed = fixed.small_image().raw, fixed.signed_image("release-1").raw
    made = [
        _bad("no_bytes", _OLD, b"", OtaStatus.ERR_PATCH_TRUNCATED),
        _bad("half_a_header", _OLD, good[:32], OtaStatus.ERR_PATCH_TRUNCATED),
        _bad("header_only", _OLD, good[:64], OtaStatus.ERR_PATCH_TRUNCATED),
        _bad("last_byte_missing", _OLD, good[:-1], OtaStatus.ERR_PATCH_TRUNCATED),
        _bad("one_byte_more", _OLD, good + b"\x00", OtaStatus.ERR_PATCH_TRAILING),
        _bad("wrong_magic", _OLD, b"MUSQ" + good[4:], _HEADER_STATUS),
        _bad("wrong_crc", _OLD, good[:63] + bytes([good[63] ^ 1]) + good[64:], _HEADER_STATUS),
        _bad_header("format_version_2", Layout(version=2)),
        _bad_header("kind_2", Layout(kind=2)),
        _bad_header("raw_with_body_hash", Layout(body_hash_off=4)),
        _bad_header("raw_with_table", Layout(target_reloc=4)),
        _bad_header("load_base_too_high", Layout(load_base=0xFF00_0000)),
        _bad(
            "empty_base_with_identity",
            b"",
            _header(b"", _NEW, base_identity=bytes(15) + b"\x01"),
            OtaStatus.ERR_PATCH_HEADER,
        ),
        _bad("profile_2", _OLD, patch_bytes(_OLD, _NEW, [_RAW], Layout(profile=2)), OtaStatus.ERR_PATCH_PROFILE),
        _bad("base_too_short", _OLD[:-1], good, OtaStatus.ERR_PATCH_BASE),
        _bad(
            "other_target",
            _OLD,
            patch_bytes(_OLD, _NEW, [_RAW], Layout(target_identity=bytes(16))),
            OtaStatus.ERR_IDENTITY,
        ),
    ]
    for name, changes in (
        ("image_load_base_not_aligned", {"load_base": 0x0802_0002}),
        ("image_table_too_low", {"target_reloc": 0x198}),
        ("image_table_not_aligned", {"target_reloc": 0x19E}),
        ("image_base_table_in_tail", {"base_reloc": len(small) - 556}),
        ("image_body_hash_too_low", {"body_hash_off": 3}),
        ("image_body_hash_too_high", {"body_hash_off": 69}),
    ):
        header = header_bytes(small, signed, replace(layout, **changes))  # type: ignore[arg-type]
        made.append(_bad(name, small, header + bytes(4), _HEADER_STATUS))
    header = header_bytes(small, signed, layout)
    for name, at, value in (
        ("base_length_above_limit", 12, 0x0100_0004),
        ("target_length_above_limit", 20, 0x0100_0004),
        ("target_too_short", 20, 968),
        ("target_length_not_aligned", 20, len(signed) + 2),
    ):
        made.append(_bad(name, small, _with_u32(header, at, value) + bytes(4), _HEADER_STATUS))
    full = replace(_layout(None, fixed.small_image()), base_reloc=0x19C)
    made.append(_bad("full_image_with_base_table", b"", header_bytes(b"", small, full) + bytes(4), _HEADER_STATUS))
    return made + _out_of_range(layout) + _other_manifest_entries(layout)


def _out_of_range(layout: Layout) -> list[Case]:
    """Each stops at the head of its last operation, when `made` bytes of the target have been made."""
    made: list[Case] = []
    cases: list[tuple[str, list[Operation]]] = [
        ("number_of_25_bits", [HugeNumber(25)]),
        ("number_of_31_bits", [HugeNumber(31)]),
        ("literals_beyond_the_end", [Literal(len(_NEW) + 1)]),
        ("base_copy_beyond_the_target", [FromBase(len(_NEW) + 1, 0)]),
        ("base_copy_beyond_the_base", [FromBase(20, len(_OLD) - 19)]),
        ("base_copy_before_the_base", [Literal(1), FromBase(20, -1)]),
        ("base_copy_behind_the_base", [FromBase(1, len(_OLD) + 1)]),
        ("target_copy_from_nothing", [FromTarget(3, 1)]),
        ("target_copy_before_the_target", [Literal(4), FromTarget(3, 5)]),
        ("target_copy_beyond_the_end", [Literal(4), FromTarget(len(_NEW) - 3, 4)]),
    ]
    for name, operations in cases:
        bad = _bad(name, _OLD, patch_bytes(_OLD, _NEW, [operations]) + bytes(8), OtaStatus.ERR_PATCH_RANGE)
        made.append({**bad, "made": sum(operation.length for operation in operations[:-1])})
    small, signed = fixed.small_image(), fixed.signed_image("release-1")
    crossing: list[list[Operation]] = [[FromBase(_table_len(small) + 1, layout.base_reloc)], [], []]
    patch = patch_bytes(small.raw, signed.raw, crossing, layout) + bytes(8)
    made.append({**_bad("part_crossed", small.raw, patch, OtaStatus.ERR_PATCH_RANGE), "made": 0})
    return made


def _other_manifest_entries(layout: Layout) -> list[Case]:
    """Targets whose first extension entry is none that the identity could be taken from."""
    small, signed = fixed.small_image(), fixed.signed_image("release-1")
    ext_start = signed.manifest.ext_start
    operations: list[list[Operation]] = [
        [FromBase(_table_len(small), small.manifest.reloc_start)],
        [FromBase(_code_len(small), 0)],
        [FromBase(556, small.manifest.ext_start)],
    ]
    made = []
    for name, at, value in (
        ("entry_of_another_type", 0, 0x8101),
        ("entry_shorter_than_its_head", 2, 3),
        ("entry_longer_than_a_manifest", 2, 101),
    ):
        target = bytearray(signed.raw)
        target[ext_start + at : ext_start + at + 2] = value.to_bytes(2, "little")
        patch = patch_bytes(small.raw, bytes(target), operations, layout)
        made.append(_bad(name, small.raw, patch, OtaStatus.ERR_IDENTITY))
    return made


def _with_u32(header: bytes, at: int, value: int) -> bytes:
    head = header[:at] + value.to_bytes(4, "little") + header[at + 4 : 60]
    return head + zlib.crc32(head).to_bytes(4, "little")


def _case(name: str, base: bytes, target: bytes, operations: list[list[Operation]]) -> Case:
    patch = patch_bytes(base, target, operations)
    return {"name": name, "base": base.hex(), "patch": patch.hex(), "target": target.hex()}


def _image_case(name: str, base: Image | None, target: Image, operations: list[list[Operation]]) -> Case:
    raw = base.raw if base else b""
    patch = patch_bytes(raw, target.raw, operations, _layout(base, target))
    return {"name": name, "base": raw.hex(), "patch": patch.hex(), "target": target.raw.hex()}


def _layout(base: Image | None, target: Image) -> Layout:
    return Layout(
        kind=1,
        body_hash_off=target.raw[target.manifest.ext_start :].index(target.manifest.body_hash),
        load_base=0x0802_0000,
        base_reloc=base.manifest.reloc_start if base else 0,
        target_reloc=target.manifest.reloc_start,
        base_identity=base.identity[:16] if base else bytes(16),
        target_identity=target.identity[:16],
    )


def _bad(name: str, base: bytes, patch: bytes, status: OtaStatus) -> Case:
    return {"name": name, "base": base.hex(), "patch": patch.hex(), "status": int(status)}


def _bad_header(name: str, layout: Layout) -> Case:
    return _bad(name, _OLD, header_bytes(_OLD, _NEW, layout) + bytes(4), _HEADER_STATUS)


def _header(base: bytes, target: bytes, base_identity: bytes) -> bytes:
    return header_bytes(base, target, Layout(base_identity=base_identity)) + bytes(4)


def _table_len(image: Image) -> int:
    return image.manifest.ext_start - image.manifest.reloc_start


def _code_len(image: Image) -> int:
    return image.manifest.reloc_start
