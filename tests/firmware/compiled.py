# SPDX-License-Identifier: Apache-2.0
"""Pieces of firmware that know no hardware, built for this machine with the undefined-behaviour sanitizer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cffi

FIRMWARE = Path(__file__).parents[2] / "firmware"
_FLAGS = ["-std=c11", "-g", "-O1", "-fPIC", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
_SANITIZER = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A loaded library: `lib` has the functions and enum values, `ffi` makes the structs."""

    ffi: Any
    lib: Any


def compile_firmware(
    folder: Path, sources: Sequence[Path], headers: Sequence[Path], includes: Sequence[Path], wrappers: str = ""
) -> Compiled:
    """Builds `sources` inside `folder` and declares what `headers` do.

    `wrappers` is C for what Python cannot call; each `extern` declaration in it, on one line, is declared too. With
    wrappers the headers' own functions are not declared: their types may be such as cffi does not know.
    """
    paths = [f"-I{path}" for path in includes]
    umbrella = folder / "umbrella.c"
    umbrella.write_text("".join(f'#include "{path}"\n' for path in headers) + wrappers, encoding="utf-8")
    library = folder / "libfirmware.so"
    _run(["gcc", *_FLAGS, *_SANITIZER, *paths, "-shared", "-o", str(library), str(umbrella), *map(str, sources)])
    ffi = cffi.FFI()
    if wrappers:
        ffi.cdef("\n".join(line for line in wrappers.splitlines() if line.startswith("extern ")))
    else:
        ffi.cdef(_declarations(_run(["gcc", "-E", "-std=c11", "-D__attribute__(x)=", *paths, str(umbrella)]), includes))
    return Compiled(ffi, ffi.dlopen(str(library)))


def _declarations(preprocessed: str, folders: Sequence[Path]) -> str:
    """The lines that come from our folders, without function bodies."""
    own = False
    lines = []
    for line in preprocessed.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            own = any(Path(marker[1]).is_relative_to(folder) for folder in folders)
        elif own:
            lines.append(line)
    return re.sub(r"^static inline [^{;]*\n?\{.*?^\}", "", "\n".join(lines), flags=re.MULTILINE | re.DOTALL)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout
