# SPDX-License-Identifier: Apache-2.0
"""The compiled coder and decoder, with Python's types (tools/muster/native)."""

from __future__ import annotations

from typing import Any

from muster import _decoder, _encoder
from muster.delta.errors import error_for
from muster.delta.header import ImageLayout
from muster.status import OtaStatus

SpentRows = list[tuple[int, int, float, int]]
"""Offset and length in the target, bits, and the number of what they were spent on (enum muster_delta_coding)."""

CopiedRows = list[tuple[int, int, int, bool, bool]]
"""Offset in the target, of the source, length, whether the source is the target, whether it is in the map."""


def encode_stream(header: bytes, base: bytes, layout: ImageLayout, target: bytes) -> bytes:
    """What follows a patch's `header`. Base, target and header must belong together: the caller has checked."""
    ffi, lib = _encoder.ffi, _encoder.lib
    buffers = [ffi.from_buffer("uint8_t[]", raw or b"\0") for raw in (header, base, target)]
    pair: Any = ffi.new("struct muster_delta_pair *")
    pair.header, pair.base, pair.target = buffers
    pair.header_len = len(header)
    _fill_layout(pair.base_facts, layout)
    size = 2 * len(target) + 1024
    out = ffi.new("uint8_t[]", size)
    out_len = ffi.new("uint32_t *")
    _check(lib.muster_delta_encode(pair, out, size, out_len))
    return bytes(ffi.buffer(out, out_len[0]))


def apply_patch(base: bytes, layout: ImageLayout, patch: bytes, target_size: int, piece_len: int) -> bytes:
    """What the device's decoder makes of `patch` when it is pushed in pieces of `piece_len` bytes (0: at once).

    Raises:
        PatchFormatError, PatchRefused: the class for the decoder's status (muster.delta.errors).
    """
    ffi, lib = _decoder.ffi, _decoder.lib
    facts = ffi.new("struct ota_delta_base *")
    _fill_layout(facts, layout)
    target = ffi.new("uint8_t[]", target_size + 1)
    target_len = ffi.new("uint32_t *")
    status = lib.muster_delta_apply(
        ffi.from_buffer(base),
        facts,
        ffi.from_buffer(patch),
        len(patch),
        piece_len,
        target,
        target_size,
        target_len,
    )
    _check(status)
    return bytes(ffi.buffer(target, target_len[0]))


def trace_patch(base: bytes, layout: ImageLayout, patch: bytes, target_size: int) -> tuple[SpentRows, CopiedRows]:
    """Decodes `patch` as apply_patch() does and says what each step has taken from the stream; raises as it does."""
    ffi, lib = _decoder.ffi, _decoder.lib
    facts = ffi.new("struct ota_delta_base *")
    _fill_layout(facts, layout)
    target = ffi.new("uint8_t[]", target_size + 1)
    found: Any = ffi.gc(ffi.new("struct muster_delta_trace *"), lib.muster_delta_trace_free)
    status = lib.muster_delta_trace(
        ffi.from_buffer(base), facts, ffi.from_buffer(patch), len(patch), target, target_size, found
    )
    _check(status)
    unit = lib.MUSTER_DELTA_TRACE_BIT
    spent_rows: Any = ffi.unpack(found.spent, found.spent_len) if found.spent_len else ()
    copied_rows: Any = ffi.unpack(found.copied, found.copied_len) if found.copied_len else ()
    spent = [(row.off, row.len, row.cost / unit, row.coding) for row in spent_rows]
    copied = [(row.target, row.source, row.len, row.from_target, row.in_map) for row in copied_rows]
    return spent, copied


def _fill_layout(facts: Any, layout: ImageLayout) -> None:
    facts.layout.len, facts.layout.reloc_start = layout.length, layout.reloc_start
    facts.check = layout.base_check


def _check(status: int) -> None:
    if status != OtaStatus.OK:
        raise error_for(OtaStatus(status))
