# SPDX-License-Identifier: Apache-2.0
"""Applies patches with the device's own decoder."""

from __future__ import annotations

from muster.delta import codec
from muster.delta.encode import base_identity
from muster.delta.errors import BaseImageMismatch
from muster.delta.patch import Patch
from muster.errors import FormatError


def apply(base: bytes, patch: bytes, *, piece_len: int = 0) -> bytes:
    """What `patch` makes of `base`; its identity is the header's.

    Args:
        base: canonical image or, for a raw patch, the bytes it was made for; empty for a patch that needs no base.
        patch: the patch's bytes; nothing in them is believed.
        piece_len: how many bytes the decoder is given at a time; 0 for all at once. The result is the same.

    Raises:
        PatchTruncated, PatchTrailing, PatchHeaderError, PatchRangeError, TargetMismatch: the patch is not valid.
        PatchProfileUnknown: it is for a larger decoder.
        BaseImageMismatch: it was made for another base.
    """
    header = Patch.from_bytes(patch).header
    try:
        identity = base_identity(base, header.kind)
    except FormatError as error:
        raise BaseImageMismatch(f"the base is no image: {error}") from error
    if (len(base), identity) != (header.base_len, header.base_identity):
        raise BaseImageMismatch(
            f"the patch was made for base {header.base_identity.hex()} of {header.base_len} bytes,"
            f" not for {identity.hex()} of {len(base)} bytes"
        )
    return codec.apply_patch(base, patch, header.target_len, piece_len)
