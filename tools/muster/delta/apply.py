# SPDX-License-Identifier: Apache-2.0
"""Applies patches with the device's own decoder."""

from __future__ import annotations

from muster.delta import codec
from muster.delta.header import NO_BASE, ImageLayout, PatchHeader
from muster.delta.patch import Patch


def apply(base: bytes, patch: bytes, *, piece_len: int = 0) -> bytes:
    """What `patch` makes of `base`; its check is the header's.

    Args:
        base: canonical image or, for other kinds, the bytes it was made for; empty for a patch that needs no base.
        patch: the patch's bytes; nothing in them is believed.
        piece_len: how many bytes the decoder is given at a time; 0 for all at once. The result is the same.

    Raises:
        PatchTruncated, PatchTrailing, PatchHeaderError, PatchRangeError, TargetMismatch: the patch is not valid.
        PatchProfileUnknown: it is for a larger decoder.
        BaseImageMismatch: it was made for another base.
    """
    header, layout = checked_header(base, patch)
    return codec.apply_patch(base, layout, patch, header.target_length(len(base)), piece_len)


def checked_header(base: bytes, patch: bytes) -> tuple[PatchHeader, ImageLayout]:
    """The header of `patch`, and what a decoder has to know of `base`.

    Raises:
        PatchTruncated, PatchHeaderError: the header is not valid.
        BaseImageMismatch: it names another base.
    """
    header = Patch.from_bytes(patch).header
    header.check_base(base)
    return header, NO_BASE if header.is_full_image else ImageLayout.of(base, header.kind)
