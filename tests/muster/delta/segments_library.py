# SPDX-License-Identifier: Apache-2.0
"""The encoder's search for copies, built alone with UBSan, with costs that need no trained tables."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cffi

from muster.native.cdecl import declarations

_ROOT = Path(__file__).parents[3]
_NATIVE = _ROOT / "tools" / "muster" / "native"
_CORE = _ROOT / "firmware" / "core"
_INCLUDES = (_CORE / "include", _CORE / "src", _NATIVE)
_NAMES = (
    *("align", "expectation", "map_choice", "paths", "places", "segments", "sources", "substitutions", "text"),
    "unit_cost",
)
_COMMAND = (
    *("gcc", "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror"),
    *("-fPIC", "-shared", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One copy: target bytes from `target` to `end` come from `source` on, in the base or in the target."""

    target: int
    length: int
    source: int
    from_target: bool
    in_map: bool

    @property
    def end(self) -> int:
        return self.target + self.length


class SegmentsLibrary:
    """Calls muster_segments_find(). Each literal byte costs seven bits, each other byte in a copy the same."""

    def __init__(self, folder: Path) -> None:
        library = folder / "libsegments.so"
        sources = [*(_NATIVE / f"delta_{name}.c" for name in _NAMES), _CORE / "src" / "delta_thumb.c"]
        includes = [f"-I{include}" for include in _INCLUDES]
        command = [*_COMMAND, *includes, *map(str, sources), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self._ffi = cffi.FFI()
        self._ffi.cdef(declarations(["delta_segments.h"], _INCLUDES, "gcc") + "void free(void *);")
        loaded: object = self._ffi.dlopen(str(library))
        self._lib = cast(Any, loaded)
        self._costs = self._new("struct muster_costs *")
        self._lib.muster_costs_init(self._costs, 0)
        bits = 7 * self._lib.MUSTER_BIT
        two = self._ffi.callback("uint32_t(const void *, uint8_t, uint8_t)", lambda *_: bits)
        three = self._ffi.callback("uint32_t(const void *, uint8_t, uint8_t, uint8_t)", lambda *_: bits)
        self._costs.literal_high = self._costs.literal_low = self._costs.miss_high = two
        self._costs.miss_low = three
        self._kept = (two, three)  # cffi frees a callback that nothing refers to

    def status(self, name: str) -> int:
        return int(getattr(self._lib, name))

    def find(
        self,
        base: bytes,
        target: bytes,
        *,
        load_base: int = 0x08020000,
        base_pointers: Sequence[int] | None = None,
        target_pointers: Sequence[int] | None = None,
        map_max: int = 64,
        map_len_min: int = 16,
    ) -> list[Segment]:
        """The segments. `*_pointers` are offsets of words; None: words are judged by their value."""
        alignment = self._new("struct muster_alignment *")
        kept: list[Any] = [self._ffi.from_buffer(base), self._ffi.from_buffer(target)]
        kept += [self._marks(base, base_pointers), self._marks(target, target_pointers)]
        alignment.base, alignment.target, alignment.base_is_pointer, alignment.target_is_pointer = kept
        alignment.base_len, alignment.target_len = len(base), len(target)
        alignment.load_base, alignment.costs = load_base, self._costs
        alignment.map_max, alignment.map_len_min = map_max, map_len_min
        segments = self._new("struct muster_segment **")
        count = self._new("uint32_t *")
        status = self._lib.muster_segments_find(alignment, segments, count)
        assert status == self._lib.OTA_OK
        fields = [segments[0][i] for i in range(count[0])]
        found = [Segment(s.target, s.len, s.source, s.from_target, s.in_map) for s in fields]
        self._lib.free(segments[0])
        return found

    def refusal(self, base_len: int, target_len: int) -> int:
        """The status for images said to be so long."""
        alignment = self._new("struct muster_alignment *")
        alignment.base_len, alignment.target_len, alignment.costs = base_len, target_len, self._costs
        segments = self._new("struct muster_segment **")
        return int(self._lib.muster_segments_find(alignment, segments, self._new("uint32_t *")))

    def _new(self, declaration: str, *initial: int) -> Any:
        return self._ffi.new(declaration, *initial)

    def _marks(self, image: bytes, pointers: Sequence[int] | None) -> Any:
        if pointers is None:
            return self._ffi.NULL
        marks = self._new("uint8_t[]", len(image) // 4 + 1)
        for offset in pointers:
            marks[offset // 4] = 1
        return marks
