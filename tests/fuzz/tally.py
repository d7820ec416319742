# SPDX-License-Identifier: Apache-2.0
"""How often a decoder has been run, over many calls of the command, and the record of a complete run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

COMPLETE = 50_000_000
"""Executions of a complete run."""


@dataclass(slots=True)
class Tally:
    """Counts for one decoder; they are kept in `path`.

    Attributes:
        executions: inputs that were run.
        slices: runs of libFuzzer that they were made in; each has another seed.
        edges: branches of the decoder that were reached.
    """

    path: Path
    executions: int = 0
    slices: int = 0
    edges: int = 0

    @classmethod
    def load(cls, folder: Path, decoder_hash: str) -> Tally:
        """The counts so far of the decoder with this hash; another decoder begins at 0."""
        path = folder / f"executions-{decoder_hash[:16]}.json"
        counts = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, **counts)

    def add(self, executions: int, edges: int) -> None:
        """Counts one run of libFuzzer; on disk, too."""
        self.executions += executions
        self.slices += 1
        self.edges = max(self.edges, edges)
        counts = {name: count for name, count in asdict(self).items() if name != "path"}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(counts) + "\n")
        part.replace(self.path)

    @property
    def is_complete(self) -> bool:
        return self.executions >= COMPLETE


def write_record(path: Path, tally: Tally, decoder_hash: str, compiler: str, day: date) -> None:
    """What is committed about a complete run without a finding."""
    path.write_text(
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# The last complete run of the fuzzer without a finding; `python tests/fuzz` writes this file.\n"
        f'decoder = "{decoder_hash}" # SHA-256 over its sources: tests/fuzz/build.py\n'
        f"executions = {tally.executions:_}\n"
        f"edges = {tally.edges}\n"
        f'compiler = "{compiler}"\n'
        f"date = {day.isoformat()}\n"
    )
