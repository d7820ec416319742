# SPDX-License-Identifier: Apache-2.0
"""The C core as a library of this machine: built with sanitizers, declared from its own headers."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cffi

from muster.native.cdecl import declarations
from muster.thirdparty import monocypher_dir

_HOST = Path(__file__).parent
_CORE = _HOST.parents[1] / "firmware" / "core"
_NATIVE = _CORE.parents[1] / "tools" / "muster" / "native"
_INCLUDES = (_CORE / "include", _CORE / "src" / "decode", _NATIVE, _HOST)
_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")

SANITIZERS_VARIABLE = "MUSTER_TEST_SANITIZERS"
"""Which sanitizers the library is built with: a list for gcc's -fsanitize.

Undefined behaviour ends the test run in any case. The address sanitizer needs its run-time library loaded before
Python itself: tests/host/test_sanitizers.py does that for a whole run of the core's tests.
"""


@dataclass(frozen=True, slots=True)
class CoreLibrary:
    """The loaded library. `lib` has the functions and enum values, `ffi` makes its structs."""

    ffi: cffi.FFI
    lib: Any


def core_headers() -> list[Path]:
    """The public headers of the core, and the flash model's."""
    return [*sorted((_CORE / "include" / "ota").glob("*.h")), _HOST / "flash_model.h"]


def core_sources() -> list[Path]:
    return sorted((_CORE / "src").glob("*.c"))


def load_core(folder: Path) -> CoreLibrary:
    """Builds the core with Monocypher and the flash model inside `folder`, and loads it."""
    library = folder / "libcore.so"
    _compile(folder, library)
    ffi = cffi.FFI()
    ffi.cdef(declarations(map(str, core_headers()), _INCLUDES, "gcc"))
    return CoreLibrary(ffi, ffi.dlopen(str(library)))


def _compile(folder: Path, library: Path) -> None:
    sanitizers = os.environ.get(SANITIZERS_VARIABLE, "undefined")
    monocypher = monocypher_dir()
    common = ["gcc", "-g", "-O1", "-fPIC", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    includes = [f"-I{include}" for include in (*_INCLUDES, monocypher)]
    sources = [*core_sources(), _HOST / "flash_model.c"]
    # Third-party code is not held to our warnings.
    foreign = str(folder / "monocypher.o")
    _run([*common, "-c", str(monocypher / "monocypher.c"), "-o", foreign])
    _run([*common, *_WARNINGS, *includes, "-shared", "-o", str(library), *map(str, sources), foreign])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout
