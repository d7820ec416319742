# SPDX-License-Identifier: Apache-2.0
"""The peers: each makes a patch by one of its settings, and its own decoder takes it back.

Runs in the peers' environment (delta_setup.py), as a program: `delta_peers.py OLD NEW LOAD_BASE`, with lines of
`PEER SETTING` on its input. Each line is measured in a process of its own, and answered by one line of JSON:
peer, setting, bytes (null: it has no such patch, or does not take it back), seconds, peak_kib, problem.
"""

from __future__ import annotations

import importlib
import io
import json
import lzma
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

Make = Callable[[bytes, bytes, int], bytes]
Take = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of making a patch, and how to apply it."""

    make: Make
    take: Take


@dataclass(frozen=True, slots=True)
class Peer:
    """A row of the table: the smallest patch of all settings counts.

    Attributes:
        packages: whose versions its patches depend on: names of PyPI packages, or of programs.
        on_device: a decoder in C with a few KiB of memory exists.
    """

    packages: tuple[str, ...]
    settings: dict[str, Setting]
    on_device: bool = False


def _module(name: str) -> Any:
    return importlib.import_module(name)


# -- bsdiff4 and its streams


def _bsdiff4() -> Setting:
    def make(base: bytes, target: bytes, _: int) -> bytes:
        return bytes(_module("bsdiff4").diff(base, target))

    return Setting(make, lambda base, patch: bytes(_module("bsdiff4").patch(base, patch)))


def _streams(squeeze: Callable[[bytes], bytes], expand: Callable[[bytes], bytes], *, apart: bool) -> Setting:
    """bsdiff's three streams without its header: control numbers as varints, each stream or all of them compressed."""

    def make(base: bytes, target: bytes, _: int) -> bytes:
        core = _module("bsdiff4.core")
        control, diff, extra = core.diff(base, target)
        numbers = b"".join(_varint(core.decode_int64(control[at : at + 8])) for at in range(0, len(control), 8))
        streams = (numbers, bytes(diff), bytes(extra))
        if apart:
            squeezed = [squeeze(stream) for stream in streams]
            return b"".join(map(_varint, (len(target), len(squeezed[0]), len(squeezed[1])))) + b"".join(squeezed)
        lengths = b"".join(map(_varint, (len(target), len(numbers), len(diff))))
        return squeeze(lengths + b"".join(streams))

    def take(base: bytes, patch: bytes) -> bytes:
        raw = patch if apart else expand(patch)
        target_len, at = _read_varint(raw, 0)
        control_len, at = _read_varint(raw, at)
        diff_len, at = _read_varint(raw, at)
        streams = [raw[at : at + control_len], raw[at + control_len :][:diff_len], raw[at + control_len + diff_len :]]
        if apart:
            streams = [expand(stream) for stream in streams]
        core = _module("bsdiff4.core")
        control = bytearray()
        place = 0
        while place < len(streams[0]):
            number, place = _read_varint(streams[0], place)
            control += core.encode_int64(number)
        return bytes(core.patch(base, target_len, bytes(control), streams[1], streams[2]))

    return Setting(make, take)


def _varint(number: int) -> bytes:
    """Seven bits per byte, the lowest first, after folding the sign into bit 0."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while raw[at] > 0x7F:
        number |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
    number |= raw[at] << shift
    return (-(number + 1 >> 1) if number & 1 else number >> 1), at + 1


def _xz(lc: int, lp: int, pb: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    """LZMA without a container: its header would count against it."""
    filters = [{"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": lc, "lp": lp, "pb": pb}]
    squeeze = partial(lzma.compress, format=lzma.FORMAT_RAW, filters=filters)
    return squeeze, partial(lzma.decompress, format=lzma.FORMAT_RAW, filters=filters)


def _brotli(window: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    def squeeze(raw: bytes) -> bytes:
        return bytes(_module("brotli").compress(raw, quality=11, lgwin=window))

    return squeeze, lambda raw: bytes(_module("brotli").decompress(raw))


def _zstd(level: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    def squeeze(raw: bytes) -> bytes:
        zstandard = _module("zstandard")
        compressor = zstandard.ZstdCompressor(level=level, write_checksum=False, write_content_size=True)
        return bytes(compressor.compress(raw))

    return squeeze, lambda raw: bytes(_module("zstandard").ZstdDecompressor().decompress(raw, 1 << 24))


def _all_streams(coders: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]) -> dict[str, Setting]:
    return {
        f"{name}-{'apart' if apart else 'joined'}": _streams(*coder, apart=apart)
        for name, coder in coders.items()
        for apart in (False, True)
    }


# -- HDiffPatch and HPatchLite


def _hdiffpatch(config: str, **options: int) -> Setting:
    def make(base: bytes, target: bytes, _: int) -> bytes:
        module = _module("hdiffpatch")
        return bytes(module.diff(base, target, getattr(module, config)(**options)))

    return Setting(make, lambda base, patch: bytes(_module("hdiffpatch").apply(base, patch)))


def _hpatchlite(dict_size: int, literal_line: bool) -> Setting:
    def make(base: bytes, target: bytes, _: int) -> bytes:
        module = _module("hdiffpatch")
        config = module.TuzConfig(dict_size=dict_size, literal_line=literal_line)
        return bytes(module.diff_lite(base, target, compression=config))

    return Setting(make, lambda base, patch: bytes(_module("hdiffpatch").apply_lite(base, patch)))


def _tinyuz(*dict_sizes: int) -> dict[str, Setting]:
    return {
        f"{dict_size}{'-literals' if literals else ''}": _hpatchlite(dict_size, literals)
        for dict_size in dict_sizes
        for literals in (False, True)
    }


# -- detools


def _detools(**options: Any) -> Setting:
    def make(base: bytes, target: bytes, _: int) -> bytes:
        out = io.BytesIO()
        _module("detools").create_patch(io.BytesIO(base), io.BytesIO(target), out, use_mmap=False, **options)
        return out.getvalue()

    return Setting(make, _apply_detools)


def _apply_detools(base: bytes, patch: bytes) -> bytes:
    out = io.BytesIO()
    _module("detools").apply_patch(io.BytesIO(base), io.BytesIO(patch), out)
    return out.getvalue()


def _cortex_m4(data_percent: int) -> Setting:
    """The last `data_percent` of the image are read as data words, the rest as code; 0: there are no data words.

    The format wants the ranges that an ELF file tells; where only images exist, several guesses do for it.
    """

    def make(base: bytes, target: bytes, load_base: int) -> bytes:
        options: dict[str, int] = {}
        for side, image in (("from", base), ("to", target)):
            data = len(image) * (100 - data_percent) // 100 & ~3
            options |= {
                f"{side}_data_offset_begin": data,
                f"{side}_data_offset_end": len(image),
                f"{side}_data_begin": load_base + data,
                f"{side}_data_end": load_base + len(image),
                f"{side}_code_begin": load_base,
                f"{side}_code_end": load_base + data,
            }
        return _detools(data_format="arm-cortex-m4", **(options if data_percent else {})).make(base, target, load_base)

    return Setting(make, _apply_detools)


def _heatshrink(*sizes: tuple[int, int]) -> dict[str, Setting]:
    return {
        f"{window}-{lookahead}": _detools(
            compression="heatshrink", heatshrink_window_sz2=window, heatshrink_lookahead_sz2=lookahead
        )
        for window, lookahead in sizes
    }


# -- programs


def _program(make: list[str], take: list[str]) -> Setting:
    """Commands in which OLD, NEW, PATCH and OUT stand for files."""

    def run(command: list[str], result: str, files: dict[str, bytes]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            for name, raw in files.items():
                (Path(folder) / name).write_bytes(raw)
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
            return (Path(folder) / result).read_bytes()

    return Setting(
        lambda base, target, _: run(make, "PATCH", {"OLD": base, "NEW": target}),
        lambda base, patch: run(take, "OUT", {"OLD": base, "PATCH": patch}),
    )


def _xdelta3(secondary: str) -> Setting:
    """Without checksum and application header."""
    make = ["xdelta3", "-e", "-9", "-n", "-A=", "-S", secondary, "-f", "-s", "OLD", "NEW", "PATCH"]
    return _program(make, ["xdelta3", "-d", "-f", "-s", "OLD", "PATCH", "OUT"])


def _zstd_patch(*options: str) -> Setting:
    common = ["-f", "-q", "--no-check", "--single-thread", "--patch-from=OLD", "NEW", "-o", "PATCH"]
    take = ["zstd", "-d", "-f", "-q", "--long=27", "--patch-from=OLD", "PATCH", "-o", "OUT"]
    return _program(["zstd", *options, *common], take)


PEERS: dict[str, Peer] = {
    "bsdiff4": Peer(("bsdiff4",), {"default": _bsdiff4()}),
    "bsdiff streams, xz": Peer(
        ("bsdiff4",),
        _all_streams(
            {f"lzma{lc}{lp}{pb}": _xz(lc, lp, pb) for lc, lp, pb in ((3, 0, 2), (0, 0, 0), (1, 0, 1), (0, 2, 2))}
        ),
    ),
    "bsdiff streams, brotli": Peer(("bsdiff4", "brotli"), _all_streams({"24": _brotli(24), "18": _brotli(18)})),
    "bsdiff streams, zstd": Peer(("bsdiff4", "zstandard"), _all_streams({"19": _zstd(19), "22": _zstd(22)})),
    "HDiffPatch": Peer(
        ("hdiffpatch",),
        {
            "lzma": _hdiffpatch("LzmaConfig", level=9),
            "lzma2": _hdiffpatch("Lzma2Config", level=9),
            "xz": _hdiffpatch("XzConfig", level=9),
            "zstd": _hdiffpatch("ZStdConfig", level=22),
            "brotli": _hdiffpatch("BrotliConfig", level=11),
            "bzip2": _hdiffpatch("BZip2Config", level=9),
            "tinyuz": _hdiffpatch("TuzConfig"),
        },
    ),
    "HPatchLite tinyuz": Peer(("hdiffpatch",), _tinyuz(1 << 24, 1 << 15)),
    "HPatchLite tinyuz 4K": Peer(("hdiffpatch",), _tinyuz(4096, 2048), on_device=True),
    "HPatchLite tinyuz 1K": Peer(("hdiffpatch",), _tinyuz(1024, 256), on_device=True),
    "detools lzma": Peer(
        ("detools",),
        {
            "bsdiff": _detools(),
            "hdiffpatch-0": _detools(patch_type="hdiffpatch", algorithm="hdiffpatch", match_score=0),
            "hdiffpatch-1": _detools(patch_type="hdiffpatch", algorithm="hdiffpatch", match_score=1),
            "hdiffpatch-6": _detools(patch_type="hdiffpatch", algorithm="hdiffpatch", match_score=6),
            "match-blocks-8": _detools(algorithm="match-blocks", match_block_size=8),
            "match-blocks-64": _detools(algorithm="match-blocks", match_block_size=64),
        },
    ),
    "detools cortex-m4": Peer(
        ("detools",), {f"data-{percent}": _cortex_m4(percent) for percent in (0, 2, 4, 8, 12, 16, 20, 25, 35, 50)}
    ),
    "detools crle": Peer(
        ("detools",),
        {
            "bsdiff": _detools(compression="crle"),
            "match-blocks-8": _detools(compression="crle", algorithm="match-blocks", match_block_size=8),
            "match-blocks-64": _detools(compression="crle", algorithm="match-blocks", match_block_size=64),
        },
        on_device=True,
    ),
    "detools heatshrink": Peer(
        ("detools",),
        _heatshrink((8, 7), (10, 7), (10, 8), (10, 9), (11, 8), (12, 7), (12, 8), (12, 9), (12, 10)),
        on_device=True,
    ),
    "xdelta3": Peer(("xdelta3",), {name: _xdelta3(name) for name in ("lzma", "djw", "none")}),
    "zstd --patch-from": Peer(
        ("zstd",),
        {
            "19": _zstd_patch("-19"),
            "22": _zstd_patch("--ultra", "-22"),
            "22-long": _zstd_patch("--ultra", "-22", "--long=27"),
            "22-target": _zstd_patch("--ultra", "-22", "--long=27", "--zstd=targetLength=4096,minMatch=3"),
        },
    ),
}


# -- measuring


def measure(peer: str, setting: str, base: bytes, target: bytes, load_base: int) -> dict[str, Any]:
    """One patch of one setting, made in a new process: size, time and the most memory of making it."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        answer = _try(PEERS[peer].settings[setting], base, target, load_base)
        os.write(write_end, json.dumps(answer).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(child, 0)
    return json.loads(raw) if raw else {"bytes": None, "seconds": 0.0, "peak_kib": 0, "problem": "the process died"}


def _try(setting: Setting, base: bytes, target: bytes, load_base: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"bytes": None, "seconds": 0.0, "peak_kib": 0, "problem": None}
    try:
        begin = time.perf_counter()
        patch = setting.make(base, target, load_base)
        answer["seconds"] = time.perf_counter() - begin
        answer["peak_kib"] = peak_kib()
        if setting.take(base, patch) == target:
            answer["bytes"] = len(patch)
        else:
            answer["problem"] = "its own decoder makes something else of it"
    except Exception as error:  # a peer that fails in whatever way has no patch here, and the table says so
        answer["problem"] = f"{type(error).__name__}: {error}"[:300]
    return answer


def peak_kib() -> int:
    """Most resident memory of this process so far, or of a program that it ran when that had more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def main() -> None:
    base, target = (Path(name).read_bytes() for name in sys.argv[1:3])
    load_base = int(sys.argv[3], 0)
    for line in sys.stdin:
        peer, setting = json.loads(line)
        answer = {"peer": peer, "setting": setting, **measure(peer, setting, base, target, load_base)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
