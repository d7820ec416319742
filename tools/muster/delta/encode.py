# SPDX-License-Identifier: Apache-2.0
"""Makes patches (docs/spec/patch.md)."""

from __future__ import annotations

import hashlib
import zlib

from muster.delta import codec
from muster.delta.errors import PatchHeaderError, PatchProfileUnknown
from muster.delta.header import (
    LENGTH_MAX,
    LOAD_BASE_UNIT,
    MODULE_MIN_SIZE,
    NO_BASE,
    PREFIX_AT,
    ImageLayout,
    PatchHeader,
    PatchKind,
    PatchProfile,
)
from muster.delta.patch import Patch
from muster.errors import FormatError
from muster.image.image import Image

_SUFFIX_SIZE = 38
_CRC_SIZE = 4


def encode(
    base: bytes,
    target: bytes,
    *,
    kind: PatchKind | None = None,
    profile: PatchProfile = PatchProfile.SMALL,
    load_base: int | None = None,
    base_elf: bytes | None = None,
    target_elf: bytes | None = None,
) -> Patch:
    """The patch that turns `base` into `target`. Equal arguments give equal bytes.

    Args:
        base: canonical image, or any bytes for a raw patch; empty for a patch that needs no base.
        target: the same for what the patch makes.
        kind: None finds out: IMAGE or MODULE when both are (or the base is empty), else RAW.
        profile: memory of the decoder it is for.
        load_base: address of the first byte, for raw images that are linked to one; 0 when not given.
        base_elf, target_elf: the images' ELF files. They may only make a patch smaller; this coder does well without.

    Raises:
        PatchProfileUnknown: there is no coder for this profile.
        FormatError: `kind` says that base and target are what they are not.
        PatchHeaderError: a length is above 2 MiB, or the load base is no multiple of 256.
    """
    del base_elf, target_elf
    if profile not in PatchProfile.__members__.values():
        raise PatchProfileUnknown(f"there is no coder for profile {profile}")
    if max(len(base), len(target)) > LENGTH_MAX:
        raise PatchHeaderError(f"an image is longer than {LENGTH_MAX} bytes")
    if kind is None:
        kind = _kind_of(base, target)
    elif not _are_of_kind(base, target, kind):
        if kind is PatchKind.IMAGE:
            Image.from_bytes(base if _is_image(target) else target)  # says what is wrong with it
        raise FormatError(f"base and target are not of kind {kind.name}")
    layout = ImageLayout.of(base, kind) if base else NO_BASE
    header = _header(layout, target, kind, profile, load_base or 0)
    raw = header.to_bytes()
    return Patch(raw + codec.encode_stream(raw, base, layout, target))


def encode_full(target: bytes, *, kind: PatchKind | None = None, profile: PatchProfile = PatchProfile.LARGE) -> Patch:
    """The patch that makes `target` out of nothing; raises as encode() does.

    Whoever offers patches compares: a patch that is not smaller than this one is not worth its base.
    """
    return encode(b"", target, kind=kind, profile=profile)


def _kind_of(base: bytes, target: bytes) -> PatchKind:
    for kind in (PatchKind.IMAGE, PatchKind.MODULE_AT_184, PatchKind.MODULE_AT_0):
        if _are_of_kind(base, target, kind):
            return kind
    return PatchKind.RAW


def _are_of_kind(base: bytes, target: bytes, kind: PatchKind) -> bool:
    """Whether a patch of this kind makes all of the target; without a base only that counts."""
    if not _is_of_kind(target, kind):
        return False
    return not base or (_is_of_kind(base, kind) and _start_of(base, kind) == _start_of(target, kind))


def _start_of(raw: bytes, kind: PatchKind) -> bytes | None:
    """The address that a module is linked to, from which its end is derived."""
    return None if kind.prefix_at is None else raw[kind.prefix_at : kind.prefix_at + 4]


def _is_of_kind(raw: bytes, kind: PatchKind) -> bool:
    if kind is PatchKind.RAW:
        return True
    if kind is PatchKind.IMAGE:
        return _is_image(raw)
    return _is_module(raw, PREFIX_AT if kind is PatchKind.MODULE_AT_184 else 0)


def _is_image(raw: bytes) -> bool:
    try:
        Image.from_bytes(raw)
    except FormatError:
        return False
    return True


def _is_module(raw: bytes, prefix_at: int) -> bool:
    """Whether everything that a module's patch derives holds."""
    if len(raw) < prefix_at + MODULE_MIN_SIZE:
        return False
    start, end = (int.from_bytes(raw[at : at + 4], "little") for at in (prefix_at, prefix_at + 4))
    digest = raw[-_SUFFIX_SIZE : -_SUFFIX_SIZE + 32]
    return (
        start % LOAD_BASE_UNIT == 0
        and end == start + len(raw) - _CRC_SIZE
        and digest == hashlib.sha256(raw[:-_SUFFIX_SIZE]).digest()
        and raw[-_CRC_SIZE:] == zlib.crc32(raw[:-_CRC_SIZE]).to_bytes(_CRC_SIZE, "big")
    )


def _header(base: ImageLayout, target: bytes, kind: PatchKind, profile: PatchProfile, load_base: int) -> PatchHeader:
    made = ImageLayout.of(target, kind)
    is_full = base.length == 0
    if kind is PatchKind.IMAGE or (kind is not PatchKind.RAW and not is_full):
        known: int | None = None
    elif kind is PatchKind.RAW:
        known = load_base
    else:
        prefix_at = PREFIX_AT if kind is PatchKind.MODULE_AT_184 else 0
        known = int.from_bytes(target[prefix_at : prefix_at + 4], "little")
    return PatchHeader(
        profile=profile.value,
        kind=kind,
        base_check=None if is_full else base.base_check,
        target_check=made.target_check,
        load_base=known,
        length_change=made.length - base.length,
        reloc_change=made.reloc_start - base.reloc_start,
    )
