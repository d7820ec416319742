# SPDX-License-Identifier: Apache-2.0
"""Two releases of a large product, built by the project: what patches and kept layouts are measured on."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from muster.build.driver import BuildRequest, build, source_root
from muster.errors import FileFault
from muster.keystore import KEY_NAMES, KeyStore, key_path
from muster.signing.keys import SEED_SIZE, PrivateKey, write_private_key
from tests.layout.large_sources import CONSTANT_LINE, LONGER_LINE, ORIGINAL_LINE, write_sources

NAME = "large"
PLATFORM = "photon"

_TOML = """\
name = "{name}"
id = 4712
version = {version}
hardware_revisions = [1, 1]
platforms = ["photon"]
sources = [{sources}]
"""


class Fix(StrEnum):
    """The one line that the second release changes."""

    LONGER = LONGER_LINE
    """A condition more: the function grows."""

    CONSTANT = CONSTANT_LINE
    """Another number: nothing grows."""


@dataclass(frozen=True, slots=True)
class Release:
    """One built release.

    Attributes:
        image: the signed canonical image.
        elf: its link at slot A, with debug information.
        map: the linker's map of that link.
        folder: where its files were copied to: `<folder>/photon/large.map` and so on.
    """

    image: bytes
    elf: bytes
    map: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Pair:
    old: Release
    new: Release


def build_pair(folder: Path, keep_layout: bool = False, fix: Fix = Fix.LONGER, reserve_percent: float = 0.0) -> Pair:
    """Builds release 1 and release 2, which has one line changed, and copies their files below `folder`.

    The image is larger than 300 KB. The objects stay in the build folder, so that another call compiles two files.

    Args:
        folder: gets `v1/` and `v2/`; made where it is missing.
        keep_layout: release 2 keeps the layout of release 1.
        fix: the line that differs.
        reserve_percent: gaps that release 1 leaves, of its flash.
    """
    root = source_root()
    source = root / "build" / "large_source"
    source.mkdir(parents=True, exist_ok=True)
    with (source / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write_product(source, 1, ORIGINAL_LINE)
        old = _release(root, source, folder / "v1", None, reserve_percent)
        _write_product(source, 2, fix.value)
        new = _release(root, source, folder / "v2", old.folder if keep_layout else None)
    return Pair(old, new)


def _write_product(source: Path, version: int, line: str) -> None:
    names = write_sources(source, line)
    quoted = ", ".join(f'"{name}"' for name in names)
    (source / "product.toml").write_text(_TOML.format(name=NAME, version=version, sources=quoted), encoding="utf-8")


def _release(root: Path, source: Path, folder: Path, keep_layout: Path | None, reserve_percent: float = 0.0) -> Release:
    request = BuildRequest(
        _keys(),
        product=source,
        platforms=(PLATFORM,),
        jobs=2,
        keep_layout=keep_layout,
        layout_reserve=reserve_percent,
    )
    built = build(request, root)[0]
    out = folder / PLATFORM
    out.mkdir(parents=True, exist_ok=True)
    for kind in ("bin", "elf", "map", "hex"):
        shutil.copy(built.image_path.with_suffix(f".{kind}"), out / f"{NAME}.{kind}")
    image, elf = ((out / f"{NAME}.{kind}").read_bytes() for kind in ("bin", "elf"))
    return Release(image, elf, (out / f"{NAME}.map").read_text(encoding="utf-8"), folder)


def _keys() -> Path:
    """The keys that all firmware of the tests is signed with."""
    folder = source_root() / "build" / "test_keys"
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(KEY_NAMES):
        # Another process may be making the same key.
        with suppress(FileFault):
            write_private_key(key_path(folder, name), PrivateKey(bytes([number]) * SEED_SIZE))
    return KeyStore.open(folder, os.urandom).folder
