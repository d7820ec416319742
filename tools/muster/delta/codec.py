# SPDX-License-Identifier: Apache-2.0
"""The compiled coder and decoder, with Python's types (tools/muster/native)."""

from __future__ import annotations

from muster._native import ffi, lib
from muster.delta.errors import error_for
from muster.status import OtaStatus


def encode_stream(header: bytes, base: bytes, target: bytes) -> bytes:
    """What follows a patch's 64-byte `header`. Base, target and header must belong together: the caller has checked."""
    parsed = ffi.new("struct ota_delta_header *")
    _check(lib.ota_delta_header_parse(header, len(header), parsed))
    size = 2 * len(target) + 1024
    out = ffi.new("uint8_t[]", size)
    out_len = ffi.new("uint32_t *")
    _check(lib.muster_delta_encode(parsed, ffi.from_buffer(base), ffi.from_buffer(target), out, size, out_len))
    return bytes(ffi.buffer(out, out_len[0]))


def apply_patch(base: bytes, patch: bytes, target_size: int, piece_len: int) -> bytes:
    """What the device's decoder makes of `patch` when it is pushed in pieces of `piece_len` bytes (0: at once).

    Raises:
        PatchFormatError, PatchRefused: the class for the decoder's status (muster.delta.errors).
    """
    target = ffi.new("uint8_t[]", target_size + 1)
    target_len = ffi.new("uint32_t *")
    status = lib.muster_delta_apply(
        ffi.from_buffer(base),
        len(base),
        ffi.from_buffer(patch),
        len(patch),
        piece_len,
        target,
        target_size,
        target_len,
    )
    _check(status)
    return bytes(ffi.buffer(target, target_len[0]))


def _check(status: int) -> None:
    if status != OtaStatus.OK:
        raise error_for(OtaStatus(status))
