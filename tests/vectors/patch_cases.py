# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/patch.md: what the encoder makes, and that with one thing wrong.

The encoder may get better, so the same pairs may come to have other patches; what a decoder must make of a patch stays.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from muster.delta import ImageLayout, PatchHeader, PatchKind, PatchProfile, apply, codec, encode
from muster.errors import MusterError
from muster.layout import SLOT_A_ADDR
from muster.status import OtaStatus
from tests.fuzz.programs import Program
from tests.fuzz.seeds import image_of as program_image
from tests.muster.delta.pairs import module_of
from tests.vectors import fixed
from tests.vectors.patch_tables import tables
from tests.vectors.reading import Case

_OLD = b"The quick brown fox jumps over the lazy dog. " * 3
_NEW = b"The quick black fox jumps over the lazy cat! " * 3 + b"."
_LONG = "the integers 0, 3, 6, ... below 60,000, each as u32"
_PREFIX_AT = 0x184


def patch_files() -> dict[str, tuple[str, list[Case]]]:
    return {
        "patch/patches.json": ("Patches that a decoder accepts, and what they make.", list(_good())),
        "patch/refused.json": ("Patches that a decoder refuses.", list(_refused())),
        "patch/tables.json": (
            "The constants of the patch coder, firmware/core/src/delta_tables.c and delta_byte_tables.c, as numbers.",
            tables(),
        ),
    }


def base_of(case: Case) -> bytes:
    """The base of a case; a long one is described in words."""
    return long_base() if case["base"] == _LONG else bytes.fromhex(case["base"])


def long_base() -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in range(0, 60_000, 3))


def target_holds(case: Case, made: bytes) -> bool:
    """Whether these bytes are the case's target."""
    if "target" in case:
        return made == bytes.fromhex(case["target"])
    return (len(made), hashlib.sha256(made).hexdigest()) == (case["target_length"], case["target_sha256"])


# What a decoder accepts


def _good() -> Iterator[Case]:
    rng = random.Random(5)
    noise = rng.randbytes(300)
    program = Program.made_up(rng, 12, 14)
    grown = program.grown(rng, 2, 3).constants_changed(rng, 4)
    moved = grown.moved(7)
    old, new, last = (one.link(SLOT_A_ADDR).code for one in (program, grown, moved))
    small, signed, large = fixed.small_image(), fixed.signed_image("release-1", "release-2"), fixed.large_image()
    images = [program_image(one, version) for version, one in enumerate((program, grown, moved), start=1)]
    at_184 = [module_of(code, _PREFIX_AT, SLOT_A_ADDR) for code in (old, new)]
    pairs: list[tuple[str, bytes, bytes, dict[str, Any]]] = [
        ("raw_empty", b"", b"", {}),
        ("raw_one_literal", b"", b"x", {}),
        ("raw_nothing_left", b"x", b"", {}),
        ("raw_same", _OLD, _OLD, {}),
        ("raw_text", _OLD, _NEW, {}),
        ("raw_overlapping_copy", b"", b"ab" * 40 + b"a", {}),
        ("raw_shift_back_and_forth", _OLD, _OLD[45:] + _OLD[:50], {}),
        ("raw_odd_shift", _OLD, b"!" + _OLD, {}),
        ("raw_all_bytes", b"", bytes(range(256)), {}),
        ("raw_noise", b"", noise, {}),
        ("raw_code", old, new, {"kind": PatchKind.RAW, "load_base": SLOT_A_ADDR}),
        ("raw_code_moved", new, last, {"kind": PatchKind.RAW, "load_base": SLOT_A_ADDR}),
        ("raw_code_full", b"", old, {"kind": PatchKind.RAW, "load_base": SLOT_A_ADDR}),
        ("module_at_0", module_of(old), module_of(new), {}),
        ("module_at_0_full", b"", module_of(old), {}),
        ("module_at_184", at_184[0], at_184[1], {}),
        ("module_at_184_elsewhere", at_184[0], module_of(new, _PREFIX_AT, 0x0806_0000), {}),
        ("image_full", b"", large.raw, {}),
        ("image_two_signatures_added", small.raw, signed.raw, {}),
        ("image_signatures_taken", signed.raw, small.raw, {}),
        ("image_grown", small.raw, large.raw, {}),
        ("image_shrunk", large.raw, small.raw, {}),
        ("image_of_code", images[0].raw, images[1].raw, {}),
        ("image_of_code_moved", images[1].raw, images[2].raw, {}),
        ("image_of_code_full", b"", images[0].raw, {}),
    ]
    for name, base, target, options in pairs:
        yield _case(name, base, target, **options)
    for name, base, target, options in pairs:
        if name in ("raw_code_full", "module_at_184", "image_of_code", "image_of_code_full"):
            yield _case(f"large_{name}", base, target, profile=PatchProfile.LARGE, **options)
    yield _long_case()


def _case(name: str, base: bytes, target: bytes, **options: Any) -> Case:
    patch = encode(base, target, **options).raw
    assert apply(base, patch) == target
    return {"name": name, "base": base.hex(), "patch": patch.hex(), "target": target.hex()}


def _long_case() -> Case:
    """Long enough for two checkpoints; counters far from where they began."""
    base = long_base()
    target = base[:50_000] + b"!" + base[49_990:]
    return {
        "name": "raw_long",
        "base": _LONG,
        "patch": encode(base, target).raw.hex(),
        "target_length": len(target),
        "target_sha256": hashlib.sha256(target).hexdigest(),
    }


# What a decoder refuses


def _refused() -> Iterator[Case]:
    yield from _bad_headers()
    yield from _bad_ends()
    yield from _other_lengths()
    yield from _other_targets()
    yield from _bad_streams()


def _bad_headers() -> Iterator[Case]:
    good = encode(_OLD, _NEW)
    size, what = good.header.size, good.raw[0]
    stream = good.raw[size:]
    full = encode(b"", _NEW).raw
    image = encode(fixed.small_image().raw, fixed.large_image().raw)
    header, truncated = OtaStatus.ERR_PATCH_HEADER, OtaStatus.ERR_PATCH_TRUNCATED

    def first(value: int) -> bytes:
        return bytes([value]) + good.raw[1:]

    yield _bad("no_bytes", _OLD, b"", truncated)
    yield _bad("one_byte", _OLD, good.raw[:1], truncated)
    yield _bad("header_without_its_last_byte", _OLD, good.raw[: size - 1], truncated)
    for number in (0, 1, 3, 4, 5, 6, 7):
        yield _bad(f"format_{number}", _OLD, first(number << 5 | what & 0x1F), header)
    for number in (0, 3):
        yield _bad(f"profile_{number}", _OLD, first(what & 0xE7 | number << 3), OtaStatus.ERR_PATCH_PROFILE)
    for name, raw in (
        ("number_of_5_bytes", b"\x80\x80\x80\x80\x01"),
        ("number_not_in_its_shortest_form", b"\x81\x00"),
        ("load_base_above_32_bits", b"\x80\x80\x80\x08"),
    ):
        # load base and length change are the last two numbers of a raw header
        yield _bad(f"{name}", _OLD, good.raw[: size - 2] + raw + good.raw[size - 1 :], header)
    yield _bad("length_change_of_5_bytes", _OLD, good.raw[: size - 1] + b"\xff\xff\xff\xff\x7f" + stream, header)
    for name, change in (("below_0", -1 - len(_OLD)), ("above_the_limit", 0x20_0000 - len(_OLD))):
        yield _bad(
            f"target_length_{name}",
            _OLD,
            _with(good.header, length_change=change, reloc_change=change) + stream,
            header,
        )
    yield _bad("base_is_another", _OLD, _with(good.header, base_check=b"\0\0\0") + stream, OtaStatus.ERR_PATCH_BASE)
    yield _bad("base_is_missing", b"", good.raw, OtaStatus.ERR_PATCH_BASE)
    yield _bad("base_is_no_image", _OLD, image.raw, OtaStatus.ERR_PATCH_BASE)
    yield _bad("full_of_a_negative_length", b"", full[:5] + b"\x00\x01" + full[7:], header)
    small = fixed.small_image()
    tail = image.raw[image.header.size :]
    reloc, length = small.manifest.reloc_start, len(small.raw)
    for name, length_change, reloc_change in (
        ("too_short", 968 - length, 0),
        ("table_too_low", 0, 0x198 - reloc),
        ("table_in_tail", 0, length - 556 - reloc),
    ):
        changed = _with(image.header, length_change=length_change, reloc_change=reloc_change)
        yield _bad(f"image_{name}", small.raw, changed + tail, header)
    for at, kind in ((0, PatchKind.MODULE_AT_0), (_PREFIX_AT, PatchKind.MODULE_AT_184)):
        module = encode(b"", module_of(b"code", at), kind=kind)
        changed = _with(module.header, length_change=at + 63, reloc_change=at + 63)
        yield _bad(f"module_at_{at:x}_too_short", b"", changed + module.raw[module.header.size :], header)


def _bad_ends() -> Iterator[Case]:
    """Up to four missing bytes are zeros: what they make may be wrong before the end is seen."""
    for name, base, target in (
        ("raw", _OLD, _NEW),
        ("image", fixed.small_image().raw, fixed.large_image().raw),
        ("module", module_of(_OLD), module_of(_NEW)),
    ):
        patch = encode(base, target)
        size = patch.header.size
        yield _bad(f"{name}_header_only", base, patch.raw[:size], OtaStatus.ERR_PATCH_TRUNCATED)
        yield _bad(f"{name}_half", base, patch.raw[: (size + len(patch)) // 2])
        yield _bad(f"{name}_without_its_last_5_bytes", base, patch.raw[:-5])
        for more in (5, 100):
            yield _bad(f"{name}_and_{more}_bytes", base, patch.raw + bytes(more), OtaStatus.ERR_PATCH_TRAILING)


def _other_lengths() -> Iterator[Case]:
    """Streams that do not fit what their header says of base and target."""
    rng = random.Random(6)
    program = Program.made_up(rng, 10, 12)
    old, new = (one.link(SLOT_A_ADDR).code for one in (program, program.grown(rng, 3, 2)))
    good = encode(old, new, kind=PatchKind.RAW, load_base=SLOT_A_ADDR)
    stream = good.raw[good.header.size :]
    for change in (-600, -40, 1, 400):
        to = good.header.length_change + change
        yield _bad(f"target_length_{change:+d}", old, _with(good.header, length_change=to, reloc_change=to) + stream)
    for less in (20, 400):
        base = old[:-less]
        to = good.header.length_change + less
        check = hashlib.sha256(base).digest()[:3]
        header = _with(good.header, base_check=check, length_change=to, reloc_change=to)
        yield _bad(f"base_shorter_by_{less}", base, header + stream)
    images = [program_image(one, 1) for one in (program, program.grown(rng, 3, 2))]
    patch = encode(images[0].raw, images[1].raw)
    for change in (-48, -4, 4, 48):
        header = _with(patch.header, reloc_change=patch.header.reloc_change + change)
        yield _bad(f"image_table_moved_by_{change:+d}", images[0].raw, header + patch.raw[patch.header.size :])


def _other_targets() -> Iterator[Case]:
    """Whole and well coded, but not what the header names."""
    good = encode(_OLD, _NEW)
    other = _with(good.header, target_check=b"\1\2\3\4")
    yield _bad("other_target", _OLD, other + good.raw[good.header.size :], OtaStatus.ERR_IDENTITY)
    small, signed = fixed.small_image(), fixed.signed_image("release-1")
    header = encode(small.raw, signed.raw).header
    layout = ImageLayout.of(small.raw, PatchKind.IMAGE)
    ext_start = signed.manifest.ext_start
    for name, at, value in (
        ("entry_of_another_type", 0, 0x8101),
        ("entry_shorter_than_its_head", 2, 3),
        ("entry_longer_than_a_manifest", 2, 101),
        ("manifest_that_is_none", 4, 0x0000),
    ):
        target = bytearray(signed.raw)
        target[ext_start + at : ext_start + at + 2] = value.to_bytes(2, "little")
        raw = header.to_bytes()
        patch = raw + codec.encode_stream(raw, small.raw, layout, bytes(target))
        yield _bad(name, small.raw, patch, OtaStatus.ERR_IDENTITY)


def _bad_streams() -> Iterator[Case]:
    """Streams of random bytes, and changed ones: of each way to end, the first few that are found."""
    rng = random.Random(7)
    program = Program.made_up(rng, 9, 12)
    old, new = (program_image(one, 1).raw for one in (program, program.grown(rng, 3, 2)))
    pairs = {
        "raw": (_OLD, _NEW),
        "image": (old, new),
        "full": (b"", new),
        "module": (module_of(_OLD, _PREFIX_AT), module_of(_NEW, _PREFIX_AT)),
    }
    for name, (base, target) in pairs.items():
        patch = encode(base, target)
        size = patch.header.size

        def random_stream(head: bytes = patch.raw[:size], length: int = len(patch) - size + 8) -> bytes:
            return head + rng.randbytes(length)

        def flipped(raw: bytes = patch.raw, first: int = size) -> bytes:
            changed = bytearray(raw)
            changed[rng.randrange(first, len(raw))] ^= 1 << rng.randrange(8)
            return bytes(changed)

        yield from _found(f"{name}_random", base, random_stream)
        yield from _found(f"{name}_flipped", base, flipped)


def _found(name: str, base: bytes, make: Callable[[], bytes]) -> Iterator[Case]:
    counts: dict[OtaStatus, int] = {}
    for _ in range(60):
        patch = make()
        status = _status_of(base, patch)
        if status is None or counts.get(status, 0) == 2:
            continue
        counts[status] = counts.get(status, 0) + 1
        yield _bad(f"{name}_{status.name.lower().removeprefix('err_')}_{counts[status]}", base, patch, status)


def _bad(name: str, base: bytes, patch: bytes, status: OtaStatus | None = None) -> Case:
    """Without a status: some error of the stream, which the model decides."""
    found = _status_of(base, patch)
    assert found is not None, f"{name} is accepted"
    assert status in (None, found), f"{name}: {found!r}"
    before_begin = {OtaStatus.ERR_PATCH_HEADER, OtaStatus.ERR_PATCH_BASE, OtaStatus.ERR_PATCH_PROFILE}
    return {
        "name": name,
        "base": base.hex(),
        "patch": patch.hex(),
        "status": int(found),
        "begins": found not in before_begin and _has_header(patch),
    }


def _has_header(patch: bytes) -> bool:
    try:
        PatchHeader.from_bytes(patch)
    except MusterError:
        return False
    return True


def _status_of(base: bytes, patch: bytes) -> OtaStatus | None:
    """The status of applying it; None when nothing is wrong."""
    try:
        apply(base, patch)
    except MusterError as error:
        return error.status
    return None


def _with(header: PatchHeader, **fields: Any) -> bytes:
    return replace(header, **fields).to_bytes()
