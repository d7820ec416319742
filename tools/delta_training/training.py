# SPDX-License-Identifier: Apache-2.0
"""Trains the tables: patches are made with the tables so far, and better tables chosen for the decisions in them.

What becomes small is the sum over all patches of their bits divided by their size: a patch of 150 bytes counts as much
as one of 15 KB. Full images count little, except in the tables that predict bytes: patches hold too few literals.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from delta_training.tables import as_c, untrained
from delta_training.trainer import Job, Trace, Trainer
from muster.delta.header import PatchKind

_ROUNDS = (4, 10)
"""Steps down the slope in each round. It begins with new patches: what an encoder chooses depends on the tables."""
_SMALLEST = 20
"""Bytes added to a patch's size where it is weighed: below, the header is most of it."""
_FULL_WEIGHT = 0.1
_PATCH_BYTES_WEIGHT = 0.3
_SCALE = 1000
_IMAGES_PER_FAMILY = 2


@dataclass(frozen=True, slots=True)
class Example:
    """Two images of the corpus."""

    name: str
    family: str
    held_out: bool
    kind: PatchKind
    base: int
    old: Path
    new: Path


def load_examples(pairs: Path, kind: PatchKind) -> list[Example]:
    """All pairs of a folder with bases.csv and families.csv, by name. Images of our own count as one family."""
    with (pairs / "bases.csv").open(encoding="ascii", newline="") as file:
        bases = {row["name"]: int(row["base"], 16) for row in csv.DictReader(file)}
    with (pairs / "families.csv").open(encoding="ascii", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["name"])
    return [
        Example(
            name,
            row["family"] if kind is PatchKind.RAW else kind.name,
            row["held_out"] == "1",
            kind,
            bases[name],
            pairs / f"{name}.old",
            pairs / f"{name}.new",
        )
        for row in rows
        for name in (row["name"],)
    ]


def corpus_digest(examples: Sequence[Example]) -> str:
    """SHA-256, in hexadecimal, over everything that training sees of the corpus."""
    whole = hashlib.sha256()
    for example in examples:
        whole.update(f"{example.name} {example.family} {example.held_out} {example.kind} {example.base}\n".encode())
        for path in (example.old, example.new):
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def train(trainer: Trainer, examples: Sequence[Example], folder: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Returns sources as `as_c` does. Traces (about 2 GB) and tables of each round are kept in `folder`."""
    (folder / "traces").mkdir(parents=True, exist_ok=True)
    layout = trainer.layout()
    tables = folder / "tables.0"
    tables.write_bytes(untrained(layout))
    taught = [example for example in examples if not example.held_out]
    jobs = [_patch(example, folder) for example in taught]
    jobs += [_full(example, 1 + number % 2, folder) for number, example in enumerate(_full_examples(taught))]
    for number, epochs in enumerate(_ROUNDS, start=1):
        sizes = trainer.record(tables, jobs)
        traces = [_trace(job, size) for job, size in zip(jobs, sizes, strict=True)]
        better = folder / f"tables.{number}"
        cost = trainer.fit(tables, better, "ckg", epochs, traces)
        tables = better
        say(f"round {number}: weighted bits {cost:.0f}")
    say(evaluate(trainer, tables, examples))
    tables.replace(folder / "tables")
    tables = folder / "tables"
    return as_c(layout, tables.read_bytes(), corpus_digest(examples))


def evaluate(trainer: Trainer, tables: Path, examples: Sequence[Example]) -> str:
    """Geometric means of patch sizes with these tables, for families that were trained on and others."""
    sizes = trainer.record(
        tables, [Job(1, example.kind, example.base, example.old, example.new) for example in examples]
    )
    answer = []
    for held_out, name in ((False, "trained"), (True, "held out")):
        logs = [math.log(s) for s, example in zip(sizes, examples, strict=True) if example.held_out == held_out]
        if logs:
            answer.append(f"{name} {math.exp(math.fsum(logs) / len(logs)):.1f} bytes ({len(logs)} patches)")
    return ", ".join(answer)


def _full_examples(examples: Sequence[Example]) -> list[Example]:
    """Some of each family, spread over its names: no family dominates."""
    chosen: list[Example] = []
    for family in sorted({example.family for example in examples}):
        members = [example for example in examples if example.family == family]
        step = max(1, len(members) // _IMAGES_PER_FAMILY)
        chosen += members[::step][:_IMAGES_PER_FAMILY]
    return chosen


def _patch(example: Example, folder: Path) -> Job:
    return Job(1, example.kind, example.base, example.old, example.new, folder / "traces" / example.name)


def _full(example: Example, profile: int, folder: Path) -> Job:
    trace = folder / "traces" / f"{example.name}.full{profile}"
    return Job(profile, example.kind, example.base, None, example.new, trace)


def _trace(job: Job, size: int) -> Trace:
    assert job.trace is not None
    share = _SCALE / (size + _SMALLEST)
    if job.old is None:
        return Trace(job.trace, _FULL_WEIGHT * share, share)
    return Trace(job.trace, share, _PATCH_BYTES_WEIGHT * share)
