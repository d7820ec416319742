# SPDX-License-Identifier: Apache-2.0
"""Whether a device may run an image: check 7 of docs/spec/image.md section 6, and the pinned check.

The rules, their order and their answers are those of the device. Checks 1 to 6 are passed by having an `Image`.
"""

from __future__ import annotations

from dataclasses import dataclass

from muster.errors import ImageRefused
from muster.image.image import Image
from muster.layout import IDENTITY_PREFIX_SIZE, Lifecycle
from muster.signing.cose import AAD_MANIFEST, signed_bytes
from muster.signing.keyset import KeySetContent
from muster.status import OtaStatus


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a device knows of itself; None means: do not check this.

    Attributes:
        product_id, platform_id, hardware_revision, bootloader_version: u16.
        security_counter: the lowest that the device accepts, u32.
    """

    product_id: int | None = None
    platform_id: int | None = None
    hardware_revision: int | None = None
    bootloader_version: int | None = None
    security_counter: int | None = None


@dataclass(frozen=True, slots=True)
class Signers:
    """Which known keys signed an image; every one of these signatures holds.

    Attributes:
        release, development: key ids; a key that is in both lists of the key set counts as a release key.
        unknown: key ids that the key set does not hold; nothing is known of their signatures.
    """

    release: tuple[bytes, ...]
    development: tuple[bytes, ...]
    unknown: tuple[bytes, ...]


def check_full(image: Image, device: DeviceFacts, keys: KeySetContent, lifecycle: Lifecycle) -> Signers:
    """The full check of a staged image.

    Raises:
        ImageRefused: the first rule that says no; `status` is what a device answers.
    """
    check_facts(image, device)
    return check_signatures(image, keys, lifecycle)


def check_facts(image: Image, device: DeviceFacts) -> None:
    """Product, platform, hardware revision, bootloader version and security counter.

    Raises:
        ImageRefused: the first rule that says no.
    """
    manifest = image.manifest
    if device.product_id is not None and manifest.product_id != device.product_id:
        raise ImageRefused(
            f"the image is for product {manifest.product_id}, not {device.product_id}", OtaStatus.ERR_PRODUCT
        )
    if device.platform_id is not None and manifest.platform_id != device.platform_id:
        raise ImageRefused(
            f"the image is for platform {manifest.platform_id}, not {device.platform_id}", OtaStatus.ERR_PLATFORM
        )
    revision = device.hardware_revision
    if revision is not None and not manifest.hardware_lowest <= revision <= manifest.hardware_highest:
        raise ImageRefused(
            f"the image is for hardware revisions {manifest.hardware_lowest} to {manifest.hardware_highest}, "
            f"not {revision}",
            OtaStatus.ERR_HARDWARE,
        )
    if device.bootloader_version is not None and manifest.min_bootloader > device.bootloader_version:
        raise ImageRefused(
            f"the image needs bootloader version {manifest.min_bootloader}, not {device.bootloader_version}",
            OtaStatus.ERR_BOOTLOADER_TOO_OLD,
        )
    if device.security_counter is not None and manifest.security_counter < device.security_counter:
        raise ImageRefused(
            f"the image's security counter {manifest.security_counter} is below {device.security_counter}",
            OtaStatus.ERR_SECURITY_COUNTER,
        )


def check_signatures(image: Image, keys: KeySetContent, lifecycle: Lifecycle) -> Signers:
    """Enough signatures by the right keys, and none by a known key that does not hold.

    Raises:
        ImageRefused: ERR_SIGNATURE or ERR_SIGNERS.
    """
    signers = verified_signers(image, keys)
    if len(signers.release) >= keys.release_threshold:
        return signers
    if lifecycle is Lifecycle.DEVELOPMENT and signers.development:
        return signers
    raise ImageRefused(
        f"{len(signers.release)} of {keys.release_threshold} release signatures"
        + (", and none by a development key" if lifecycle is Lifecycle.DEVELOPMENT else ""),
        OtaStatus.ERR_SIGNERS,
    )


def verified_signers(image: Image, keys: KeySetContent) -> Signers:
    """Who signed an image, of the keys in a key set.

    Raises:
        ImageRefused: a signature that names one of them does not hold (ERR_SIGNATURE).
    """
    release_keys = {key.key_id: key for key in keys.release_keys}
    development_keys = {key.key_id: key for key in keys.development_keys}
    known = {**development_keys, **release_keys}
    payload = image.manifest.to_bytes()
    for signature in image.signatures:
        key = known.get(signature.key_id)
        if key is not None and not key.holds(
            signature.signature, signed_bytes(signature.key_id, AAD_MANIFEST, payload)
        ):
            raise ImageRefused(f"the signature by key {signature.key_id.hex()} does not hold", OtaStatus.ERR_SIGNATURE)
    key_ids = [signature.key_id for signature in image.signatures]
    return Signers(
        release=tuple(key_id for key_id in key_ids if key_id in release_keys),
        development=tuple(key_id for key_id in key_ids if key_id in development_keys and key_id not in release_keys),
        unknown=tuple(key_id for key_id in key_ids if key_id not in known),
    )


def check_pinned(image: Image, identity: bytes) -> None:
    """The pinned check: the image is the one that a CONFIRMED record names by its first 16 identity bytes.

    Raises:
        ImageRefused: another image (ERR_IDENTITY).
    """
    if image.identity[:IDENTITY_PREFIX_SIZE] != identity[:IDENTITY_PREFIX_SIZE]:
        raise ImageRefused(
            f"the image is {image.identity[:IDENTITY_PREFIX_SIZE].hex()}, not {identity.hex()}", OtaStatus.ERR_IDENTITY
        )
