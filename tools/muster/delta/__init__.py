# SPDX-License-Identifier: Apache-2.0
"""Patches that turn one image into another (docs/spec/patch.md)."""

from muster.delta.apply import apply
from muster.delta.encode import encode, encode_full
from muster.delta.errors import (
    BaseImageMismatch,
    PatchDigestMismatch,
    PatchHeaderError,
    PatchProfileUnknown,
    PatchRangeError,
    PatchTooLarge,
    PatchTrailing,
    PatchTruncated,
    TargetMismatch,
)
from muster.delta.header import HEADER_SIZE_MAX, ImageLayout, PatchHeader, PatchKind, PatchProfile
from muster.delta.patch import Patch

__all__ = [
    "HEADER_SIZE_MAX",
    "BaseImageMismatch",
    "ImageLayout",
    "Patch",
    "PatchDigestMismatch",
    "PatchHeader",
    "PatchHeaderError",
    "PatchKind",
    "PatchProfile",
    "PatchProfileUnknown",
    "PatchRangeError",
    "PatchTooLarge",
    "PatchTrailing",
    "PatchTruncated",
    "TargetMismatch",
    "apply",
    "encode",
    "encode_full",
]
