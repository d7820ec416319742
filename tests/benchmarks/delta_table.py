# SPDX-License-Identifier: Apache-2.0
"""Means, ratios and goals out of the measured rows, and their text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.delta_peers import PEERS
from tests.benchmarks.delta_run import Row

_NAME_WIDTH = 28
_CHANGED = "more than version and hash"


@dataclass(frozen=True, slots=True)
class Group:
    """Some rows under one title."""

    title: str
    rows: tuple[Row, ...]

    @property
    def mean_bytes(self) -> float:
        return geometric_mean(row.ours.bytes for row in self.rows)

    def mean_ratio(self, *, on_device: bool = False) -> float | None:
        """Of our bytes to each pair's smallest peer; None where no pair has one."""
        ratios = [ratio for row in self.rows if (ratio := row.ratio(on_device=on_device)) is not None]
        return geometric_mean(ratios) if ratios else None

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "pairs": len(self.rows),
            "mean_bytes": self.mean_bytes,
            "ratio_to_best": self.mean_ratio(),
            "ratio_to_best_on_device": self.mean_ratio(on_device=True),
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit and what was reached; met where it is at most the limit."""

    title: str
    limit: float
    reached: float
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.reached <= self.limit

    def to_json(self) -> dict[str, Any]:
        return {"title": self.title, "limit": self.limit, "reached": self.reached, "met": self.met}


def geometric_mean(numbers: Iterable[float]) -> float:
    """Of positive numbers, at least one."""
    logarithms = [math.log(number) for number in numbers]
    return math.exp(math.fsum(logarithms) / len(logarithms))


def groups(rows: Sequence[Row]) -> list[Group]:
    """All rows; those that differ in more than the version; by platform; by kind of part.

    A grouping that would repeat the first line, because all rows are of one kind, is left out.
    """
    made = [Group("all", tuple(rows))]
    made += [group for group in _split(rows, _kind_of_change) if group.title == _CHANGED]
    made += _split(rows, lambda row: row.pair.platform)
    made += _split(rows, lambda row: row.pair.part)
    return made


def _kind_of_change(row: Row) -> str:
    return "version and hash only" if row.pair.only_version_differs else _CHANGED


def _split(rows: Sequence[Row], kind: Callable[[Row], str]) -> list[Group]:
    kinds = sorted({kind(row) for row in rows})
    if len(kinds) < 2:
        return []
    return [Group(name, tuple(row for row in rows if kind(row) == name)) for name in kinds]


def beaten(rows: Iterable[Row]) -> list[tuple[Row, str, int]]:
    """Pairs for which a peer has a smaller patch: the peer, and by how many bytes; the worst first."""
    found = []
    for row in rows:
        best = row.best()
        if best and row.ours.bytes > row.peers[best].bytes:
            found.append((row, best, row.ours.bytes - row.peers[best].bytes))
    return sorted(found, key=lambda entry: -entry[2])


def ratio_goals(rows: Sequence[Row]) -> list[Goal]:
    """What is asked of the Device OS pairs."""
    everything = Group("all", tuple(rows))
    best, device = everything.mean_ratio(), everything.mean_ratio(on_device=True)
    assert best is not None
    assert device is not None
    over = max((excess - row.ours.header_bytes for row, _, excess in beaten(rows)), default=0)
    return [
        Goal("accepted: of the best peer", 0.29, best),
        Goal("goal: of the best peer", 0.25, best),
        Goal("accepted: of the best peer on a device", 0.22, device),
        Goal("goal: of the best peer on a device", 0.19, device),
        Goal("most bytes above the best peer, beyond the header", 0, max(over, 0), " bytes"),
    ]


# -- text


def pair_lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line per pair: sizes, the best peers, ratios, times in milliseconds, peak memory in MiB."""
    head = f"{'pair':{_NAME_WIDTH}}{'target':>9}{'full':>9}{'muster':>8}"
    head += f"  {'best peer':24}{'bytes':>8}{'ratio':>7}  {'best on a device':22}{'bytes':>8}{'ratio':>7}"
    yield head + f"{'make ms':>9}{'apply ms':>9}{'MiB':>6}"
    for row in rows:
        line = f"{row.pair.name[: _NAME_WIDTH - 1]:{_NAME_WIDTH}}{len(row.pair.target):>9,}"
        line += f"{row.ours.full_bytes:>9,}{row.ours.bytes:>8,}"
        for on_device, width in ((False, 24), (True, 22)):
            best = row.best(on_device=on_device)
            size = row.peers[best].bytes if best else 0
            line += f"  {best or '-':{width}}{size:>8,}{row.ratio(on_device=on_device) or math.nan:>7.3f}"
        line += f"{1000 * row.ours.seconds:>9.0f}{1000 * row.ours.apply_seconds:>9.0f}"
        yield f"{line}{row.ours.peak_kib / 1024:>6.0f}"


def peer_lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line per pair: bytes of every peer."""
    names = [name for name in PEERS if any(name in row.peers for row in rows)]
    for number, name in enumerate(names, start=1):
        yield f"  [{number}] {name}{' (on a device)' if PEERS[name].on_device else ''}"
    yield f"{'bytes':{_NAME_WIDTH}}{'muster':>8}" + "".join(f"{f'[{n}]':>8}" for n in range(1, len(names) + 1))
    for row in rows:
        sizes = (f"{row.peers[name].bytes:>8,}" if name in row.peers else f"{'-':>8}" for name in names)
        yield f"{row.pair.name[: _NAME_WIDTH - 1]:{_NAME_WIDTH}}{row.ours.bytes:>8,}" + "".join(sizes)


def mean_lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line per peer and one for us: geometric means, time of the pair that took longest, most memory."""
    best = geometric_mean(row.peers[name].bytes for row in rows if (name := row.best()))
    yield f"{'':{_NAME_WIDTH}}{'pairs':>6}{'mean bytes':>12}{'of best peer':>14}{'slowest s':>11}{'most MiB':>10}"
    for name in PEERS:
        made = [row.peers[name] for row in rows if name in row.peers]
        if made:
            mean = geometric_mean(patch.bytes for patch in made)
            yield _mean_line(name, len(made), mean, best, [(patch.seconds, patch.peak_kib) for patch in made])
    yield _mean_line("best peer of each pair", len(rows), best, best, [])
    mean = geometric_mean(row.ours.bytes for row in rows)
    yield _mean_line("muster", len(rows), mean, best, [(row.ours.seconds, row.ours.peak_kib) for row in rows])


def _mean_line(name: str, count: int, mean: float, best: float, costs: Sequence[tuple[float, int]]) -> str:
    line = f"{name:{_NAME_WIDTH}}{count:>6}{mean:>12,.0f}{mean / best:>14.3f}"
    if costs:
        line += f"{max(seconds for seconds, _ in costs):>11.2f}{max(kib for _, kib in costs) / 1024:>10.0f}"
    return line


def group_lines(rows: Sequence[Row]) -> Iterator[str]:
    yield f"{'':{_NAME_WIDTH}}{'pairs':>6}{'mean bytes':>12}{'of best peer':>14}{'of best on a device':>21}"
    for group in groups(rows):
        best, device = group.mean_ratio() or math.nan, group.mean_ratio(on_device=True) or math.nan
        line = f"{group.title:{_NAME_WIDTH}}{len(group.rows):>6}{group.mean_bytes:>12,.0f}"
        yield f"{line}{best:>14.3f}{device:>21.3f}"


def beaten_lines(rows: Sequence[Row]) -> Iterator[str]:
    worse = beaten(rows)
    if not worse:
        yield "no peer has a smaller patch for any pair"
    for row, best, excess in worse:
        within = "within" if excess <= row.ours.header_bytes else "beyond"
        line = f"{row.pair.name[: _NAME_WIDTH - 1]:{_NAME_WIDTH}}{row.ours.bytes:>8,}{excess:>+8,} to {best}"
        yield f"{line}, {within} the header's {row.ours.header_bytes} bytes"


def goal_lines(goals: Iterable[Goal]) -> Iterator[str]:
    for goal in goals:
        limit, reached = (
            f"{number:,.0f}{goal.unit}" if goal.unit else f"{number:.3f}" for number in (goal.limit, goal.reached)
        )
        yield f"{goal.title:54}{'at most ' + limit:>20}{reached:>14}  {'met' if goal.met else 'NOT MET'}"
