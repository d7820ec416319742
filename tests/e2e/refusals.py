# SPDX-License-Identifier: Apache-2.0
"""A board to which wrong images and wrong patches are offered, and what it answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from muster.delta import Patch, apply, encode
from muster.emulator import Snapshot
from muster.errors import MusterError, RelocationError
from muster.image.image import Image
from muster.image.reloc import RelocationTable
from muster.keystore import DEVELOPMENT, KeyStore
from muster.layout import (
    EXTENSION_SIZE,
    PREFIX_OFFSET,
    PREFIX_SIZE,
    SUFFIX_SIZE,
    VECTOR_TABLE_SIZE,
    Lifecycle,
    Slot,
)
from muster.serial import UpdateHost, UpdateState
from muster.signing.verify import DeviceFacts, check_full
from muster.status import OtaStatus
from tests.e2e.board import Board, remade

S = OtaStatus
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
    patch: Patch
    keys: KeyStore


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


def changed(**fields: Any) -> Callable[[Bench], Image]:
    """Makes version 5 with another manifest, signed by the development key."""
    return lambda bench: remade(bench.target, bench.keys.signer(DEVELOPMENT), **fields)


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


def flips(image: Image, region: str, left_out: set[int]) -> list[tuple[int, int]]:
    """Offsets and bits: the region's ends and a fixed sample between them."""
    offsets = [at for at in regions_of(image)[region] if at not in left_out]
    draw = random.Random(region)
    chosen = {offsets[0], offsets[-1], *draw.sample(offsets, min(FLIPS_PER_REGION, len(offsets)))}
    return [(at, draw.randrange(8)) for at in sorted(chosen)]
