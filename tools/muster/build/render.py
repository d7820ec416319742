# SPDX-License-Identifier: Apache-2.0
"""Files generated from platform.toml and product.toml: the templates in firmware/platforms/templates."""

from __future__ import annotations

from enum import StrEnum

import jinja2

from muster import layout
from muster.build.kept_layout import KeptLayout
from muster.errors import ConfigError
from muster.platforms import Platform
from muster.product import Product


class Program(StrEnum):
    """What a linker script is for; each is linked at its own place."""

    BOOTLOADER = "bootloader"
    SLOT_A = "slot_a"
    SLOT_B = "slot_b"

    @property
    def region(self) -> tuple[int, int]:
        """Address and size in bytes of the flash that it is linked for."""
        if self is Program.BOOTLOADER:
            return layout.BOOTLOADER_ADDR, layout.BOOTLOADER_SIZE_MAX
        slot = layout.Slot.A if self is Program.SLOT_A else layout.Slot.B
        return slot.addr, layout.SLOT_SIZE - layout.TAIL_SIZE


def render(
    template: str,
    platform: Platform,
    product: Product | None = None,
    program: Program | None = None,
    kept: KeptLayout | None = None,
) -> str:
    """Fills a template in.

    It sees `platform`, `product`, the flash map as `map`, and for a linker script `flash_addr`, `flash_size`,
    `is_bootloader` and `kept`, the layout of the last release or None where it is not to be kept.

    Raises:
        ConfigError: the template is not valid, or names something that it was not given.
    """
    names: dict[str, object] = {
        "platform": platform,
        "map": {
            "bootloader_addr": layout.BOOTLOADER_ADDR,
            "bootloader_size": layout.BOOTLOADER_SIZE_MAX,
            "slot_a_addr": layout.SLOT_A_ADDR,
            "slot_b_addr": layout.SLOT_B_ADDR,
            "slot_size": layout.SLOT_SIZE,
        },
    }
    if product is not None:
        names["product"] = product
    if program is not None:
        names["flash_addr"], names["flash_size"] = program.region
        names["is_bootloader"] = program is Program.BOOTLOADER
        names["kept"] = kept if kept is not None and kept.report.is_kept else None
    # What is generated is C, not HTML: nothing is to be escaped.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    environment.trim_blocks = True
    environment.lstrip_blocks = True
    try:
        return environment.from_string(template).render(names)
    except jinja2.TemplateError as error:
        raise ConfigError(f"the template cannot be filled in: {error}") from error
