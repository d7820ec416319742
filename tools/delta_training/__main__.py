# SPDX-License-Identifier: Apache-2.0
"""`python tools/delta_training`: fetches and builds the training corpus, trains, and writes the tables.

The corpus is kept in build/delta_training; what is there is not made again.
"""

from __future__ import annotations

import argparse
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from delta_training.corpus import build_pairs  # noqa: E402 - a folder that is run must first be found
from delta_training.objects import Toolbox  # noqa: E402
from delta_training.recipe import load_corpus  # noqa: E402
from delta_training.trainer import Trainer  # noqa: E402
from delta_training.training import evaluate, load_examples, train  # noqa: E402
from muster.delta.header import PatchKind  # noqa: E402

ROOT = HERE.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tools/delta_training", description=__doc__)
    parser.add_argument("step", nargs="?", choices=("all", "corpus", "train", "evaluate"), default="all")
    parser.add_argument("--only", default="", help="only pairs whose names match this regular expression")
    parser.add_argument("--tables", type=Path, help="evaluate: tables as the trainer keeps them")
    arguments = parser.parse_args()
    folder = ROOT / "build" / "delta_training"
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.step in ("all", "corpus") and not _build_corpus(folder, arguments.only):
        return 1
    if arguments.step == "corpus":
        return 0
    examples = load_examples(folder / "pairs", PatchKind.RAW) + load_examples(folder / "images", PatchKind.IMAGE)
    training = folder / "training"
    training.mkdir(exist_ok=True)
    trainer = Trainer(ROOT, training)
    if arguments.step == "evaluate":
        print(evaluate(trainer, arguments.tables or training / "tables", examples))
        return 0
    for name, source in train(trainer, examples, training, _say).items():
        (ROOT / "firmware" / "core" / "src" / name).write_text(source, encoding="ascii")
    return 0


def _build_corpus(folder: Path, only: str) -> bool:
    with ThreadPoolExecutor(2) as workers:
        tools = Toolbox(load_corpus(HERE / "corpus.toml"), folder, workers)
        wanted = re.compile(only)
        return not build_pairs(tools, lambda name: wanted.search(name) is not None, _say)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
