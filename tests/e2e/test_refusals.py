# SPDX-License-Identifier: Apache-2.0
"""What must not be installed is refused, each with its own status, and the device goes on running what it ran."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from muster import cbor
from muster.delta import ImageLayout, Patch, PatchKind, apply, codec, encode, encode_full
from muster.device.bootlog import Reason, RecordType, status_reason
from muster.device.hexfile import factory_record
from muster.device.identity_page import IdentityPage
from muster.emulator import Snapshot
from muster.errors import DeviceError, MusterError, RelocationError
from muster.image.image import Image, seal
from muster.image.reloc import RelocationTable
from muster.keystore import DEVELOPMENT, ONLINE, RELEASE, ROOT_THRESHOLD, ROOTS, KeyStore
from muster.layout import (
    EXTENSION_SIZE,
    IDENTITY_ADDR,
    PREFIX_OFFSET,
    PREFIX_SIZE,
    SLOT_SIZE,
    SUFFIX_SIZE,
    VECTOR_TABLE_SIZE,
    Lifecycle,
    Slot,
)
from muster.serial import BootState, UpdateHost, UpdateState
from muster.signing.cose import CoseSign1
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, sorted_keys
from muster.signing.signer import KeySigner
from muster.signing.verify import DeviceFacts, check_full
from muster.status import OtaStatus
from tests.e2e.board import NEWER, SOUND, Board, BuildFirmware, Victim, remade

S = OtaStatus
STRANGER = KeySigner(PrivateKey(b"a key that no key set holds....."))
SECOND_RELEASE = KeySigner(PrivateKey(b"another release key............."))
PRODUCT_DATA_SIZE = 10
ENTRY_HEAD_SIZE = 4
FLIPS_PER_REGION = 8


@dataclass(frozen=True)
class Bench:
    """A board with version 1 in slot A and, as `staged`, one whose firmware has just staged version 5 in slot B."""

    board: Board
    booted: Snapshot
    staged: Snapshot
    base: Image
    target: Image
    keys: KeyStore


@pytest.fixture(scope="module")
def victim(built: BuildFirmware) -> Victim:
    return Victim(built)


@pytest.fixture(scope="module")
def prepared(victim: Victim, key_store: KeyStore) -> Iterator[Bench]:
    base, target = victim.image(SOUND), victim.image(NEWER)
    patch = encode(base.raw, target.raw)
    with Board(victim.hex_path(SOUND)) as board:
        board.boot()
        booted = board.snapshot()
        taken: list[Snapshot] = []
        host = board.update(
            board.offer(target, patch),
            patch,
            on_progress=lambda progress: (
                taken.append(board.snapshot()) if progress.state is UpdateState.STAGED else None
            ),
        )
        assert host.state is UpdateState.CONFIRMED
        yield Bench(board, booted, taken[0], base, target, key_store)


@pytest.fixture
def bench(prepared: Bench) -> Bench:
    """The board runs version 1 from slot A."""
    prepared.board.restore(prepared.booted)
    return prepared


def assert_refused(bench: Bench, host: UpdateHost, status: OtaStatus, running: Image | None = None) -> None:
    """The device has said no for this reason, tries nothing, and runs the old image."""
    assert (host.state, host.status) == (UpdateState.REFUSED, status)
    assert bench.board.log.facts.attempt is None
    bench.board.assert_runs(running or bench.base)


def offer_image(bench: Bench, image: Image, base: Image | None = None) -> UpdateHost:
    """Offers an image by a patch that is right."""
    patch = encode((base or bench.base).raw, image.raw)
    return bench.board.update(bench.board.offer(image, patch), patch)


def offer_patch(bench: Bench, patch: bytes, **fields: Any) -> UpdateHost:
    """Offers any bytes as the patch to version 5."""
    return bench.board.update(bench.board.offer(bench.target, patch, **fields), patch)


def expected_status(bench: Bench, image: Callable[[], Image]) -> OtaStatus:
    """What the Python library says about an image for this device; it knows nothing of the firmware's code."""
    device = DeviceFacts(
        product_id=bench.base.manifest.product_id,
        platform_id=bench.base.manifest.platform_id,
        hardware_revision=1,
        bootloader_version=1,
        security_counter=0,
    )
    status: OtaStatus | None = S.OK
    try:
        check_full(image(), device, bench.keys.keyset().content, Lifecycle.DEVELOPMENT)
    except MusterError as error:
        status = error.status
    assert status is not None
    return status


# Images in which one thing is wrong


def unsigned(bench: Bench) -> Image:
    return remade(bench.target)


def with_broken_signature(bench: Bench) -> Image:
    """The known key's name, another key's signature."""
    stranger = remade(bench.target, STRANGER).signatures[0]
    known = bench.keys.signer(DEVELOPMENT)
    return seal(bench.target.body, bench.target.manifest, [CoseSign1(known.key_id, stranger.signature)])


def with_flipped_code(bench: Bench) -> Image:
    """A changed body with an honest manifest, but signatures of the manifest before."""
    body = bytearray(bench.target.body)
    body[len(body) // 3] ^= 0x10
    other = remade(bench.target, body=bytes(body))
    return seal(other.body, other.manifest, bench.target.signatures)


def changed(**fields: Any) -> Callable[[Bench], Image]:
    return lambda bench: remade(bench.target, bench.keys.signer(DEVELOPMENT), **fields)


def signed_by(*names: str) -> Callable[[Bench], Image]:
    return lambda bench: remade(bench.target, *(bench.keys.signer(name) for name in names))


WRONG_IMAGES = {
    "unsigned": (unsigned, S.ERR_SIGNERS),
    "signed by a stranger": (lambda bench: remade(bench.target, STRANGER), S.ERR_SIGNERS),
    "signed by the online key": (signed_by(ONLINE), S.ERR_SIGNERS),
    "signed by the roots": (signed_by(*ROOTS), S.ERR_SIGNERS),
    "signature by another key": (with_broken_signature, S.ERR_SIGNATURE),
    "changed code under an old signature": (with_flipped_code, S.ERR_SIGNATURE),
    "another product": (changed(product_id=1067), S.ERR_PRODUCT),
    "another platform": (changed(platform_id=8), S.ERR_PLATFORM),
    "newer hardware": (changed(hardware_lowest=2, hardware_highest=9), S.ERR_HARDWARE),
    "older hardware": (changed(hardware_lowest=0, hardware_highest=0), S.ERR_HARDWARE),
    "newer bootloader": (changed(min_bootloader=2), S.ERR_BOOTLOADER_TOO_OLD),
}


@pytest.mark.parametrize(("make", "status"), WRONG_IMAGES.values(), ids=WRONG_IMAGES)
def test_wrong_image_is_refused(bench: Bench, make: Callable[[Bench], Image], status: OtaStatus) -> None:
    image = make(bench)
    assert_refused(bench, offer_image(bench, image), status)
    # It lies whole in the other slot now, which makes it no better.
    assert_refused(bench, offer_image(bench, image), status)


@pytest.mark.parametrize(("make", "status"), WRONG_IMAGES.values(), ids=WRONG_IMAGES)
def test_bootloader_refuses_a_wrong_image_that_is_staged(
    bench: Bench, make: Callable[[Bench], Image], status: OtaStatus
) -> None:
    bench.board.stage(make(bench), bench.keys.keyset(), bench.base)
    bench.board.power_cycle()
    assert bench.board.history() == [(RecordType.STAGED, 0), (RecordType.REJECTED, status_reason(status))]
    bench.board.assert_runs(bench.base)


@pytest.mark.parametrize("names", [(DEVELOPMENT,), (RELEASE,), (DEVELOPMENT, RELEASE, ONLINE)])
def test_right_signatures_are_accepted(bench: Bench, names: tuple[str, ...]) -> None:
    """The images above are refused for what is wrong with them, not for how they were made."""
    image = signed_by(*names)(bench)
    bench.board.install(image, encode(bench.base.raw, image.raw))
    bench.board.assert_runs(image)


def test_signatures_that_were_missing_are_downloaded(bench: Bench) -> None:
    """The identity does not depend on them, so the device must not take the unsigned image for the signed one."""
    lacking = unsigned(bench)
    assert lacking.identity == bench.target.identity
    assert_refused(bench, offer_image(bench, lacking), S.ERR_SIGNERS)
    bench.board.install(bench.target, encode(bench.base.raw, bench.target.raw))


def test_lower_security_counter_is_refused(bench: Bench) -> None:
    signer = bench.keys.signer(DEVELOPMENT)
    raised = remade(bench.target, signer, security_counter=7)
    assert bench.board.install(raised, encode(bench.base.raw, raised.raw)).security_counter == 7
    for counter in (0, 6):
        lower = remade(bench.base, signer, security_counter=counter, product_version=9)
        assert_refused(bench, offer_image(bench, lower, raised), S.ERR_SECURITY_COUNTER, running=raised)
    equal = remade(bench.base, signer, security_counter=7)
    bench.board.install(equal, encode(raised.raw, equal.raw))


def test_security_counter_of_a_trial_does_not_count(bench: Bench) -> None:
    raised = remade(bench.target, bench.keys.signer(DEVELOPMENT), security_counter=7)
    bench.board.begin_trial(raised, encode(bench.base.raw, raised.raw))
    for _ in range(3):
        bench.board.power_cycle()
    assert bench.board.assert_runs(bench.base).security_counter == 0
    bench.board.install(bench.target, encode(bench.base.raw, bench.target.raw))


# Too few signatures


def two_of_two(bench: Bench) -> KeySet:
    """A key set that asks for two release signatures."""
    content = replace(
        bench.keys.keyset().content,
        release_threshold=2,
        release_keys=sorted_keys([bench.keys.signer(RELEASE).public_key, SECOND_RELEASE.public_key]),
    )
    return KeySet.signed(content, [bench.keys.signer(name) for name in ROOTS[:ROOT_THRESHOLD]])


def test_too_few_signatures_are_refused(bench: Bench) -> None:
    bench.board.write_log([two_of_two(bench)], [factory_record(bench.base)])
    bench.board.power_cycle()
    one = signed_by(RELEASE)(bench)
    assert_refused(bench, offer_image(bench, one), S.ERR_SIGNERS)
    both = remade(bench.target, bench.keys.signer(RELEASE), SECOND_RELEASE)
    bench.board.install(both, encode(bench.base.raw, both.raw))


def make_production(bench: Bench) -> None:
    """Gives the chip a production identity, with its own unique id."""
    board = bench.board
    page = IdentityPage(
        product_id=bench.base.manifest.product_id,
        hardware_revision=1,
        lifecycle=Lifecycle.PRODUCTION,
        roots=bench.keys.roots,
        device_id=board.device.unique_id,
        device_key=PrivateKey(bytes(range(32))),
    )
    board.device.write_memory(IDENTITY_ADDR, page.to_bytes())


@pytest.mark.parametrize("names", [(), (RELEASE,), (DEVELOPMENT,), (DEVELOPMENT, RELEASE)])
def test_production_bootloader_refuses_too_few_signatures(bench: Bench, names: tuple[str, ...]) -> None:
    make_production(bench)
    bench.board.stage(signed_by(*names)(bench), two_of_two(bench), bench.base)
    info = bench.board.power_cycle()
    assert info.lifecycle == Lifecycle.PRODUCTION
    assert bench.board.history()[-1] == (RecordType.REJECTED, status_reason(S.ERR_SIGNERS))
    bench.board.assert_runs(bench.base)


def test_production_bootloader_tries_an_image_with_enough_signatures(bench: Bench) -> None:
    make_production(bench)
    image = remade(bench.target, bench.keys.signer(RELEASE), SECOND_RELEASE)
    bench.board.stage(image, two_of_two(bench), bench.base)
    info = bench.board.power_cycle()
    assert (info.identity, info.boot_state) == (image.identity, BootState.TRIAL)
    # Whoever holds the serial line is no server.
    with pytest.raises(DeviceError) as refusal:
        bench.board.link.confirm(image.identity)
    assert refusal.value.status is S.ERR_NOT_ALLOWED
    assert bench.board.link.info().boot_state is BootState.TRIAL


def test_production_device_obeys_nobody_on_the_serial_line(bench: Bench) -> None:
    make_production(bench)
    bench.board.power_cycle()
    link = bench.board.link
    for ask in (link.restart, lambda: link.call("fail", "restart"), lambda: link.confirm(bench.base.identity)):
        with pytest.raises(DeviceError) as refusal:
            ask()
        assert refusal.value.status is S.ERR_NOT_ALLOWED
    assert_refused(bench, offer_image(bench, bench.target), S.ERR_NOT_ALLOWED)


# A flipped bit, in the image that the patch makes


def regions_of(image: Image) -> dict[str, range]:
    """Offsets by what they hold; the module prefix apart from the code."""
    manifest = image.manifest
    ext_start, length = manifest.ext_start, len(image.raw)
    signature_at = ext_start + ENTRY_HEAD_SIZE + len(manifest.to_bytes())
    padding_at = signature_at + sum(ENTRY_HEAD_SIZE + len(one.to_bytes()) for one in image.signatures)
    product_at = ext_start + EXTENSION_SIZE - PRODUCT_DATA_SIZE
    return {
        "vectors": range(VECTOR_TABLE_SIZE),
        "prefix": range(PREFIX_OFFSET, PREFIX_OFFSET + PREFIX_SIZE),
        "code": range(PREFIX_OFFSET + PREFIX_SIZE, manifest.reloc_start),
        "relocation table": range(manifest.reloc_start, ext_start),
        "manifest": range(ext_start, signature_at),
        "signature": range(signature_at, padding_at),
        "padding": range(padding_at, product_at),
        "product data": range(product_at, ext_start + EXTENSION_SIZE),
        "suffix": range(length - SUFFIX_SIZE, length),
    }


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


def flips(image: Image, region: str, left_out: set[int]) -> list[tuple[int, int]]:
    """Offsets and bits: the region's ends and a fixed sample between them."""
    offsets = [at for at in regions_of(image)[region] if at not in left_out]
    draw = random.Random(region)
    chosen = {offsets[0], offsets[-1], *draw.sample(offsets, min(FLIPS_PER_REGION, len(offsets)))}
    return [(at, draw.randrange(8)) for at in sorted(chosen)]


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
    header = encode(bench.base.raw, bench.target.raw).header.to_bytes()
    layout = ImageLayout.of(bench.base.raw, PatchKind.IMAGE)
    try:
        return header + codec.encode_stream(header, bench.base.raw, layout, target)
    except MusterError:
        manifest = bench.target.manifest
        with pytest.raises(RelocationError):
            RelocationTable.from_bytes(target[manifest.reloc_start : manifest.ext_start], manifest.reloc_start)
        return None


def assert_patch_refused(bench: Bench, patch: bytes) -> OtaStatus:
    """The device refuses a patch to version 5 as the library does; the status."""
    expected = expected_status(bench, lambda: Image.from_bytes(apply(bench.base.raw, patch)))
    assert expected is not S.OK
    host = offer_patch(bench, patch)
    # The device relocates while it writes, so that it meets a damaged table before the patch has ended.
    if host.status is S.ERR_RELOC:
        manifest = bench.target.manifest
        table = bench.board.device.flash_bytes(
            Slot.B.addr + manifest.reloc_start, manifest.ext_start - manifest.reloc_start
        )
        with pytest.raises(RelocationError):
            RelocationTable.from_bytes(table, manifest.reloc_start)
        expected = S.ERR_RELOC
    assert_refused(bench, host, expected)
    return expected


# A flipped bit in flash, between STAGED and the bootloader's check

FLASH_ANSWERS = {
    "vectors": {S.ERR_HASH},
    "prefix": {S.ERR_IMAGE_LENGTH, S.ERR_IMAGE_FORMAT, S.ERR_IMAGE_MISMATCH},
    "code": {S.ERR_HASH},
    "relocation table": {S.ERR_RELOC, S.ERR_HASH},
    "manifest": {S.ERR_IMAGE_FORMAT, S.ERR_MANIFEST, S.ERR_IMAGE_MISMATCH, S.ERR_RELOC, S.ERR_HASH},
    "signature": {S.ERR_IMAGE_FORMAT, S.ERR_HASH},
    "padding": {S.ERR_IMAGE_FORMAT},
    "product data": {S.ERR_IMAGE_FORMAT, S.ERR_IMAGE_MISMATCH},
    "suffix": {S.ERR_IMAGE_FORMAT, S.ERR_IMAGE_MISMATCH, S.ERR_HASH},
}


@pytest.mark.parametrize("region", FLASH_ANSWERS)
def test_bit_flipped_in_the_staged_slot_is_refused_by_the_bootloader(bench: Bench, region: str) -> None:
    board = bench.board
    seen = set()
    for at, bit in flips(bench.target, region, set()):
        board.restore(bench.staged)
        assert board.history() == [(RecordType.STAGED, Reason.NONE)]
        board.flip(Slot.B.addr + at, bit)
        status = expected_status(bench, lambda: board.installed(Slot.B))
        board.wait_for("version 1, slot A, confirmed")
        assert board.history() == [(RecordType.STAGED, Reason.NONE), (RecordType.REJECTED, status_reason(status))]
        board.assert_runs(bench.base)
        seen.add(status)
    assert seen <= FLASH_ANSWERS[region]


def test_staged_slot_without_a_flip_is_tried(bench: Bench) -> None:
    bench.board.restore(bench.staged)
    bench.board.wait_for("version 5, slot B, on trial")


def test_another_image_in_the_staged_slot_is_refused_by_the_bootloader(bench: Bench) -> None:
    """Whole and well signed, but not what was staged."""
    bench.board.restore(bench.staged)
    other = changed(product_version=9)(bench)
    bench.board.device.write_memory(Slot.B.addr, other.installed_in(Slot.B))
    bench.board.wait_for("version 1, slot A, confirmed")
    assert bench.board.history()[-1] == (RecordType.REJECTED, status_reason(S.ERR_IDENTITY))
    bench.board.assert_runs(bench.base)


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
    host = offer_patch(bench, spoil(encode(bench.base.raw, bench.target.raw)))
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
    patch = encode(bench.base.raw, bench.target.raw)
    host = offer_patch(bench, patch.raw, image_len=image_len)
    assert host.served_bytes == 0
    assert_refused(bench, host, S.ERR_PATCH_SIZE)


def test_offer_of_what_runs_is_refused(bench: Bench) -> None:
    answer = bench.board.answer_to(bench.board.offer(bench.base, encode_full(bench.base.raw)))
    assert answer.status is S.ERR_STATE
    bench.board.assert_runs(bench.base)


def test_patch_for_another_target_than_offered_is_refused(bench: Bench) -> None:
    patch = encode(bench.base.raw, bench.target.raw).raw
    assert_refused(bench, offer_patch(bench, patch, identity=hashlib.sha256(b"another").digest()), S.ERR_IDENTITY)


def test_patch_that_makes_another_target_than_its_header_says_is_refused(bench: Bench) -> None:
    promised = hashlib.sha256(b"another").digest()
    patch = with_header(encode(bench.base.raw, bench.target.raw), target_check=promised[:4])
    assert_refused(bench, offer_patch(bench, patch, identity=promised), S.ERR_IDENTITY)


def test_identity_that_differs_behind_its_first_half_is_refused(bench: Bench) -> None:
    """The patch's header holds 4 bytes of the identity, the offer all 32."""
    identity = bench.target.identity[:16] + bytes(16)
    patch = encode(bench.base.raw, bench.target.raw).raw
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
    patch = encode(bench.base.raw, bench.target.raw)
    assert_refused(bench, offer_patch(bench, patch.raw + trailing), S.ERR_PATCH_TRAILING)


def test_update_after_a_refused_one_succeeds(bench: Bench) -> None:
    patch = encode(bench.base.raw, bench.target.raw)
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
    patch = encode(bench.base.raw, bench.target.raw)
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
    header = encode(bench.base.raw, bench.target.raw).header.to_bytes()
    assert_patch_refused(bench, header + draw.randbytes(2000))
