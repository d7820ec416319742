# SPDX-License-Identifier: Apache-2.0
"""From two links to one signed image."""

from __future__ import annotations

from muster.elf import Elf
from muster.errors import LinkError
from muster.image.assemble import ImageSpec, assemble
from muster.image.image import Image
from muster.layout import Slot
from muster.platforms import Platform
from muster.product import Product
from muster.signing.signer import Signer, sign_image


def image_spec(product: Product, platform: Platform) -> ImageSpec:
    """What product.toml and platform.toml say about an image."""
    return ImageSpec(
        product_id=product.product_id,
        product_version=product.version,
        platform_id=platform.platform_id,
        hardware_lowest=product.hardware_lowest,
        hardware_highest=product.hardware_highest,
        security_counter=product.security_counter,
        min_bootloader=platform.minimum_bootloader_version,
    )


def pack_image(slot_a: Elf, slot_b: Elf, spec: ImageSpec, *signers: Signer) -> Image:
    """The signed canonical image of a program that was linked at slot A and at slot B.

    Raises:
        LinkError: the two links cannot become one image.
        ElfFormatError, ValueOutOfRange, RelocationError: as `muster.image.assemble`.
    """
    bodies = []
    for elf, slot in ((slot_a, Slot.A), (slot_b, Slot.B)):
        addr, body = elf.flat()
        if addr != slot.addr:
            raise LinkError(f"the link for slot {slot.name} begins at 0x{addr:08X}, not at 0x{slot.addr:08X}")
        bodies.append(body)
    return sign_image(assemble(bodies[0], bodies[1], spec, slot_a.symbol_at), *signers)
