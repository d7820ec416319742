# SPDX-License-Identifier: Apache-2.0
"""The decoder keeps its promises to devices: code, constants, state, stack and instructions (docs/design.md)."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muster.build.decoder_size import DecoderSize
from muster.delta import PatchProfile, encode
from tests.benchmarks.delta_on_device import DeviceDecoder, device_decoder
from tests.conftest import BuildFirmware
from tests.muster.delta.pairs import compiled_program

STACK_MAX = 1280
MEDIAN_MAX = 300
BYTE_MAX = 1500
"""Instructions for each byte of the target, hashes included."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[DeviceDecoder]:
    with device_decoder() as decoder:
        yield decoder


@pytest.fixture(scope="module")
def image(built: BuildFirmware) -> Callable[[str, int], bytes]:
    return lambda product, version: built(product, "photon", version).image_path.read_bytes()


def test_decoder_fits_as_it_is_linked_into_a_firmware(built: BuildFirmware) -> None:
    made = built("blink", "photon", 1)
    size = DecoderSize.of_elf(made.image_path.with_suffix(".elf").read_bytes())
    over = {row.name: row.over for row in size.rows if row.over > 0}
    assert over == {}
    assert min(row.use for row in size.rows) > 1000  # something was measured


def test_median_patch_is_cheap(decoder: DeviceDecoder, image: Callable[[str, int], bytes], tmp_path: Path) -> None:
    programs = [compiled_program(tmp_path, version) for version in (1, 2, 3)]
    pairs = [
        (image("thermostat", 1), image("thermostat", 2)),
        (image("blink", 1), image("blink", 2)),
        (programs[0], programs[1]),
        (programs[1], programs[2]),
        (programs[2], programs[0]),
    ]
    costs = [decoder.measure(base, encode(base, target, load_base=0x0802_0000), target) for base, target in pairs]
    assert statistics.median(cost.per_byte for cost in costs) <= MEDIAN_MAX
    assert max(cost.stack for cost in costs) <= STACK_MAX


@pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)
def test_worst_bytes_are_bounded(
    decoder: DeviceDecoder, image: Callable[[str, int], bytes], tmp_path: Path, profile: PatchProfile
) -> None:
    """New code, and noise, of which nothing can be foreseen."""
    code, noise = compiled_program(tmp_path, 1)[:10_000], random.Random(9).randbytes(4001)
    part, whole = image("blink", 1)[8000:16_000], image("thermostat", 1)
    for base, target in ((b"", code), (b"", part), (b"", whole), (b"", noise), (code, noise)):
        cost = decoder.measure(base, encode(base, target, profile=profile), target)
        assert cost.per_byte <= BYTE_MAX
        assert cost.stack <= STACK_MAX
