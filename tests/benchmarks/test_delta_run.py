# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.delta_corpus import Pair
from tests.benchmarks.delta_peers import PEERS
from tests.benchmarks.delta_run import PeerCache, RunError, measure_ours, smallest
from tests.benchmarks.delta_setup import Toolbox

PAIR = Pair("pair", b"base", b"target", 0x0802_0000)
VERSIONS = {"bsdiff4": "1.0", "zstd": "1.5"}

# Stands for the peers' Python: answers each line, and notes that it was asked.
_MEASURER = """\
#!{python}
import json, sys
for line in sys.stdin:
    peer, setting = json.loads(line)
    open({log!r}, "a").write(line)
    print(json.dumps(dict(peer=peer, setting=setting, bytes=len(setting), seconds=0.5, peak_kib=7, problem=None)))
"""


@pytest.fixture
def counting(tmp_path: Path) -> tuple[Toolbox, Callable[[], int]]:
    """A toolbox, and how many measurements it was asked for so far."""
    log = tmp_path / "log"
    log.touch()
    python = tmp_path / "python"
    python.write_text(_MEASURER.format(python=sys.executable, log=str(log)), encoding="utf-8")
    python.chmod(0o755)
    return Toolbox(python, tmp_path), lambda: len(log.read_text(encoding="utf-8").splitlines())


def test_known_results_are_not_measured_again(tmp_path: Path, counting: tuple[Toolbox, Callable[[], int]]) -> None:
    toolbox, asked = counting
    first = PeerCache(tmp_path / "cache", toolbox, VERSIONS).measure(PAIR, ["bsdiff4"])
    assert PeerCache(tmp_path / "cache", toolbox, VERSIONS).measure(PAIR, ["bsdiff4"]) == first
    assert first["bsdiff4"][0]["bytes"] == len("default")
    assert asked() == 1


def test_more_peers_are_added_to_the_known_ones(tmp_path: Path, counting: tuple[Toolbox, Callable[[], int]]) -> None:
    toolbox, asked = counting
    cache = PeerCache(tmp_path / "cache", toolbox, VERSIONS)
    cache.measure(PAIR, ["bsdiff4"])
    found = cache.measure(PAIR, ["bsdiff4", "zstd --patch-from"])
    assert list(found) == ["bsdiff4", "zstd --patch-from"]
    assert asked() == 1 + len(PEERS["zstd --patch-from"].settings)


@pytest.mark.parametrize(
    ("pair", "versions", "fresh"),
    [
        (PAIR, VERSIONS, True),
        (PAIR, {"bsdiff4": "1.1"}, False),
        (Pair("pair", b"base", b"target", 0), VERSIONS, False),
        (Pair("pair", b"base", b"targeu", 0x0802_0000), VERSIONS, False),
        (Pair("pair", b"basf", b"target", 0x0802_0000), VERSIONS, False),
    ],
)
def test_whatever_a_result_depends_on_makes_it_new(
    tmp_path: Path, counting: tuple[Toolbox, Callable[[], int]], pair: Pair, versions: dict[str, str], fresh: bool
) -> None:
    toolbox, asked = counting
    PeerCache(tmp_path / "cache", toolbox, VERSIONS).measure(PAIR, ["bsdiff4"])
    PeerCache(tmp_path / "cache", toolbox, versions, fresh=fresh).measure(pair, ["bsdiff4"])
    assert asked() == 2


def test_failing_measurement_is_told_with_its_last_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho last >&2\nexit 1\n", encoding="ascii")
    python.chmod(0o755)
    with pytest.raises(RunError, match="pair: last"):
        PeerCache(tmp_path / "cache", Toolbox(python, tmp_path), VERSIONS).measure(PAIR, ["bsdiff4"])


def test_smallest_setting_counts_and_failed_ones_are_told() -> None:
    lines = [
        '{"setting": "a", "bytes": 30, "seconds": 1.0, "peak_kib": 10, "problem": null}',
        '{"setting": "b", "bytes": 20, "seconds": 2.0, "peak_kib": 20, "problem": null}',
        '{"setting": "c", "bytes": null, "seconds": 3.0, "peak_kib": 30, "problem": "broken"}',
    ]
    answers = [json.loads(line) for line in lines]
    patches, problems = smallest({"bsdiff4": answers, "xdelta3": answers[2:]})
    assert list(patches) == ["bsdiff4"]
    assert (patches["bsdiff4"].setting, patches["bsdiff4"].bytes) == ("b", 20)
    assert problems == ("bsdiff4, c: broken", "xdelta3, c: broken")


def test_our_patch_is_made_and_applied_in_a_process_of_its_own() -> None:
    base = bytes(range(256)) * 8
    ours = measure_ours(Pair("pair", base, base + b"more", 0x0802_0000))
    assert 6 <= ours.header_bytes < ours.bytes < ours.full_bytes
    assert ours.peak_kib > 1024


def test_pair_that_our_encoder_refuses_is_named() -> None:
    with pytest.raises(RunError, match="pair: "):
        measure_ours(Pair("pair", b"base", bytes((1 << 24) + 1), 0))
