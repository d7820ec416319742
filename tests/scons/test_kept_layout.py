# SPDX-License-Identifier: Apache-2.0
"""Builds that keep the layout of the last release."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from muster import layout
from muster.build.kept_layout import KeptLayout
from muster.build.mapfile import LinkMap
from muster.elf import Elf
from muster.image.image import Image
from tests.scons.checkout import Checkout

LONGER_GLOW = """\
#include "glow.h"

static uint32_t seen = 3;
uint32_t glow(void) { return seen++ > 20 ? seen * 7 + (seen >> 3) : seen % 5; }
"""


@pytest.fixture(scope="module")
def next_release(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the built tree with a longer function, built with the layout of the release before, in `last`."""
    copy = checkout.copy(tmp_path_factory.mktemp("next"))
    shutil.copytree(checkout.root / "build" / "lamp", last(copy))
    (copy.product / "glow.c").write_text(LONGER_GLOW)
    copy.build(f"KEEP_LAYOUT={last(copy)}")
    return copy


def last(checkout: Checkout) -> Path:
    return checkout.root.parent / "last"


def places(path: Path) -> dict[tuple[str, str], int]:
    outputs = (".text", ".rodata", ".tail", ".bss")
    sections = LinkMap.from_text(path.read_text()).sections
    return {(one.object_file, one.name): one.addr for one in sections if one.output in outputs}


def test_everything_but_the_longer_function_is_where_it_was(next_release: Checkout) -> None:
    before = places(last(next_release) / "photon" / "lamp.map")
    after = places(next_release.out / "lamp.map")
    assert before.keys() == after.keys()
    moved = {name for object_file, name in after if before[object_file, name] != after[object_file, name]}
    report = KeptLayout.from_json((next_release.out / "gen" / "layout.json").read_text()).report
    assert {change.name for change in report.changes} == moved | {".data.seen"}
    assert len(moved) <= 3
    assert "layout kept: " in (next_release.out / "layout.txt").read_text()


def test_without_it_much_moves(next_release: Checkout) -> None:
    before = places(last(next_release) / "photon" / "lamp.map")
    free = places(next_release.out / "gen" / "free.map")
    assert sum(before[one] != addr for one, addr in free.items()) > 100


def test_image_with_kept_layout_runs_in_both_slots(next_release: Checkout) -> None:
    image = Image.from_bytes((next_release.out / "lamp.bin").read_bytes())
    addr, linked = Elf.from_bytes((next_release.out / "gen" / "slot_b.elf").read_bytes()).flat()
    assert addr == layout.SLOT_B_ADDR
    assert image.installed_in(layout.Slot.B)[layout.BODY_MIN_SIZE : len(linked)] == linked[layout.BODY_MIN_SIZE :]


def test_kept_layout_is_the_same_bytes_in_another_folder(next_release: Checkout, tmp_path: Path) -> None:
    other = next_release.copy(tmp_path / "a folder with another name")
    shutil.rmtree(other.root / "build" / "lamp")
    other.build(f"KEEP_LAYOUT={last(other)}")
    for name in ("lamp.bin", "lamp.elf", "lamp.map", "layout.txt", "gen/layout.json", "gen/slot_a.ld"):
        assert (other.out / name).read_bytes() == (next_release.out / name).read_bytes(), name


def test_nothing_is_done_twice(next_release: Checkout) -> None:
    assert next_release.build(f"KEEP_LAYOUT={last(next_release)}") == set()


def test_cost_above_the_slack_links_freely_and_says_so(next_release: Checkout, tmp_path: Path) -> None:
    copy = next_release.copy(tmp_path)
    done = copy.scons(f"KEEP_LAYOUT={last(copy)}", "LAYOUT_SLACK=0")
    assert done.returncode == 0, done.stderr
    assert "layout not kept: it would take " in done.stdout
    assert "above 0 %" in done.stdout
    not_kept = (copy.out / "lamp.bin").read_bytes()
    copy.build()
    assert (copy.out / "lamp.bin").read_bytes() == not_kept


def test_reserved_gaps_are_within_their_share(checkout: Checkout, tmp_path: Path) -> None:
    copy = checkout.copy(tmp_path)
    done = copy.scons("LAYOUT_RESERVE=1")
    assert done.returncode == 0, done.stderr
    assert "layout with gaps for later releases" in done.stdout
    sizes = [(out / "lamp.bin").stat().st_size for out in (checkout.out, copy.out)]
    assert 0.005 < sizes[1] / sizes[0] - 1 <= 0.011


def test_last_release_without_a_map_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.scons(f"KEEP_LAYOUT={tmp_path}")
    assert done.returncode != 0
    assert "photon/lamp.map: the layout of the last release is kept by its map" in done.stderr


def test_map_that_is_none_is_refused(next_release: Checkout, tmp_path: Path) -> None:
    copy = next_release.copy(tmp_path / "copy")
    wrong = tmp_path / "wrong.map"
    wrong.write_text("this is not a map\n")
    done = copy.scons(f"KEEP_LAYOUT={wrong}")
    assert done.returncode != 0
    assert "is no linker map" in done.stderr
