# SPDX-License-Identifier: Apache-2.0
"""Images that must not be installed are refused, each with its own status; the device runs what it ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from muster.delta import encode
from muster.device.bootlog import Reason, RecordType, status_reason
from muster.device.hexfile import factory_record
from muster.device.identity_page import IdentityPage
from muster.errors import DeviceError
from muster.image.image import Image, seal
from muster.keystore import DEVELOPMENT, ONLINE, RELEASE, ROOT_THRESHOLD, ROOTS
from muster.layout import (
    IDENTITY_ADDR,
    Lifecycle,
    Slot,
)
from muster.serial import BootState
from muster.signing.cose import CoseSign1
from muster.signing.keys import PrivateKey
from muster.signing.keyset import KeySet, sorted_keys
from muster.signing.signer import KeySigner
from muster.status import OtaStatus
from tests.e2e.board import remade
from tests.e2e.refusals import (
    Bench,
    assert_refused,
    changed,
    expected_status,
    flips,
    offer_image,
)

S = OtaStatus
STRANGER = KeySigner(PrivateKey(b"a key that no key set holds....."))
SECOND_RELEASE = KeySigner(PrivateKey(b"another release key............."))


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
    bench.board.install(bench.target, bench.patch)


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
    bench.board.install(bench.target, bench.patch)


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
