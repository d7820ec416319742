# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cffi import FFI

from muster.native.cdecl import declarations

_HEADER = """
#include <stdint.h>
#include <stdbool.h>
enum { SIZE = 4, TWICE = 2 * SIZE };
_Static_assert(sizeof(uint32_t) == (4), "words (of 4)");
struct box { uint8_t bytes[SIZE]; bool is_open; };
static inline uint32_t add(uint32_t a, uint32_t b)
{
    if (a == 0) { return b; }
    return a + b;
}
__attribute__((warn_unused_result)) int open_box(struct box *box, __attribute__((unused)) int key);
"""


def test_headers_become_declarations_that_cffi_reads(tmp_path: Path) -> None:
    (tmp_path / "box.h").write_text(_HEADER, encoding="ascii")
    text = declarations(["box.h"], [tmp_path])
    ffi = FFI()
    ffi.cdef(text)
    assert ffi.sizeof("struct box") == 5
    assert "open_box" in text
    for gone in ("__attribute__", "_Static_assert", "static inline", "#"):
        assert gone not in text


def test_header_that_does_not_exist_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        declarations(["missing.h"], [tmp_path])
