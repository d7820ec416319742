# SPDX-License-Identifier: Apache-2.0
"""Runs libFuzzer in slices and reads what it says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.build import Fuzzer

COMMITTED_CORPUS = Path(__file__).parent / "corpus"
INPUT_SIZE_MAX = 1100
COMMITTED_SIZE_MAX = 220
COMMITTED_FILES_MAX = 64

_EXECUTIONS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_EDGES = re.compile(r"\bcov: (\d+)")
_COMMON = (
    f"-max_len={INPUT_SIZE_MAX}",
    "-timeout=5",
    "-rss_limit_mb=1024",
    # Long targets take 20 times as long as short ones.
    "-entropic_scale_per_exec_time=1",
    "-print_final_stats=1",
    "-verbosity=1",
)
_ENVIRONMENT = {
    # Freed inputs need not be remembered for long: the decoder frees nothing.
    "ASAN_OPTIONS": "quarantine_size_mb=8:detect_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Finding(Exception):
    """The fuzzer stopped. `reproducer` is the input, `log` the end of what libFuzzer printed."""

    def __init__(self, reproducer: Path | None, log: str) -> None:
        super().__init__(str(reproducer or "the fuzzer ended without a reproducer"))
        self.reproducer = reproducer
        self.log = log


@dataclass(frozen=True, slots=True)
class Slice:
    """What one run of libFuzzer did."""

    executions: int
    edges: int


class Running:
    """One process of libFuzzer. New inputs go to `corpus`; reproducers and the log to `folder`."""

    def __init__(self, fuzzer: Fuzzer, folder: Path, corpus: Path, runs: int, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._log = folder / f"seed-{seed}.log"
        command = [
            str(fuzzer.program),
            *_COMMON,
            f"-runs={runs}",
            f"-seed={seed}",
            f"-artifact_prefix={folder}/",
            *map(str, (corpus, fuzzer.seeds, COMMITTED_CORPUS)),
        ]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **_ENVIRONMENT})

    def result(self) -> Slice:
        """Waits for the end. A run that was interrupted from the keyboard counts as far as it came.

        Raises:
            Finding: it stopped for another reason than its number of runs.
        """
        status = self._process.wait()
        log = self._log.read_text(errors="replace")
        executions = _EXECUTIONS.search(log)
        if (status != 0 or executions is None) and "run interrupted" not in log:
            raise Finding(self._reproducer(log), log[-6000:])
        self._log.unlink()
        edges = [int(count) for count in _EDGES.findall(log)]
        return Slice(int(executions[1]) if executions else 0, max(edges, default=0))

    def stop(self) -> None:
        """Ends it, if it still runs, as Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    @staticmethod
    def _reproducer(log: str) -> Path | None:
        written = re.search(r"Test unit written to (\S+)", log)
        return Path(written[1]) if written else None


def minimise(fuzzer: Fuzzer, corpus: Path, folders: list[Path], *options: str) -> None:
    """Replaces `corpus` by the inputs in `folders` that are needed to reach all that they reach."""
    merged = corpus.with_name(f"{corpus.name}.merged")
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    command = [str(fuzzer.program), f"-max_len={INPUT_SIZE_MAX}", "-merge=1", *options, str(merged), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **_ENVIRONMENT}, check=False)
    if done.returncode != 0:
        raise Finding(None, done.stderr.decode(errors="replace")[-6000:])
    shutil.rmtree(corpus, ignore_errors=True)
    merged.rename(corpus)


def write_committed_corpus(fuzzer: Fuzzer, corpus: Path) -> int:
    """Chooses short inputs that reach every branch that short inputs of `corpus` reach; returns their number."""
    options = (f"-max_len={COMMITTED_SIZE_MAX}", "-use_counters=0", "-set_cover_merge=1")
    minimise(fuzzer, COMMITTED_CORPUS, [corpus, fuzzer.seeds], *options)
    found = sorted(COMMITTED_CORPUS.iterdir(), key=lambda path: path.stat().st_size)
    for path in found[COMMITTED_FILES_MAX:]:
        path.unlink()
    return min(len(found), COMMITTED_FILES_MAX)
