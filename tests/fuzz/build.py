# SPDX-License-Identifier: Apache-2.0
"""Compiles the decoder with libFuzzer, the address sanitizer and the sanitizer for undefined behaviour."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.seeds import bases_source, inputs

ROOT = Path(__file__).parents[2]

CHECKPOINT_LEN = 1024
"""Bytes of output between two checkpoints in the fuzzer: targets of a few KiB have some, and runs stay short."""

_CORE = Path("firmware") / "core"
ALL_KINDS = ROOT / "tools" / "muster" / "native"
"""Folder of the delta_kinds.h for a decoder of every kind of patch."""

DEVICE_KINDS = ROOT / _CORE / "src" / "device"
"""The same for the device's, which takes images only."""

_DECODER = ("delta*.c", "delta*.h")
_NUMBERS = ("delta_byte_tables.c", "delta_tables.c")
_READERS = ("cbor.c", "manifest.c", "reloc.c")
_HELPERS = ("bytes.c", "crc32.c", "sha256.c")
_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror")
_SANITIZERS = ("-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_CHECKPOINT_LEN = re.compile(r"(OTA_DELTA_CHECKPOINT_LEN = )\d+(?=,)")
_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)


class BuildFailure(Exception):
    """The compiler refused; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """A fuzzer that is ready to run.

    Attributes:
        program: libFuzzer's executable.
        seeds: folder of inputs that hold real patches.
        decoder_hash: SHA-256 over the decoder's sources as hexadecimal digits; comments and trained numbers are left
            out.
    """

    program: Path
    seeds: Path
    decoder_hash: str


def decoder_sources(root: Path = ROOT) -> list[Path]:
    """The decoder's files with its header, sorted; what it shares with others is left out."""
    src = root / _CORE / "src"
    found = {path for pattern in _DECODER for path in src.rglob(pattern)}
    return [*sorted(found), root / _CORE / "include" / "ota" / "delta.h"]


def decoder_hash(root: Path = ROOT) -> str:
    """What a count of executions belongs to."""
    digest = hashlib.sha256()
    for path in decoder_sources(root):
        if path.name in _NUMBERS:
            continue
        words = b" ".join(_COMMENT.sub(b" ", path.read_bytes()).split())
        digest.update(path.name.encode() + b"\0" + words + b"\0")
    return digest.hexdigest()


def build(folder: Path, root: Path = ROOT, kinds: Path = ALL_KINDS) -> Fuzzer:
    """Builds program and seeds inside `folder`, from the core in the source tree `root`, for patches of these `kinds`.

    Raises:
        BuildFailure: a source does not compile.
    """
    its_hash = decoder_hash(root)
    include = folder / "include" / "ota"
    include.mkdir(parents=True, exist_ok=True)
    include.joinpath("delta.h").write_text(_with_short_checkpoints(root / _CORE / "include" / "ota" / "delta.h"))
    made = folder / "bases.c"
    made.write_text(bases_source())
    here = Path(__file__).parent
    src = root / _CORE / "src"
    includes = [folder / "include", here, root / _CORE / "include", src / "decode", kinds]
    flags = [*_WARNINGS, *_SANITIZERS, *(f"-I{include}" for include in includes)]

    # Folders below hold what is chosen by include path, or what puts these together.
    sources = [path for path in decoder_sources(root) if path.suffix == ".c" and path.parent == src]
    watched = ["-fsanitize=address,undefined", "-fsanitize-coverage=inline-8bit-counters,pc-table"]
    objects = _compile(folder, sources, ["-O2", "-g", *watched, "-include", str(here / "copies.h"), *flags])
    # These read what a patch has made.
    objects += _compile(folder, [src / name for name in _READERS], ["-O2", "-g", *watched, *flags])
    # What the decoder's own tests already run under the sanitizers takes most of the time: here it has to be fast.
    objects += _compile(folder, [src / name for name in _HELPERS], ["-O2", "-fsanitize=address", *flags])
    harness = [here / "fuzz_delta.c", here / "delta_binding.c", made]
    objects += _compile(folder, harness, ["-O2", "-g", "-fsanitize=address", *flags])
    program = folder / "fuzz_delta"
    _run(["clang", "-fsanitize=fuzzer,address,undefined", *map(str, objects), "-o", str(program)])
    return Fuzzer(program, _write_seeds(folder / "seeds"), its_hash)


def _with_short_checkpoints(header: Path) -> str:
    text, count = _CHECKPOINT_LEN.subn(rf"\g<1>{CHECKPOINT_LEN}", header.read_text())
    if count != 1:
        raise BuildFailure(f"{header} does not say OTA_DELTA_CHECKPOINT_LEN once")
    return text


def _compile(folder: Path, sources: Iterable[Path], flags: list[str]) -> list[Path]:
    objects = []
    for source in sources:
        objects.append(folder / f"{source.stem}.o")
        _run(["clang", *flags, "-c", str(source), "-o", str(objects[-1])])
    return objects


def _write_seeds(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for content in inputs():
        (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailure(f"{' '.join(command)}\n{done.stderr}")
