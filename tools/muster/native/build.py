# SPDX-License-Identifier: Apache-2.0
"""Describes the extension module `muster._native`; setup.py hands `ffibuilder` to setuptools.

It compiles the device's decoder from firmware/core, which lies outside the package: the project is installed from its
checkout. Paths are relative to the checkout, where setuptools runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cffi import FFI

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE.parents[1]))  # this script is run by its path, before the package is installed

from muster.native.cdecl import declarations  # noqa: E402

_ROOT = _HERE.parents[2]
_CORE = _ROOT / "firmware" / "core"
_INCLUDE_DIRS = [_CORE / "include", _CORE / "src", _HERE]
_HEADERS = ["ota/delta.h", "delta_encoder.h", "delta_apply.h"]
_CORE_NAMES = ["bytes.c", "crc32.c", "delta.c", "delta_header.c", "delta_output.c", "range_decoder.c", "sha256.c"]
_OWN_NAMES = ["delta_apply.c", "delta_encoder.c", "delta_plan.c"]
_SOURCES = [*(_CORE / "src" / name for name in _CORE_NAMES), *(_HERE / name for name in _OWN_NAMES)]


def _relative(path: Path) -> str:
    return os.path.relpath(path, _ROOT)


ffibuilder = FFI()
ffibuilder.cdef(declarations(_HEADERS, _INCLUDE_DIRS))
ffibuilder.set_source(
    "muster._native",
    "".join(f'#include "{header}"\n' for header in _HEADERS),
    sources=[_relative(path) for path in _SOURCES],
    depends=[_relative(path) for folder in _INCLUDE_DIRS for path in sorted(folder.rglob("*.h"))],
    include_dirs=[_relative(path) for path in _INCLUDE_DIRS],
    extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
