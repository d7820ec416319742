# SPDX-License-Identifier: Apache-2.0
"""Describes the extension modules `muster._decoder` and `muster._encoder`; setup.py hands them to setuptools.

They compile the device's decoder from firmware/core, which lies outside the package: the project is installed from its
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
_SHARED = ["bytes.c", "cbor.c", "crc32.c", "manifest.c", "reloc.c", "sha256.c"]
# Each direction has a range coder and a delta_direction.h of its own.
_DECODER_ONLY = {"delta_range.c"}
_DECODER_OWN = {"delta_apply.c", "delta_buffers.c", "delta_trace.c"}
_MODEL = sorted((_CORE / "src").glob("delta*.c"))
_HELPERS = [_CORE / "src" / name for name in _SHARED]

DECODER_SOURCES = [*_HELPERS, *_MODEL, *sorted(_HERE / name for name in _DECODER_OWN)]
DECODER_INCLUDES = [*_INCLUDE_DIRS, _CORE / "src" / "decode"]
ENCODER_SOURCES = [
    *_HELPERS,
    *(path for path in _MODEL if path.name not in _DECODER_ONLY),
    *(path for path in sorted(_HERE.glob("delta_*.c")) if path.name not in _DECODER_OWN),
]
ENCODER_INCLUDES = [*_INCLUDE_DIRS, _HERE / "encode"]


def _relative(path: Path) -> str:
    return os.path.relpath(path, _ROOT)


def _extension(name: str, headers: list[str], sources: list[Path], include_dirs: list[Path]) -> FFI:
    ffi = FFI()
    ffi.cdef(declarations(headers, include_dirs))
    ffi.set_source(
        name,
        "".join(f'#include "{header}"\n' for header in headers),
        sources=[_relative(path) for path in sources],
        depends=[_relative(path) for folder in _INCLUDE_DIRS for path in sorted(folder.rglob("*.h"))],
        include_dirs=[_relative(path) for path in include_dirs],
        extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
    )
    return ffi


# Two modules, because both directions define the same functions.
decoder = _extension("muster._decoder", ["delta_apply.h", "delta_trace.h"], DECODER_SOURCES, DECODER_INCLUDES)
encoder = _extension("muster._encoder", ["delta_encoder.h"], ENCODER_SOURCES, ENCODER_INCLUDES)

if __name__ == "__main__":
    decoder.compile(verbose=True)
    encoder.compile(verbose=True)
