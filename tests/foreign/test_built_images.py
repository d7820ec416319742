# SPDX-License-Identifier: Apache-2.0
"""Particle's own reader understands every image that the build makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from muster.build.driver import Built
from muster.image.image import Image
from muster.signing.keys import PrivateKey
from muster.signing.signer import KeySigner, sign_image
from tests.foreign.reader import ForeignReader
from tests.foreign.test_binary_version_reader import assert_understood

BuildFirmware = Callable[..., Built]


@pytest.mark.parametrize("platform", ["photon", "p1", "electron"])
@pytest.mark.parametrize(("product", "version"), [("blink", 1), ("thermostat", 1), ("thermostat", 2)])
def test_built_image_is_understood_with_one_and_with_four_signatures(
    product: str,
    version: int,
    platform: str,
    built: BuildFirmware,
    foreign_reader: ForeignReader,
    tmp_path: Path,
) -> None:
    one = built(product, platform, version).image_path
    image = Image.from_bytes(one.read_bytes())
    assert len(image.signatures) == 1
    for _ in range(3):
        image = sign_image(image, KeySigner(PrivateKey(os.urandom(32))))
    four = tmp_path / "four.bin"
    four.write_bytes(image.raw)
    assert_understood(foreign_reader, [one, four])
