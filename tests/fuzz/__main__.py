# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the patch decoder until it has been run 50 million times, over as many calls as that takes.

Run: python tests/fuzz [--executions N] [--jobs 2] [--keep-corpus]
Each call goes on with the inputs and the count of the last one, in build/fuzz. A decoder whose sources have changed
begins at 0. A finding ends the call with exit code 1 and names its reproducer; `build/fuzz/fuzz_delta REPRODUCER`
shows it again. Needs clang and its run-time libraries (Debian: clang, libclang-rt-14-dev).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.build import ROOT, Fuzzer, build
from tests.fuzz.campaign import COMMITTED_CORPUS, Finding, Running, minimise, write_committed_corpus
from tests.fuzz.tally import COMPLETE, Tally, write_record

FOLDER = ROOT / "build" / "fuzz"
CORPUS = FOLDER / "corpus"
FINDINGS = FOLDER / "findings"
RECORD = Path(__file__).parent / "record.toml"
SLICE = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--executions", type=int, help=f"run this many; otherwise until there are {COMPLETE:,}")
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time")
    parser.add_argument("--keep-corpus", action="store_true", help="choose the inputs of tests/fuzz/corpus anew")
    options = parser.parse_args()

    fuzzer = build(FOLDER)
    tally = Tally.load(FOLDER, fuzzer.decoder_hash)
    print(f"decoder {fuzzer.decoder_hash[:16]}: {tally.executions:,} of {COMPLETE:,} executions so far", flush=True)
    CORPUS.mkdir(exist_ok=True)
    before = tally.executions
    wanted = COMPLETE if options.executions is None else before + options.executions
    try:
        minimise(fuzzer, CORPUS, [CORPUS, fuzzer.seeds, COMMITTED_CORPUS])
        run(fuzzer, tally, wanted, options.jobs)
        if options.keep_corpus:
            print(f"{write_committed_corpus(fuzzer, CORPUS)} inputs in {COMMITTED_CORPUS}")
    except Finding as finding:
        print(finding.log, file=sys.stderr)
        print(f"FINDING after {tally.executions:,} executions: {finding}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped at {tally.executions:,} executions; the next call goes on from there")
        return 130
    if tally.is_complete and tally.executions > before:
        write_record(RECORD, tally, fuzzer.decoder_hash, compiler(), datetime.now(UTC).date())
    return 0


def run(fuzzer: Fuzzer, tally: Tally, wanted: int, jobs: int) -> None:
    """Runs slices until `wanted` executions are counted. Raises Finding; KeyboardInterrupt when all is counted."""
    while tally.executions < wanted:
        started = time.monotonic()
        share = min(SLICE, -(-(wanted - tally.executions) // jobs))
        before = tally.executions
        running = [Running(fuzzer, FINDINGS, CORPUS, share, seed=tally.slices + job + 1) for job in range(jobs)]
        is_interrupted = False
        try:
            for one in running:
                try:
                    found = one.result()
                except KeyboardInterrupt:
                    # libFuzzer got the same signal and is ending
                    is_interrupted = True
                    found = one.result()
                tally.add(found.executions, found.edges)
        finally:
            for one in running:
                one.stop()
        speed = (tally.executions - before) / (time.monotonic() - started)
        print(f"{tally.executions:,} executions, {tally.edges} edges, {speed:,.0f} per second, no finding", flush=True)
        if is_interrupted:
            raise KeyboardInterrupt


def compiler() -> str:
    said = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
