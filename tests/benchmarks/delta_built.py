# SPDX-License-Identifier: Apache-2.0
"""Pairs that the project builds itself: a compiled program, the thermostat, and a large product with a one-line fix."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from muster.build.driver import BuildRequest, build, source_root
from muster.build.selection import PRODUCTS_FOLDER
from muster.errors import FileFault
from muster.image.image import Image
from muster.keystore import KEY_NAMES, KeyStore, key_path
from muster.layout import SLOT_A_ADDR
from muster.signing.keys import SEED_SIZE, PrivateKey, write_private_key
from tests.benchmarks.delta_corpus import Pair, write_pairs
from tests.muster.delta.pairs import compiled_program

_PLATFORMS = ("photon", "p1", "electron")
ONE_LINE_FIXES = ("built-large-longer", "built-large-constant")
KEPT_LAYOUT = "built-large-kept"
SIGNATURE_SIZE = 64


def built_pairs(folder: Path) -> None:
    """Builds what is not up to date and puts the pairs into `folder`. Needs the ARM compiler."""
    write_pairs(folder, (*_compiled(), *_thermostats(), *_large()))


def signature_bytes(image: bytes) -> int:
    """What the signatures of an image cost every patch to it."""
    return SIGNATURE_SIZE * len(Image.from_bytes(image).signatures)


def _compiled() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        versions = [compiled_program(Path(folder), version) for version in (1, 2, 3)]
    for number, (old, new) in enumerate(pairwise(versions), start=2):
        yield Pair(f"built-logger-{number}", old, new, SLOT_A_ADDR)


def _thermostats() -> Iterator[Pair]:
    """Version 1 to version 2, which has a feature more."""
    root = source_root()
    keys = _keys(root / "build" / "test_keys")
    product = root / PRODUCTS_FOLDER / "thermostat"
    images: dict[tuple[str, int], bytes] = {}
    for version in (1, 2):
        request = BuildRequest(keys.folder, product=product, platforms=_PLATFORMS, version=version, jobs=2)
        for built in build(request, root):
            images[built.platform, version] = built.image_path.read_bytes()
    for platform in _PLATFORMS:
        yield Pair(f"built-thermostat-{platform}", images[platform, 1], images[platform, 2], SLOT_A_ADDR)


def _large() -> Iterator[Pair]:
    # Imported here: who measures a folder of pairs needs nothing of the large product.
    from tests.layout.large_product import Fix, build_pair

    with tempfile.TemporaryDirectory() as folder:
        for name, fix, kept in (
            (ONE_LINE_FIXES[0], Fix.LONGER, False),
            (ONE_LINE_FIXES[1], Fix.CONSTANT, False),
            (KEPT_LAYOUT, Fix.LONGER, True),
        ):
            pair = build_pair(Path(folder) / name, keep_layout=kept, fix=fix)
            yield Pair(name, pair.old.image, pair.new.image, SLOT_A_ADDR)


def _keys(folder: Path) -> KeyStore:
    """The keys that all firmware of the tests is signed with."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(KEY_NAMES):
        # Another process may be making the same key.
        with suppress(FileFault):
            write_private_key(key_path(folder, name), PrivateKey(bytes([number]) * SEED_SIZE))
    return KeyStore.open(folder, os.urandom)
