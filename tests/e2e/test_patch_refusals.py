# SPDX-License-Identifier: Apache-2.0
"""Wrong patches and wrong offers are refused, each with its own status; the device runs what it ran."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from muster import cbor
from muster.delta import ImageLayout, Patch, PatchKind, apply, codec, encode, encode_full
from muster.errors import MusterError, RelocationError
from muster.image.image import Image
from muster.image.reloc import RelocationTable
from muster.layout import (
    PREFIX_OFFSET,
    SLOT_SIZE,
    Slot,
)
from muster.status import OtaStatus
from tests.e2e.refusals import (
    Bench,
    assert_patch_refused,
    assert_refused,
    changed,
    flips,
    offer_patch,
)

S = OtaStatus


# A flipped bit, in the image that the patch makes


def derived_offsets(image: Image) -> set[int]:
    """What the decoder computes itself (docs/spec/patch.md section 3): no patch can make it wrong."""
    manifest, length = image.manifest, len(image.raw)
    body_hash_at = image.raw.index(manifest.body_hash, manifest.ext_start)
    starts = {
        at
        for key, value in ((7, manifest.reloc_start), (8, manifest.ext_start))
        for entry in [bytes([key]) + cbor.dumps(value)]
        for first in [image.raw.index(entry, manifest.ext_start)]
        for at in range(first + 2, first + len(entry))  # the number's bytes behind its first one
    }
    return {
        *range(PREFIX_OFFSET + 4, PREFIX_OFFSET + 8),
        *range(body_hash_at, body_hash_at + 32),
        *starts,
        *range(length - 52, length - 48),
        *range(length - 44, length - 40),
        *range(length - 38, length - 6),
        *range(length - 4, length),
    }


PATCH_ANSWERS = {
    "vectors": {S.ERR_IDENTITY},
    "prefix": {S.ERR_IDENTITY},
    "code": {S.ERR_IDENTITY},
    "relocation table": {S.ERR_IDENTITY, S.ERR_RELOC},
    "manifest": {S.ERR_IDENTITY},
    "signature": {S.ERR_SIGNATURE, S.ERR_SIGNERS, S.ERR_IMAGE_FORMAT},
    "padding": {S.ERR_IMAGE_FORMAT},
    "product data": {S.ERR_IMAGE_MISMATCH, S.ERR_IMAGE_FORMAT},
    "suffix": {S.ERR_IMAGE_MISMATCH, S.ERR_IMAGE_FORMAT},
}


@pytest.mark.parametrize("region", PATCH_ANSWERS)
def test_bit_flipped_before_the_patch_was_made_is_refused(bench: Bench, region: str) -> None:
    target = bench.target
    seen = set()
    for at, bit in flips(target, region, derived_offsets(target)):
        flipped = bytearray(target.raw)
        flipped[at] ^= 1 << bit
        patch = patch_to_any_bytes(bench, bytes(flipped))
        if patch is None:
            continue
        bench.board.restore(bench.booted)
        seen.add(assert_patch_refused(bench, patch))
    assert seen
    assert seen <= PATCH_ANSWERS[region]


def patch_to_any_bytes(bench: Bench, target: bytes) -> bytes | None:
    """A patch whose header is that of version 5 and whose stream makes something else.

    None for a relocation table that no stream can make: the decoder writes none that is not valid.
    """
    header = bench.patch.header.to_bytes()
    layout = ImageLayout.of(bench.base.raw, PatchKind.IMAGE)
    try:
        return header + codec.encode_stream(header, bench.base.raw, layout, target)
    except MusterError:
        manifest = bench.target.manifest
        with pytest.raises(RelocationError):
            RelocationTable.from_bytes(target[manifest.reloc_start : manifest.ext_start], manifest.reloc_start)
        return None


# Wrong patches and wrong offers


def with_header(patch: Patch, **fields: Any) -> bytes:
    """The patch with another header."""
    return replace(patch.header, **fields).to_bytes() + patch.raw[patch.header.size :]


def with_first_byte(patch: Patch, *, cleared: int = 0, flipped: int = 0) -> bytes:
    """The patch with another format, profile or kind."""
    return bytes([patch.raw[0] & ~cleared ^ flipped]) + patch.raw[1:]


NOTHING_ERASED = {
    "profile 0": (lambda p: with_header(p, profile=0), S.ERR_PATCH_PROFILE),
    "profile 3": (lambda p: with_header(p, profile=3), S.ERR_PATCH_PROFILE),
    "format 0": (lambda p: with_first_byte(p, cleared=0xE0), S.ERR_PATCH_HEADER),
    "format 3": (lambda p: with_first_byte(p, flipped=0x20), S.ERR_PATCH_HEADER),
    "kind raw": (lambda p: with_first_byte(p, flipped=PatchKind.IMAGE ^ PatchKind.RAW), S.ERR_PATCH_HEADER),
    "kind module": (
        lambda p: with_first_byte(p, flipped=PatchKind.IMAGE ^ PatchKind.MODULE_AT_184),
        S.ERR_PATCH_HEADER,
    ),
    "base": (lambda p: with_header(p, base_check=b"\0\0\0"), S.ERR_PATCH_BASE),
    "longer target": (lambda p: with_header(p, length_change=p.header.length_change + 4), S.ERR_PATCH_SIZE),
    "shorter target": (lambda p: with_header(p, length_change=p.header.length_change - 4), S.ERR_PATCH_SIZE),
    "target of no length": (lambda p: with_header(p, length_change=-0x10_0000), S.ERR_PATCH_HEADER),
    "table behind the end": (lambda p: with_header(p, reloc_change=0x4_0000), S.ERR_PATCH_HEADER),
    "number of no end": (lambda p: p.raw[:8] + b"\xff\xff\xff\xff\xff" + p.raw[8:], S.ERR_PATCH_HEADER),
    "target": (lambda p: with_header(p, target_check=bytes(4)), S.ERR_IDENTITY),
    "cut short": (lambda p: p.raw[: p.header.size - 1], S.ERR_PATCH_TRUNCATED),
    "nothing at all": (lambda p: b"", S.ERR_PATCH_TRUNCATED),
}


@pytest.mark.parametrize(("spoil", "status"), NOTHING_ERASED.values(), ids=NOTHING_ERASED)
def test_patch_with_a_wrong_header_is_refused_before_anything_is_erased(
    bench: Bench, spoil: Callable[[Patch], bytes], status: OtaStatus
) -> None:
    before = bench.board.device.counters.erases
    bench.board.device.write_memory(Slot.B.addr, bench.target.raw[:256])
    host = offer_patch(bench, spoil(bench.patch))
    assert bench.board.device.flash_bytes(Slot.B.addr, 256) == bench.target.raw[:256]
    assert bench.board.device.counters.erases == before
    assert_refused(bench, host, status)


def test_patch_for_another_base_is_refused_before_anything_is_erased(bench: Bench) -> None:
    before = bench.board.device.counters.erases
    other = changed(product_version=4)(bench)
    assert_refused(bench, offer_patch(bench, encode(other.raw, bench.target.raw).raw), S.ERR_PATCH_BASE)
    assert bench.board.device.counters.erases == before


def test_patch_of_raw_bytes_is_refused(bench: Bench) -> None:
    raw = encode(bench.base.raw, bench.target.raw, kind=PatchKind.RAW, load_base=Slot.A.addr)
    assert_refused(bench, offer_patch(bench, raw.raw), S.ERR_PATCH_HEADER)


@pytest.mark.parametrize("image_len", [SLOT_SIZE + 4, 0xFFFF_FFFC, 0])
def test_offer_that_does_not_fit_the_slot_is_refused(bench: Bench, image_len: int) -> None:
    patch = bench.patch
    host = offer_patch(bench, patch.raw, image_len=image_len)
    assert host.served_bytes == 0
    assert_refused(bench, host, S.ERR_PATCH_SIZE)


def test_offer_of_what_runs_is_refused(bench: Bench) -> None:
    answer = bench.board.answer_to(bench.board.offer(bench.base, encode_full(bench.base.raw)))
    assert answer.status is S.ERR_STATE
    bench.board.assert_runs(bench.base)


def test_patch_for_another_target_than_offered_is_refused(bench: Bench) -> None:
    patch = bench.patch.raw
    assert_refused(bench, offer_patch(bench, patch, identity=hashlib.sha256(b"another").digest()), S.ERR_IDENTITY)


def test_patch_that_makes_another_target_than_its_header_says_is_refused(bench: Bench) -> None:
    promised = hashlib.sha256(b"another").digest()
    patch = with_header(bench.patch, target_check=promised[:4])
    assert_refused(bench, offer_patch(bench, patch, identity=promised), S.ERR_IDENTITY)


def test_identity_that_differs_behind_its_first_half_is_refused(bench: Bench) -> None:
    """The patch's header holds 4 bytes of the identity, the offer all 32."""
    identity = bench.target.identity[:16] + bytes(16)
    patch = bench.patch.raw
    assert_refused(bench, offer_patch(bench, patch, identity=identity), S.ERR_IDENTITY)


@pytest.mark.parametrize("make", [encode, lambda _, target: encode_full(target)], ids=["patch", "full image"])
def test_wrong_digest_is_refused(bench: Bench, make: Callable[[bytes, bytes], Patch]) -> None:
    patch = make(bench.base.raw, bench.target.raw)
    digest = hashlib.sha256(patch.raw + b"?").digest()
    assert_refused(bench, offer_patch(bench, patch.raw, digest=digest), S.ERR_PATCH_DIGEST)


@pytest.mark.parametrize("make", [encode, lambda _, target: encode_full(target)], ids=["patch", "full image"])
def test_truncated_patch_is_refused(bench: Bench, make: Callable[[bytes, bytes], Patch]) -> None:
    patch = make(bench.base.raw, bench.target.raw)
    size, whole = patch.header.size, len(patch)
    for length in (size, size + 3, (size + whole) // 2, whole - 8):
        bench.board.restore(bench.booted)
        # What the decoder takes for the missing bytes may leave a range before it sees that they are missing.
        assert assert_patch_refused(bench, patch.raw[:length]) in (S.ERR_PATCH_TRUNCATED, S.ERR_PATCH_RANGE)


@pytest.mark.parametrize("trailing", [bytes(5), bytes(3000)], ids=len)
def test_patch_with_trailing_bytes_is_refused(bench: Bench, trailing: bytes) -> None:
    """Up to four zeros may be those that the encoder leaves out."""
    patch = bench.patch
    assert_refused(bench, offer_patch(bench, patch.raw + trailing), S.ERR_PATCH_TRAILING)


def test_update_after_a_refused_one_succeeds(bench: Bench) -> None:
    patch = bench.patch
    assert_patch_refused(bench, patch.raw[: len(patch) // 2])
    assert_refused(bench, offer_patch(bench, patch.raw, digest=bytes(32)), S.ERR_PATCH_DIGEST)
    bench.board.install(bench.target, patch)
    bench.board.assert_runs(bench.target)


# Hostile patches: their digest is right, so every byte reaches the decoder


def is_still_right(bench: Bench, patch: bytes) -> bool:
    """Whether a patch makes version 5 all the same: the stream's last bytes have some play."""
    try:
        return apply(bench.base.raw, patch) == bench.target.raw
    except MusterError:
        return False


@pytest.mark.parametrize("seed", range(3))
def test_mutated_patch_is_refused(bench: Bench, seed: int) -> None:
    draw = random.Random(seed)
    patch = bench.patch
    refused = 0
    for _ in range(12):
        mutated = bytearray(patch.raw)
        for _ in range(draw.choice((1, 1, 2, 8))):
            mutated[draw.randrange(patch.header.size, len(mutated))] ^= 1 << draw.randrange(8)
        bench.board.restore(bench.booted)
        if is_still_right(bench, bytes(mutated)):
            bench.board.install(bench.target, bytes(mutated))
        else:
            refused += 1
            assert_patch_refused(bench, bytes(mutated))
    assert refused >= 9


@pytest.mark.parametrize("seed", range(2))
def test_noise_behind_a_right_header_is_refused(bench: Bench, seed: int) -> None:
    draw = random.Random(seed)
    header = bench.patch.header.to_bytes()
    assert_patch_refused(bench, header + draw.randbytes(2000))
