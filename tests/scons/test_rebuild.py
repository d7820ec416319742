# SPDX-License-Identifier: Apache-2.0
"""What a change rebuilds, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muster.build.decoder_size import is_in_small_source
from muster.signing.keys import PrivateKey
from tests.scons.checkout import Checkout

IMAGE_STEPS = {"sign lamp.bin", "write lamp.hex", "measure size.txt"}
LINK_STEPS = {"link lamp.elf", "link gen/slot_b.elf"}
GENERATED = "build/platforms/photon"
LOADER_STEPS = {
    f"link {GENERATED}/bootloader.elf",
    f"flatten {GENERATED}/bootloader.bin",
    *(f'Install file: "{GENERATED}/bootloader.{kind}" as "bootloader.{kind}"' for kind in ("elf", "bin")),
}


@contextmanager
def changed(checkout: Checkout, path: Path, text: str) -> Iterator[None]:
    """Gives a file another content for a while, and builds with the old one afterwards."""
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)
        checkout.build()


def test_nothing_is_done_twice(checkout: Checkout) -> None:
    assert checkout.build() == set()


def test_moved_tree_compiles_nothing(checkout: Checkout, tmp_path: Path) -> None:
    moved = checkout.copy(tmp_path)
    assert {step for step in moved.build() if step.startswith(("compile", "link"))} == set()
    for name in ("lamp.bin", "lamp.elf"):
        assert (moved.out / name).read_bytes() == (checkout.out / name).read_bytes()


def test_new_key_signs_again(checkout: Checkout) -> None:
    key = PrivateKey(b"\x77" * 32).to_pem().decode()
    image = (checkout.out / "lamp.bin").read_bytes()
    with changed(checkout, checkout.keys / "development.pem", key):
        assert checkout.build() == IMAGE_STEPS
        assert (checkout.out / "lamp.bin").read_bytes() != image


def test_new_root_key_writes_only_the_hex(checkout: Checkout) -> None:
    key = PrivateKey(b"\x78" * 32).to_pem().decode()
    with changed(checkout, checkout.keys / "root-1.pem", key):
        assert checkout.build() == {"write lamp.hex"}


def test_product_toml_compiles_only_its_own_file(checkout: Checkout) -> None:
    toml = checkout.product / "product.toml"
    with changed(checkout, toml, toml.read_text().replace("version = 2", "version = 3")):
        compiled = {"write gen/product_config.c", "compile gen/product_config.c"}
        assert checkout.build() == compiled | LINK_STEPS | IMAGE_STEPS


def test_platform_toml_writes_what_is_generated_and_compiles_what_differs(checkout: Checkout) -> None:
    toml = checkout.root / "firmware/platforms/photon/platform.toml"
    with changed(checkout, toml, toml.read_text().replace("115_200", "57_600")):
        done = checkout.build()
    compiled = {step for step in done if step.startswith("compile")}
    assert compiled == {f"compile {GENERATED}/gen/platform_config.c"}
    assert done >= LINK_STEPS | IMAGE_STEPS | {f"link {GENERATED}/bootloader.elf"}


def test_comment_in_platform_toml_compiles_nothing(checkout: Checkout) -> None:
    toml = checkout.root / "firmware/platforms/photon/platform.toml"
    with changed(checkout, toml, toml.read_text() + "# a remark\n"):
        done = checkout.build()
    assert {step for step in done if step.startswith(("compile", "link"))} == set()
    assert f"write {GENERATED}/gen/platform_config.c" in done


def test_linker_script_template_links_again(checkout: Checkout) -> None:
    template = checkout.root / "firmware/platforms/templates/link.ld.jinja"
    with changed(checkout, template, template.read_text() + "/* a remark */\n"):
        done = checkout.build()
    assert {step for step in done if step.startswith("compile")} == set()
    assert done >= {*LINK_STEPS, f"link {GENERATED}/bootloader.elf", "write gen/slot_a.ld", "write gen/slot_b.ld"}


def test_header_compiles_what_includes_it(checkout: Checkout) -> None:
    header = checkout.product / "glow.h"
    with changed(checkout, header, header.read_text() + "extern const int another_name;\n"):
        compiled = {step for step in checkout.build() if step.startswith("compile")}
    assert compiled == {f"compile {checkout.product}/{name}.c" for name in ("lamp", "glow")}


def test_code_of_the_image_tool_signs_again(checkout: Checkout) -> None:
    code = checkout.root / "tools/muster/image/assemble.py"
    with changed(checkout, code, code.read_text() + "# a remark\n"):
        # The bytes come out the same, so nothing behind them is done again.
        assert checkout.build() == {"sign lamp.bin", "write lamp.hex"}


def test_another_compiler_compiles_everything(checkout: Checkout, tmp_path: Path) -> None:
    real = shutil.which("arm-none-eabi-gcc")
    wrapper = tmp_path / "arm-none-eabi-gcc"
    wrapper.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    everything = {step for step in checkout.build("-n", path=tmp_path) if step.startswith("compile")}
    core = [path.name for path in (checkout.root / "firmware/core/src").glob("*.c")]
    sources = {name for name in core if not is_in_small_source(name)} | {"delta_small.c", "lamp.c", "main.c"}
    assert sources <= {os.path.basename(step) for step in everything}


@pytest.mark.parametrize("folder", ["firmware", "my lamp"])
def test_nothing_is_built_beside_its_source(checkout: Checkout, folder: str) -> None:
    tree = checkout.root / "firmware" if folder == "firmware" else checkout.product
    kinds = {path.suffix for path in tree.rglob("*") if path.is_file()}
    assert kinds <= {".c", ".h", ".toml", ".jinja", ".md", ""}
