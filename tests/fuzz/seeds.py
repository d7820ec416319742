# SPDX-License-Identifier: Apache-2.0
"""What the fuzzer begins with: small bases, as C source, and inputs that hold real patches."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import cbor2

from muster.delta import PatchKind, PatchProfile, codec, encode
from muster.delta.header import NO_BASE, PREFIX_AT, ImageLayout
from muster.image.assemble import assemble
from muster.image.image import Image
from muster.layout import BODY_MIN_SIZE, SLOT_A_ADDR, SLOT_OFFSET, TAIL_SIZE
from muster.signing.signer import sign_image
from tests.fuzz.programs import Program
from tests.muster.delta.pairs import code_like, module_of
from tests.muster.delta.pairs import image_of as image_with
from tests.vectors import fixed

HEAD_SIZE = 6
"""Bytes of an input before its patch: see fuzz_delta.c."""

ACTIONS = 4
"""Number of things that fuzz_delta.c does with a patch."""

_EXT_MANIFEST = b"\x00\x81"
_TEXT = b"The quick brown fox jumps over the lazy dog. " * 6


@dataclass(frozen=True, slots=True)
class Base:
    """A base that inputs choose by its number, and what patches make of it."""

    raw: bytes
    layout: ImageLayout
    targets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A patch for the base with this number, and what it makes."""

    base_number: int
    patch: bytes
    target: bytes


@cache
def bases() -> tuple[Base, ...]:
    """Always the same, so that an input means the same everywhere."""
    rng = random.Random(2)
    program = Program.made_up(rng, 10, 14)
    edited = [
        program.grown(rng, 2, 1),
        program.grown(rng, 1, 3).constants_changed(rng, 4),
        program.moved(7).grown(rng, 5, 2),
    ]
    codes = [one.link(SLOT_A_ADDR).code for one in (program, *edited)]
    modules = [module_of(code) for code in codes]
    late_modules = [module_of(code, PREFIX_AT) for code in codes]
    small, signed = fixed.small_image(), fixed.signed_image("release-1")
    images = [image_of(one, version) for version, one in enumerate((program, *edited), start=1)]
    long_code = code_like(rng, 4200)
    long_images = [
        image_with(long_code[:cut] + long_code[cut + skip :], version, range(0x200, last, 8))
        for version, (cut, skip, last) in enumerate([(0, 0, 0x1200), (2000, 8, 0x1200), (100, 0, 0x900)], start=1)
    ]
    news = _TEXT.replace(b"brown", b"black").replace(b"dog. ", b"cat!")
    return (
        _raw(b"", b"", b"x", _TEXT, codes[0], small.raw, images[1].raw, modules[0], late_modules[0], bytes(1500)),
        _raw(_TEXT, news, _TEXT[45:] + _TEXT[:50], b"", _TEXT[:1]),
        _raw(codes[0], *codes[1:], codes[1][4:] + codes[0][:300]),
        _base(PatchKind.IMAGE, small.raw, signed.raw, _with_other_spec(small).raw),
        _base(PatchKind.IMAGE, *(image.raw for image in images)),
        _base(PatchKind.MODULE_AT_0, *modules),
        _base(PatchKind.MODULE_AT_184, *late_modules[:3]),
        _base(PatchKind.IMAGE, *(image.raw for image in long_images)),
    )


@cache
def samples() -> tuple[Sample, ...]:
    """Every patch that the encoder makes for the bases, in both profiles."""
    return tuple(
        Sample(number, encode(base.raw, target, profile=profile).raw, target)
        for number, base in enumerate(bases())
        for target in base.targets
        for profile in PatchProfile
    )


@cache
def wrong_samples() -> tuple[Sample, ...]:
    """Patches of images whose manifests claim another layout than the image has, in numbers of other lengths."""
    image = fixed.small_image()
    patch = encode(b"", image.raw)
    found = []
    for reloc_start, ext_start in ((4, 8), (0x1_0000, 0x1_0004), (image.manifest.reloc_start, 0x1_0000)):
        fields = cbor2.loads(image.manifest.to_bytes()) | {7: reloc_start, 8: ext_start}
        manifest = cbor2.dumps(dict(sorted(fields.items())))
        entry = _EXT_MANIFEST + (len(manifest) + 4).to_bytes(2, "little") + manifest
        target = bytearray(image.raw)
        target[-TAIL_SIZE : len(entry) - TAIL_SIZE] = entry
        header = patch.raw[: patch.header.size]
        found.append(Sample(0, header + codec.encode_stream(header, b"", NO_BASE, bytes(target)), bytes(target)))
    return tuple(found)


def inputs() -> Iterator[bytes]:
    """Inputs of the fuzzer: each patch with each action."""
    for sample in samples() + wrong_samples():
        for action in range(ACTIONS):
            piece_len = (0, 7, 64, 0)[action]
            yield bytes([sample.base_number, piece_len, action, 1, 0x40, action]) + sample.patch


def bases_source() -> str:
    """C source that defines what delta_binding.h declares of the bases."""
    arrays, entries = [], []
    for number, base in enumerate(bases()):
        # C has no empty arrays
        arrays.append(f"static const uint8_t bytes_{number}[] = {{{_numbers(base.raw or bytes(1))}}};")
        layout = base.layout
        facts = f"{{{{{layout.length}, {layout.reloc_start}}}, {{{_numbers(layout.base_check)}}}}}"
        entries.append(f"    {{bytes_{number}, {facts}}},")
    return "\n".join(
        [
            '#include "delta_binding.h"',
            *arrays,
            "const struct fuzz_base fuzz_bases[] = {",
            *entries,
            "};",
            "const uint32_t fuzz_base_count = sizeof fuzz_bases / sizeof *fuzz_bases;",
            "",
        ]
    )


def image_of(program: Program, version: int) -> Image:
    """An unsigned image of the program behind a vector table."""
    links = []
    for slot_addr in (SLOT_A_ADDR, SLOT_A_ADDR + SLOT_OFFSET):
        start = slot_addr + BODY_MIN_SIZE
        vectors = [0x2002_0000, *[start + 1] * 15]
        head = b"".join(word.to_bytes(4, "little") for word in vectors)
        links.append(head + bytes(BODY_MIN_SIZE - len(head)) + program.link(start).code)
    return assemble(links[0], links[1], replace(fixed.SPEC, product_version=version))


def _with_other_spec(image: Image) -> Image:
    """The same small program as another version with another security counter, with two signatures."""
    made = fixed.small_image(replace(fixed.SPEC, product_version=8, security_counter=300))
    assert made.raw != image.raw
    return sign_image(made, fixed.signer("release-1"), fixed.signer("release-2"))


def _raw(raw: bytes, *targets: bytes) -> Base:
    return _base(PatchKind.RAW, raw, *targets)


def _base(kind: PatchKind, raw: bytes, *targets: bytes) -> Base:
    return Base(raw, ImageLayout.of(raw, kind), targets)


def _numbers(raw: Iterable[int]) -> str:
    return ", ".join(str(byte) for byte in raw)
