# SPDX-License-Identifier: Apache-2.0
"""What keeping the layout is for: a one-line fix in a large image leaves nearly every byte where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.build.mapfile import LinkMap
from muster.delta.apply import apply
from muster.delta.encode import encode
from muster.image.image import Image
from muster.serial import BootState
from tests.e2e.board import Board
from tests.layout.large_product import NAME, PLATFORM, Fix, Pair, build_pair


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return build_pair(tmp_path_factory.mktemp("free"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return build_pair(tmp_path_factory.mktemp("kept"), keep_layout=True)


@pytest.fixture(scope="module")
def with_gaps(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return build_pair(tmp_path_factory.mktemp("gaps"), keep_layout=True, reserve_percent=1.0)


def moved(pair: Pair) -> int:
    """Sections that are not where they were."""
    old, new = (LinkMap.from_text(release.map).sections for release in (pair.old, pair.new))
    places = {(one.object_file, one.name): one.addr for one in old if not one.output.startswith(".debug")}
    return sum(
        places.get((one.object_file, one.name)) != one.addr for one in new if not one.output.startswith(".debug")
    )


def bytes_that_differ(pair: Pair) -> int:
    """In code, constants and initial values, which stand before the relocation table."""
    old, new = (
        release.image[: Image.from_bytes(release.image).manifest.reloc_start] for release in (pair.old, pair.new)
    )
    return sum(one != other for one, other in zip(old, new, strict=False)) + abs(len(old) - len(new))


def test_image_is_large(free: Pair) -> None:
    assert len(free.old.image) > 300 * 1024
    assert free.old.image != free.new.image


def test_kept_layout_moves_next_to_nothing(free: Pair, kept: Pair, with_gaps: Pair) -> None:
    assert moved(free) > 1000
    assert moved(kept) == 1
    assert moved(with_gaps) < 10


def test_kept_layout_changes_few_bytes(free: Pair, kept: Pair, with_gaps: Pair) -> None:
    assert bytes_that_differ(free) > 100_000
    assert bytes_that_differ(kept) < 200
    assert bytes_that_differ(with_gaps) < 1500


def test_one_line_fix_is_a_small_patch(free: Pair, kept: Pair, with_gaps: Pair) -> None:
    """Besides the signature: at most 160 bytes, and 100 where the layout was kept."""
    signature = 64
    for pair, limit in ((free, 160), (kept, 100), (with_gaps, 100)):
        patch = encode(pair.old.image, pair.new.image)
        assert apply(pair.old.image, patch.raw) == pair.new.image
        assert len(patch.raw) <= limit + signature


def test_kept_layout_costs_less_than_its_share(free: Pair, kept: Pair, with_gaps: Pair) -> None:
    size = len(free.new.image)
    assert len(kept.new.image) <= size + 200
    assert len(with_gaps.new.image) <= size * 1.02


def test_another_number_moves_nothing(tmp_path: Path) -> None:
    assert moved(build_pair(tmp_path, keep_layout=True, fix=Fix.CONSTANT)) == 0


def test_device_runs_a_release_with_kept_layout_in_the_other_slot(kept: Pair) -> None:
    target = Image.from_bytes(kept.new.image)
    with Board(kept.old.folder / PLATFORM / f"{NAME}.hex") as board:
        assert board.boot().boot_state is BootState.CONFIRMED
        info = board.install(target, encode(kept.old.image, kept.new.image))
        assert info.identity == target.identity
