# SPDX-License-Identifier: Apache-2.0
"""Particle's own reader understands Muster's images, whatever the number of signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muster.image.image import Image
from muster.layout import Slot
from tests.foreign.reader import ForeignReader
from tests.vectors import fixed

_SIGNERS = ("release-1", "release-2", "release-3", "development-1")


def assert_understood(reader: ForeignReader, paths: Sequence[Path]) -> None:
    """Every image is read as what it is; for images of any product."""
    for path, found in zip(paths, reader.read(paths), strict=True):
        image = Image.from_bytes(path.read_bytes())
        assert_agrees(found, image)


def assert_agrees(found: dict[str, Any], image: Image) -> None:
    manifest = image.manifest
    assert found["crc"]["ok"] is True
    prefix = found["prefixInfo"]
    assert prefix["prefixOffset"] == 0x184
    assert int(prefix["moduleStartAddy"], 16) == Slot.A.addr
    assert int(prefix["moduleEndAddy"], 16) == Slot.A.addr + len(image.raw) - 4
    assert prefix["platformID"] == manifest.platform_id
    assert (prefix["moduleFunction"], prefix["moduleIndex"], prefix["moduleFlags"]) == (3, 0, 0)
    assert (prefix["depModuleFunction"], prefix["depModuleVersion"]) == (2, manifest.min_bootloader)
    suffix = found["suffixInfo"]
    assert (suffix["productId"], suffix["productVersion"]) == (manifest.product_id, manifest.product_version)
    assert suffix["fwUniqueId"] == image.raw[-38:-6].hex()
    assert suffix["suffixSize"] == 552
    types = [extension["type"] for extension in suffix["extensions"]]
    assert types == [0x8100, *len(image.signatures) * [0x8101], 0x81FF, 0x0001, 0x0000]
    assert sum(extension["length"] for extension in suffix["extensions"]) == 512


@pytest.mark.parametrize(
    ("product_id", "version"),
    [*((1234, version) for version in range(1, 6)), (1, 1), (0x8100, 44), (0x12, 40), (65_534, 65_534)],
)
def test_image_of_any_product_and_version_is_understood(
    product_id: int, version: int, foreign_reader: ForeignReader, tmp_path: Path
) -> None:
    path = tmp_path / "image.bin"
    spec = replace(fixed.SPEC, product_id=product_id, product_version=version)
    path.write_bytes(fixed.small_image(spec).raw)
    assert_understood(foreign_reader, [path])


@pytest.mark.parametrize("count", [0, 1, 4])
def test_image_with_signatures_is_understood(count: int, foreign_reader: ForeignReader, tmp_path: Path) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(fixed.signed_image(*_SIGNERS[:count]).raw)
    assert_understood(foreign_reader, [path])


def test_damaged_image_is_noticed(foreign_reader: ForeignReader, tmp_path: Path) -> None:
    raw = bytearray(fixed.signed_image("release-1").raw)
    raw[0x300] ^= 1
    path = tmp_path / "image.bin"
    path.write_bytes(raw)
    (found,) = foreign_reader.read([path])
    assert found["crc"]["ok"] is False
