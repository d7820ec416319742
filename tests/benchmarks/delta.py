# SPDX-License-Identifier: Apache-2.0
"""Measures patches against those of other programs: bsdiff, HDiffPatch, HPatchLite, detools, xdelta3 and zstd.

    python tests/benchmarks/delta.py [--pairs DIR] [--only REGEX] [--fresh] [--json] [--device]

Without --pairs it fetches the public pairs (Device OS 1.5.0 to 2.3.1 for photon, p1 and electron; MicroPython for the
micro:bit) by package name, and builds pairs of its own. It installs the peers into build/bench. A folder of --pairs has
NAME.old, NAME.new and bases.csv, with a line `NAME,0x08020000` for the address of each pair's first byte.

Each patch of ours is applied by the device's decoder and compared. Of a peer, the smallest patch of several settings
counts, after its own decoder has taken it back; results of peers are kept in build/bench/cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[2]))

from muster.delta import encode
from tests.benchmarks import delta_table as table
from tests.benchmarks.delta_built import KEPT_LAYOUT, ONE_LINE_FIXES, built_pairs, signature_bytes
from tests.benchmarks.delta_corpus import CorpusError, Pair, read_pairs
from tests.benchmarks.delta_on_device import device_decoder
from tests.benchmarks.delta_peers import PEERS
from tests.benchmarks.delta_public import PARTICLE_PAIRS, particle_pairs, uflash_pairs
from tests.benchmarks.delta_run import PeerCache, Row, RunError, measure_ours, peer_versions, smallest
from tests.benchmarks.delta_setup import SetupError, install

_BENCH = Path(__file__).parents[2] / "build" / "bench"
_FIX_LIMIT = 160
_KEPT_LIMIT = 100


@dataclass(slots=True)
class Set:
    """Pairs that have means of their own."""

    title: str
    pairs: list[Pair]
    judged: bool = False
    """The goals are about this set."""
    rows: list[Row] = field(default_factory=list)


def _sets(folder: Path | None, only: str) -> list[Set]:
    if folder is not None:
        return [Set(str(folder), read_pairs(folder, only))]
    _say("fetching the public pairs")
    particle_pairs(_BENCH / "pairs", _BENCH / "bootloaders")
    uflash_pairs(_BENCH / "uflash")
    _say("building pairs")
    built_pairs(_BENCH / "built")
    found = [
        Set("Device OS 1.5.0 to 2.3.1, system parts", read_pairs(_BENCH / "pairs", only), judged=True),
        Set("Device OS 1.5.0 to 2.3.1, bootloaders", read_pairs(_BENCH / "bootloaders", only)),
        Set("MicroPython in uflash (may be among what tables are trained on)", read_pairs(_BENCH / "uflash", only)),
        Set("built by the project", read_pairs(_BENCH / "built", only)),
    ]
    return [one for one in found if one.pairs]


def _measure(pair: Pair, cache: PeerCache) -> Row:
    ours = measure_ours(pair)
    patches, problems = smallest(cache.measure(pair, PEERS))
    return Row(pair, ours, patches, problems)


def _goals(one: Set) -> list[table.Goal]:
    goals = table.ratio_goals(one.rows) if one.judged and len(one.rows) == PARTICLE_PAIRS else []
    for row in one.rows:
        name = row.pair.name
        if name in (*ONE_LINE_FIXES, KEPT_LAYOUT):
            limit = (_KEPT_LIMIT if name == KEPT_LAYOUT else _FIX_LIMIT) + signature_bytes(row.pair.target)
            goals.append(table.Goal(f"{name}, with its signatures", limit, row.ours.bytes, " bytes"))
    return goals


def _report(sets: Sequence[Set]) -> Iterator[str]:
    for one in sets:
        yield from ("", f"== {one.title}", "")
        yield from table.pair_lines(one.rows)
        yield ""
        yield from table.peer_lines(one.rows)
    for one in sets:
        yield from ("", f"== means: {one.title}", "")
        yield from table.mean_lines(one.rows)
        yield ""
        yield from table.group_lines(one.rows)
        yield from ("", "pairs with a smaller patch of a peer:")
        yield from table.beaten_lines(one.rows)
        goals = _goals(one)
        if goals:
            yield ""
            yield from table.goal_lines(goals)


def _problems(sets: Sequence[Set]) -> Iterator[str]:
    for one in sets:
        for row in one.rows:
            yield from (f"{row.pair.name}: {problem}" for problem in row.problems)


def _as_json(sets: Sequence[Set]) -> str:
    found = [
        {
            "title": one.title,
            "pairs": [row.to_json() for row in one.rows],
            "groups": [group.to_json() for group in table.groups(one.rows)],
            "goals": [goal.to_json() for goal in _goals(one)],
        }
        for one in sets
    ]
    return json.dumps({"sets": found}, indent=1)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, metavar="DIR", help="a folder of pairs in place of the public ones")
    parser.add_argument("--only", default="", metavar="REGEX", help="only pairs whose name holds this")
    parser.add_argument("--fresh", action="store_true", help="measure the peers again")
    parser.add_argument("--jobs", type=int, default=1, help="pairs at the same time; more than one blurs the times")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    parser.add_argument("--device", action="store_true", help="what the first pair costs an emulated Cortex-M3")
    arguments = parser.parse_args()
    try:
        sets = _sets(arguments.pairs, arguments.only)
        if not sets or not sets[0].pairs:
            parser.error("there is no such pair")
        _say("installing the peers")
        toolbox = install(_BENCH)
        cache = PeerCache(_BENCH / "cache", toolbox, peer_versions(toolbox), fresh=arguments.fresh)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for one in sets:
                for row in pool.map(lambda pair: _measure(pair, cache), one.pairs):
                    _say(f"{row.pair.name}: {row.ours.bytes:,} bytes")
                    one.rows.append(row)
    except (CorpusError, SetupError, RunError) as error:
        _say(f"error: {error}")
        return 1
    print(_as_json(sets) if arguments.json else "\n".join(_report(sets)))
    for problem in _problems(sets):
        _say(problem)
    if arguments.device:
        first = sets[0].pairs[0]
        patch = encode(first.base, first.target, load_base=first.load_base)
        with device_decoder() as decoder:
            cost = decoder.measure(first.base, patch, first.target)
            for part in decoder.size.rows:
                _say(f"{part.name}: {part.use:,} of {part.limit:,} bytes")
        _say(f"{first.name}: {cost.per_byte:.0f} instructions per byte, {cost.stack:,} bytes of stack (Cortex-M3)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
