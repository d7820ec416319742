# SPDX-License-Identifier: Apache-2.0
"""Builds that must fail, and what they say."""

from __future__ import annotations

import subprocess

from tests.scons.checkout import Checkout


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_program_above_its_budget_is_refused_with_its_largest_symbols(broken: Checkout) -> None:
    broken.edit("firmware/platforms/photon/platform.toml", "flash_bytes = 31_744", "flash_bytes = 9_000")
    told = refusal(broken.scons())
    assert "bootloader flash" in told
    assert "above the budget of 9000" in told
    assert "fe_mul" in told
    assert "9,000" in (broken.out / "size.txt").read_text()


def test_data_that_reaches_into_the_stack_is_refused(broken: Checkout) -> None:
    (broken.product / "glow.c").write_text(
        '#include "glow.h"\n\nstatic volatile uint8_t much[122880];\n\nuint32_t glow(void) { return much[5]; }\n'
    )
    assert "data and bss reach into the stack" in refusal(broken.scons())


def test_core_cannot_include_a_header_of_the_chip(broken: Checkout) -> None:
    broken.edit("firmware/core/src/crc32.c", '#include "ota/crc32.h"', '#include "ota/crc32.h"\n#include "chip/gpio.h"')
    assert "chip/gpio.h: No such file" in refusal(broken.scons())


def test_bootloader_cannot_include_a_header_of_the_agent(broken: Checkout) -> None:
    broken.edit("firmware/bootloader/main.c", '#include "board.h"', '#include "board.h"\n#include "agent/agent.h"')
    assert "agent/agent.h: No such file" in refusal(broken.scons())


def test_unaligned_address_is_refused_with_its_symbol(broken: Checkout) -> None:
    (broken.product / "glow.c").write_text(
        '#include "glow.h"\n\n#define PACKED __attribute__((packed, aligned(4)))\n'
        "struct PACKED odd { uint8_t one; uint32_t (*address)(void); };\n"
        "extern const struct odd crooked;\nconst struct odd crooked = {1, glow};\n"
        "uint32_t glow(void) { return *(volatile const uint8_t *)&crooked; }\n"
    )
    told = refusal(broken.scons())
    assert "crooked" in told
    assert "not aligned to 4" in told


def test_mistake_in_product_toml_is_one_line(broken: Checkout) -> None:
    toml = broken.product / "product.toml"
    toml.write_text(toml.read_text().replace("id = 4711", "id = 65535"))
    done = broken.scons()
    assert refusal(done).splitlines() == [f"scons: {toml}: id: must be from 1 to 65534, not 65535"]


def test_unknown_argument_is_refused(broken: Checkout) -> None:
    assert "there is no argument PLATFROM" in refusal(broken.scons("PLATFROM=photon"))


def test_missing_keys_are_told_before_anything_is_built(broken: Checkout) -> None:
    broken.keys.rename(broken.keys.with_name("gone"))
    done = broken.scons()
    assert "no development keys" in refusal(done)
    assert done.stdout == ""


def test_help_lists_the_arguments(broken: Checkout) -> None:
    done = broken.scons("-h")
    assert done.returncode == 0
    assert all(f"scons {name}=" in done.stdout for name in ("PRODUCT", "PLATFORM", "VERSION", "KEYS"))
