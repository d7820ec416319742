# SPDX-License-Identifier: Apache-2.0
"""Makes patches (docs/spec/patch.md)."""

from __future__ import annotations

import hashlib

from muster.delta import codec
from muster.delta.errors import PatchProfileUnknown
from muster.delta.header import PatchHeader, PatchKind, PatchProfile
from muster.delta.patch import Patch
from muster.errors import FormatError
from muster.image.image import Image
from muster.layout import SLOT_A_ADDR

_NO_IDENTITY = bytes(16)


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
        kind: None takes IMAGE when both are images of docs/spec/image.md (or the base is empty), else RAW.
        profile: memory of the decoder it is for.
        load_base: address of the first byte, for a raw patch between images that are linked to one; 0 when not given.
        base_elf, target_elf: the images' ELF files. They may only make a patch smaller; this coder does well without.

    Raises:
        PatchProfileUnknown: there is no coder for this profile.
        FormatError: `kind` is IMAGE and base or target is no valid image; the status says why.
        PatchHeaderError: a length is above 16 MiB.
    """
    del base_elf, target_elf
    if profile is not PatchProfile.SMALL:
        raise PatchProfileUnknown(f"there is no coder for profile {profile.value}")
    if kind is None:
        kind = PatchKind.IMAGE if _is_image(target) and (not base or _is_image(base)) else PatchKind.RAW
    if kind is PatchKind.IMAGE:
        header = _image_header(base, target, profile)
    else:
        header = _raw_header(base, target, profile, load_base or 0)
    raw = header.to_bytes()
    return Patch(raw + codec.encode_stream(raw, base, target))


def encode_full(target: bytes, *, kind: PatchKind | None = None, profile: PatchProfile = PatchProfile.SMALL) -> Patch:
    """The patch that makes `target` out of nothing; raises as encode() does.

    Whoever offers patches compares: a patch that is not smaller than this one is not worth its base.
    """
    return encode(b"", target, kind=kind, profile=profile)


def base_identity(base: bytes, kind: PatchKind) -> bytes:
    """The 16 bytes that a header names `base` by.

    Raises:
        FormatError: `kind` is IMAGE and `base` is no valid image.
    """
    if not base:
        return _NO_IDENTITY
    if kind is PatchKind.IMAGE:
        return Image.from_bytes(base).manifest.identity_prefix
    return hashlib.sha256(base).digest()[:16]


def _is_image(raw: bytes) -> bool:
    try:
        Image.from_bytes(raw)
    except FormatError:
        return False
    return True


def _image_header(base: bytes, target: bytes, profile: PatchProfile) -> PatchHeader:
    made = Image.from_bytes(target)
    area = target[made.manifest.ext_start :]
    return PatchHeader(
        profile=profile.value,
        kind=PatchKind.IMAGE,
        body_hash_off=area.index(made.manifest.body_hash),
        load_base=SLOT_A_ADDR,
        base_len=len(base),
        base_reloc_start=Image.from_bytes(base).manifest.reloc_start if base else 0,
        target_len=len(target),
        target_reloc_start=made.manifest.reloc_start,
        base_identity=base_identity(base, PatchKind.IMAGE),
        target_identity=made.manifest.identity_prefix,
    )


def _raw_header(base: bytes, target: bytes, profile: PatchProfile, load_base: int) -> PatchHeader:
    return PatchHeader(
        profile=profile.value,
        kind=PatchKind.RAW,
        body_hash_off=0,
        load_base=load_base,
        base_len=len(base),
        base_reloc_start=0,
        target_len=len(target),
        target_reloc_start=0,
        base_identity=base_identity(base, PatchKind.RAW),
        target_identity=hashlib.sha256(target).digest()[:16],
    )
