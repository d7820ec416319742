# SPDX-License-Identifier: Apache-2.0
"""What a build leaves, and that it is the same wherever it is made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from muster import layout
from muster.device.hexfile import segments_of
from muster.device.identity_page import IdentityPage
from muster.elf import Elf
from muster.image.image import Image
from muster.keystore import DEVELOPMENT, KeyStore
from tests.scons.checkout import Checkout

OUTPUTS = ("lamp.bin", "lamp.hex", "lamp.elf", "lamp.map", "bootloader.bin", "bootloader.elf")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Checkout:
    """The same sources, built in a folder with a longer name."""
    other = Checkout.make(tmp_path_factory.mktemp("a_second_place_of_another_length"), key_store)
    other.build()
    return other


@pytest.mark.parametrize("name", OUTPUTS)
def test_builds_in_different_folders_are_the_same_bytes(checkout: Checkout, other: Checkout, name: str) -> None:
    assert (checkout.out / name).read_bytes() == (other.out / name).read_bytes()


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_output_names_the_folder(checkout: Checkout, name: str) -> None:
    raw = (checkout.out / name).read_bytes()
    for folder in (checkout.root, checkout.product, Path.home()):
        assert str(folder).encode() not in raw


def test_image_says_what_the_tomls_say(checkout: Checkout, key_store: KeyStore) -> None:
    image = Image.from_bytes((checkout.out / "lamp.bin").read_bytes())
    manifest = image.manifest
    assert (manifest.product_id, manifest.product_version, manifest.platform_id) == (4711, 2, 6)
    assert (manifest.hardware_lowest, manifest.hardware_highest, manifest.security_counter) == (1, 3, 7)
    assert [signature.key_id for signature in image.signatures] == [key_store.signer(DEVELOPMENT).key_id]


def test_image_in_slot_b_is_the_link_at_slot_b(checkout: Checkout) -> None:
    image = Image.from_bytes((checkout.out / "lamp.bin").read_bytes())
    addr, linked = Elf.from_bytes((checkout.out / "gen" / "slot_b.elf").read_bytes()).flat()
    installed = image.installed_in(layout.Slot.B)
    assert addr == layout.SLOT_B_ADDR
    assert installed[: layout.VECTOR_TABLE_SIZE] == linked[: layout.VECTOR_TABLE_SIZE]
    assert installed[layout.BODY_MIN_SIZE : len(linked)] == linked[layout.BODY_MIN_SIZE :]


def test_hex_holds_bootloader_identity_log_and_image(checkout: Checkout) -> None:
    segments = {segment.addr: segment.data for segment in segments_of((checkout.out / "lamp.hex").read_text())}
    assert segments[layout.BOOTLOADER_ADDR] == (checkout.out / "bootloader.bin").read_bytes()
    assert segments[layout.SLOT_A_ADDR] == (checkout.out / "lamp.bin").read_bytes()
    # The log's first sector follows the identity page without a hole.
    assert layout.SECTOR_ADDRS[layout.LOG_SECTORS[0]] == layout.IDENTITY_ADDR + layout.IDENTITY_PAGE_SIZE
    identity_and_log = segments[layout.IDENTITY_ADDR]
    assert IdentityPage.from_bytes(identity_and_log[: layout.IDENTITY_PAGE_SIZE]).product_id == 4711
    assert identity_and_log[layout.IDENTITY_PAGE_SIZE :].startswith(b"BLOG")


def test_bootloader_names_version_and_platform_at_0x184(checkout: Checkout) -> None:
    raw = (checkout.out / "bootloader.bin").read_bytes()
    assert raw[0x184:0x18C] == b"TOOB" + (1).to_bytes(2, "little") + (6).to_bytes(2, "little")


def test_size_report_keeps_its_budgets_and_names_symbols(checkout: Checkout) -> None:
    facts = json.loads((checkout.out / "size.json").read_text())
    rows = {row["name"]: row for row in facts["rows"]}
    assert rows["firmware flash"]["use"] == (checkout.out / "lamp.bin").stat().st_size
    assert rows["bootloader flash"] == {
        "name": "bootloader flash",
        "use": (checkout.out / "bootloader.bin").stat().st_size,
        "limit": 31_744,
    }
    assert facts["largest"]["firmware ram"][0]["size"] >= facts["largest"]["firmware ram"][1]["size"] > 0


def test_compile_commands_name_every_source(checkout: Checkout) -> None:
    commands = json.loads((checkout.root / "build" / "compile_commands.json").read_text())
    files = {Path(entry["file"]).name for entry in commands}
    assert {"lamp.c", "glow.c", "boot.c", "startup.c", "monocypher.c", "platform_config.c"} <= files


def test_other_version_has_its_own_sources_and_folder(checkout: Checkout) -> None:
    checkout.build("VERSION=1")
    first = checkout.root / "build" / "lamp-1" / "photon"
    image = Image.from_bytes((first / "lamp.bin").read_bytes())
    assert image.manifest.product_version == 1
    code = [(folder / "product/glow.o").exists() for folder in (checkout.out, first)]
    assert code == [True, False]
    assert (first / "product/earlier/1/glow.o").exists()
    # Both stay side by side.
    assert checkout.build() == set()


def test_core_needs_nothing_but_memory_functions_of_the_compiler(checkout: Checkout) -> None:
    folder = checkout.root / "build/common/stm32f205/core/src"
    defined: set[str] = set()
    undefined: set[str] = set()
    for path in [*folder.rglob("*.o"), checkout.root / "build/common/stm32f205/core/monocypher.o"]:
        done = subprocess.run(["arm-none-eabi-nm", str(path)], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            kind, name = line.split()[-2:]
            (undefined if kind == "U" else defined).add(name)
    needed = undefined - defined
    # Division and 64-bit arithmetic of the processor's run-time ABI, which is no library.
    allowed = {"memcpy", "memset", "memcmp", "memmove"}
    assert {name for name in needed if not name.startswith("__aeabi_")} <= allowed
    assert "memcpy" in needed


def test_core_has_no_global_that_changes(checkout: Checkout) -> None:
    objects = [str(path) for path in (checkout.root / "build/common/stm32f205/core/src").rglob("*.o")]
    done = subprocess.run(["arm-none-eabi-nm", *objects], capture_output=True, text=True, check=True)
    symbols = [line.split()[-2:] for line in done.stdout.splitlines() if line.strip() and not line.endswith(":")]
    assert [name for kind, name in symbols if kind in "bBdDC"] == []
    assert any(kind == "T" for kind, _ in symbols)
