# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.benchmarks import delta_table as table
from tests.benchmarks.delta_corpus import Pair
from tests.benchmarks.delta_run import Ours, PeerPatch, Row


def row(name: str, ours: int, **peers: int) -> Row:
    names = {"best": "detools cortex-m4", "device": "detools crle", "other": "xdelta3"}
    patches = {names[key]: PeerPatch("setting", size, 1.0, 1024) for key, size in peers.items()}
    return Row(Pair(name, b"base", b"target", 0), Ours(ours, 64, 1000, 0.5, 0.1, 2048), patches)


ROWS = [
    row("photon-system-part1-2.0.0", 100, best=400, device=1000, other=500),
    row("p1-system-part1-2.0.0", 400, best=400, device=100, other=900),
    row("p1-system-part2-2.0.0", 500, best=300, device=500),
]


def test_geometric_mean() -> None:
    assert table.geometric_mean([1, 10, 100]) == pytest.approx(10)
    assert table.geometric_mean([7]) == pytest.approx(7)


def test_best_peer_of_a_device_is_one_that_a_device_can_apply() -> None:
    assert ROWS[0].best() == "detools cortex-m4"
    assert ROWS[0].best(on_device=True) == "detools crle"
    assert ROWS[1].best() == "detools crle"
    assert ROWS[0].ratio() == pytest.approx(0.25)
    assert ROWS[0].ratio(on_device=True) == pytest.approx(0.1)


def test_row_without_peers_has_no_ratio() -> None:
    alone = row("photon-a", 100)
    assert alone.best() is None
    assert alone.ratio() is None
    assert table.Group("all", (alone,)).mean_ratio() is None


def test_groups_are_all_rows_then_platforms_then_parts() -> None:
    found = {group.title: [entry.pair.name for entry in group.rows] for group in table.groups(ROWS)}
    assert list(found) == ["all", "p1", "photon", "system-part1", "system-part2"]
    assert found["photon"] == ["photon-system-part1-2.0.0"]
    assert len(found["system-part1"]) == 2
    assert table.groups(ROWS)[0].mean_ratio() == pytest.approx((0.25 * 4 * 5 / 3) ** (1 / 3))


def test_rows_of_one_kind_make_no_second_group() -> None:
    assert [group.title for group in table.groups(ROWS[:1])] == ["all"]


def test_pairs_with_a_smaller_peer_come_worst_first() -> None:
    found = [(entry.pair.name, best, excess) for entry, best, excess in table.beaten(ROWS)]
    assert found == [
        ("p1-system-part1-2.0.0", "detools crle", 300),
        ("p1-system-part2-2.0.0", "detools cortex-m4", 200),
    ]
    text = "\n".join(table.beaten_lines([*ROWS, row("p1-x", 464, best=400)]))
    assert "+300 to detools crle, beyond the header's 64 bytes" in text
    assert "+64 to detools cortex-m4, within the header's 64 bytes" in text
    assert list(table.beaten_lines(ROWS[:1])) == ["no peer has a smaller patch for any pair"]


def test_goal_is_met_up_to_its_limit() -> None:
    goals = table.ratio_goals([row("a", 29, best=100, device=145), row("b", 29, best=100, device=145)])
    assert [goal.met for goal in goals] == [True, False, True, False, True]
    worse = table.ratio_goals([row("a", 165, best=100, device=145)])
    assert [goal.met for goal in worse] == [False] * 5
    assert worse[-1].reached == 1
    lines = list(table.goal_lines(worse))
    assert "at most 0.290" in lines[0]
    assert lines[0].endswith("1.650  NOT MET")
    assert "at most 0 bytes" in lines[-1]


def test_every_pair_and_peer_has_its_line() -> None:
    text = "\n".join([*table.pair_lines(ROWS), *table.peer_lines(ROWS), *table.mean_lines(ROWS)])
    for name in ("photon-system-part1-2.0.0", "detools cortex-m4", "detools crle (on a device)", "xdelta3"):
        assert name in text
    assert "bsdiff4" not in text
    muster = next(line for line in table.mean_lines(ROWS) if line.startswith("muster"))
    assert muster.split() == ["muster", "3", "271", f"{(0.25 * 4 * 5 / 3) ** (1 / 3):.3f}", "0.50", "2"]
