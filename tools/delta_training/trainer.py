# SPDX-License-Identifier: Apache-2.0
"""The trainer: the coder's own sources, compiled with native/, which records decisions and chooses tables."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from delta_training.tables import Layout
from muster.delta.header import NO_BASE, ImageLayout, PatchHeader, PatchKind

_HERE = Path(__file__).resolve().parent / "native"
_FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra")
"""Nothing that lets a compiler round differently: the same corpus must give the same tables."""
_SHARED = ("bytes.c", "cbor.c", "crc32.c", "manifest.c", "reloc.c", "sha256.c")
_DECODER_ONLY = {"delta_byte_tables.c", "delta_range.c", "delta_save.c", "delta_tables.c"}
_NOT_NEEDED = {"delta_apply.c", "delta_buffers.c", "delta_trace.c"}
_WRAPPED = ("ota_delta_range_write", "ota_delta_take_mixed")
_PROCESSES = 2


class TrainerError(Exception):
    """The trainer does not compile, or refuses what it is given."""


@dataclass(frozen=True, slots=True)
class Job:
    """One patch to make.

    Attributes:
        profile: 1 or 2.
        kind: what both images are.
        base: load address of the images; of kinds other than RAW it is not looked at.
        old: None for a full image.
        trace: where its decisions are kept; None: nowhere.
    """

    profile: int
    kind: PatchKind
    base: int
    old: Path | None
    new: Path
    trace: Path | None = None

    def line(self) -> str:
        old = ImageLayout.of(self.old.read_bytes(), self.kind) if self.old else NO_BASE
        new = ImageLayout.of(self.new.read_bytes(), self.kind)
        header = PatchHeader(
            profile=self.profile,
            kind=self.kind,
            base_check=old.base_check if self.old else None,
            target_check=new.target_check,
            load_base=self.base if self.kind is PatchKind.RAW else None,
            length_change=new.length - old.length,
            reloc_change=new.reloc_start - old.reloc_start,
        )
        return f"{header.to_bytes().hex()} {old.reloc_start} {self.old or '-'} {self.new} {self.trace or '-'}\n"


@dataclass(frozen=True, slots=True)
class Trace:
    """Recorded decisions.

    Attributes:
        weight: of each bit in what training makes small.
        bytes_weight: the same, for the tables that predict bytes.
    """

    path: Path
    weight: float
    bytes_weight: float

    def line(self) -> str:
        return f"{self.path} {self.weight:.17g} {self.bytes_weight:.17g}\n"


class Trainer:
    """Runs the compiled trainer."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Compiles it into `folder` from the checkout `root`.

        Raises:
            TrainerError: it does not compile.
        """
        self._program = folder / "trainer"
        core, native = root / "firmware" / "core", root / "tools" / "muster" / "native"
        sources = sorted(_HERE.glob("*.c"))
        sources += [file for file in sorted(native.glob("delta_*.c")) if file.name not in _NOT_NEEDED]
        sources += [file for file in sorted((core / "src").glob("delta*.c")) if file.name not in _DECODER_ONLY]
        sources += [core / "src" / name for name in _SHARED]
        includes = [core / "include", core / "src", native / "encode", native, _HERE]
        wraps = ",".join(f"--wrap={name}" for name in _WRAPPED)
        command = ["gcc", *_FLAGS, "-include", str(_HERE / "record.h"), *(f"-I{path}" for path in includes)]
        _run([*command, *map(str, sources), f"-Wl,{wraps}", "-o", str(self._program), "-lm"], "")

    def layout(self) -> Layout:
        return Layout(*map(int, _run([str(self._program), "layout"], "").split()))

    def record(self, tables: Path, jobs: Sequence[Job]) -> list[int]:
        """Makes patches with `tables`; returns their sizes in bytes."""
        command = [str(self._program), "record", str(tables)]
        texts = ["".join(job.line() for job in jobs[first::_PROCESSES]) for first in range(_PROCESSES)]
        with ThreadPoolExecutor(_PROCESSES) as workers:
            answers = list(workers.map(lambda text: _run(command, text), texts))
        sizes = [0] * len(jobs)
        for first, answer in enumerate(answers):
            sizes[first::_PROCESSES] = map(int, answer.split())
        return sizes

    def fit(self, tables: Path, new_tables: Path, steps: str, epochs: int, traces: Sequence[Trace]) -> float:
        """Writes better tables; returns the weighted bits before the last step. Steps: native/main.c."""
        command = [str(self._program), "fit", str(tables), str(new_tables), steps, str(epochs)]
        return float(_run(command, "".join(trace.line() for trace in traces)))


def _run(command: list[str], text: str) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TrainerError(f"{command[0]} failed: {done.stderr[-1500:]}")
    return done.stdout
