# SPDX-License-Identifier: Apache-2.0
"""Sizes and times of patches: this project's, and those of bsdiff4, detools and zstandard where they are installed.

    python tests/benchmarks/bench_delta.py [BASE TARGET]... [--load-base 0x08020000] [--device]

Without files it compares two versions of a program that it compiles. The peers are the extra `bench`; one that is not
installed has no column. `--device` adds what the decoder needs on an emulated Cortex-M3 (extra `emulator`).
"""

from __future__ import annotations

import argparse
import importlib
import io
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from muster.delta import apply, encode, encode_full
from tests.benchmarks.delta_on_device import measure
from tests.muster.delta.pairs import compiled_program

_T = TypeVar("_T")
Make = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    base: bytes
    target: bytes


def _bsdiff4(module: Any) -> Make:
    return lambda base, target: bytes(module.diff(base, target))


def _detools(module: Any) -> Make:
    def make(base: bytes, target: bytes) -> bytes:
        out = io.BytesIO()
        module.create_patch(io.BytesIO(base), io.BytesIO(target), out, compression="lzma")
        return out.getvalue()

    return make


def _zstandard(module: Any) -> Make:
    def make(base: bytes, target: bytes) -> bytes:
        kind = module.DICT_TYPE_RAWCONTENT
        dictionary = module.ZstdCompressionDict(base, dict_type=kind) if base else None
        return bytes(module.ZstdCompressor(level=19, dict_data=dictionary).compress(target))

    return make


_PEERS: dict[str, Callable[[Any], Make]] = {"bsdiff4": _bsdiff4, "detools": _detools, "zstandard": _zstandard}


def installed_peers() -> dict[str, Make]:
    peers = {}
    for name, maker in _PEERS.items():
        try:
            peers[name] = maker(importlib.import_module(name))
        except ImportError:
            continue
    return peers


def pairs_from(paths: list[Path]) -> Iterator[Pair]:
    for base, target in zip(paths[::2], paths[1::2], strict=True):
        yield Pair(f"{base.stem} > {target.stem}", base.read_bytes(), target.read_bytes())


def compiled_pairs() -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        versions = [compiled_program(Path(folder), version) for version in (1, 2, 3)]
    yield Pair("logger 1 > 2", versions[0], versions[1])
    yield Pair("logger 2 > 3", versions[1], versions[2])


def _timed(make: Callable[[], _T]) -> tuple[_T, float]:
    begin = time.perf_counter()
    made = make()
    return made, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--load-base", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--device", action="store_true")
    arguments = parser.parse_args()
    if len(arguments.files) % 2:
        parser.error("files come in pairs: base, target")

    peers = installed_peers()
    pairs = list(pairs_from(arguments.files) if arguments.files else compiled_pairs())
    columns = ["target", "muster", "full image", *peers]
    print(f"{'bytes':32}" + "".join(f"{column:>12}" for column in columns) + f"{'make ms':>10}{'apply ms':>10}")
    ratios = []
    for pair in pairs:
        patch, make_s = _timed(partial(encode, pair.base, pair.target, load_base=arguments.load_base))
        target, apply_s = _timed(partial(apply, pair.base, patch.raw))
        assert target == pair.target
        sizes = [len(make(pair.base, pair.target)) for make in peers.values()]
        if sizes:
            ratios.append(len(patch) / min(sizes))
        numbers = [len(pair.target), len(patch), len(encode_full(pair.target)), *sizes]
        line = f"{pair.name[:31]:32}" + "".join(f"{number:>12,}" for number in numbers)
        print(f"{line}{1000 * make_s:>10.0f}{1000 * apply_s:>10.0f}")
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"against the best peer of each pair, geometric mean: {mean:.3f}")
    if arguments.device:
        print(measure(pairs[0].base, encode(pairs[0].base, pairs[0].target).raw, pairs[0].target).text)


if __name__ == "__main__":
    main()
