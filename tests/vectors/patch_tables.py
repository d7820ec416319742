# SPDX-License-Identifier: Apache-2.0
"""The trained constants of the patch coder as numbers, for coders that are not written in C."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from cffi import FFI

from muster.native.cdecl import declarations
from tests.vectors.reading import Case

_CORE = Path(__file__).parents[2] / "firmware" / "core"
_INCLUDES = (_CORE / "include", _CORE / "src")
_NAMES = (
    "squashes",
    "stretches",
    "rates",
    "initials",
    "weights",
    "known_hits",
    "known_bits",
    "byte_tables",
)


def tables() -> list[Case]:
    """One case per table: `name` without its prefix ota_delta_, `values` nested as the array is."""
    ffi = FFI()
    ffi.cdef(declarations(["delta_tables.h"], _INCLUDES))
    with tempfile.TemporaryDirectory() as folder:
        library = str(Path(folder) / "tables.so")
        includes = [f"-I{include}" for include in _INCLUDES]
        sources = [str(_CORE / "src" / name) for name in ("delta_tables.c", "delta_byte_tables.c")]
        command = ["gcc", "-std=c11", "-shared", "-fPIC", "-Werror", *includes, *sources, "-o", library]
        subprocess.run(command, check=True)
        lib: Any = ffi.dlopen(library)
        return [{"name": name, "values": _plain(ffi, getattr(lib, f"ota_delta_{name}"))} for name in _NAMES]


def _plain(ffi: FFI, value: Any) -> Any:
    """C arrays as lists, structs as dictionaries."""
    if isinstance(value, int):
        return value
    kind = ffi.typeof(value)
    if kind.kind == "struct":
        return {name: _plain(ffi, getattr(value, name)) for name, _ in kind.fields}
    return [_plain(ffi, item) for item in value]
