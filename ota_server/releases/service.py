# SPDX-License-Identifier: Apache-2.0
"""Rules for releases: every field of an upload is checked against the product, the key set and itself."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.elf import Elf
from muster.errors import MusterError
from muster.image.image import Image
from muster.layout import BODY_MIN_SIZE, PLATFORM_IDS, PREFIX_OFFSET, SLOT_A_ADDR, Lifecycle, platform_name
from muster.signing.keyset import KeySetContent
from muster.signing.verify import Signers, check_signatures
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.products.models import Product
from ota_server.products.store import plan_changed
from ota_server.releases import store
from ota_server.releases.models import FULL, Release, StoredImage
from ota_server.storage.blobs import BlobStore

IMAGE_SIZE_MAX = 0x6_0000
ELF_SIZE_MAX = 32 * 1024 * 1024
LIKELY_BASES = 8
"""A starting rollout asks for patches from so many newest versions; others are made when a device needs them."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What came with a request.

    Attributes:
        image, elf: file contents; the ELF may be missing.
        version: as the form says, or None to take the image's.
    """

    image: bytes
    elf: bytes | None
    version: int | None
    title: str
    description: str
    by: str


@dataclass(frozen=True, slots=True)
class CheckedUpload:
    """An upload that passed every check; its bytes are kept."""

    upload: Upload
    image: Image
    signers: Signers
    blob: bytes
    elf_blob: bytes | None


def check_upload(product: Product, keys: KeySetContent, upload: Upload, blobs: BlobStore) -> CheckedUpload:
    """Checks an upload and keeps its bytes; nothing of it counts before `add_upload`.

    Raises:
        Invalid: what is wrong, and in which field.
    """
    try:
        image = Image.from_bytes(upload.image)
    except MusterError as error:
        raise Invalid(f"not an image: {error}", "file") from error
    manifest = image.manifest
    if manifest.product_id != product.id:
        raise Invalid(f"the image is for product {manifest.product_id}, not {product.id}", "file")
    if manifest.platform_id not in PLATFORM_IDS.values():
        raise Invalid(f"the image is for {platform_name(manifest.platform_id)}, which nobody knows", "file")
    if upload.version is not None and upload.version != manifest.product_version:
        raise Invalid(f"the image holds version {manifest.product_version}, not {upload.version}", "version")
    if len(upload.title) > 200:
        raise Invalid("a title has at most 200 characters", "title")
    try:
        # The server takes what a development device would run; each device checks its own lifecycle again.
        signers = check_signatures(image, keys, Lifecycle.DEVELOPMENT)
    except MusterError as error:
        raise Invalid(f"not signed as the key set asks: {error}", "file") from error
    if upload.elf is not None:
        check_elf(upload.elf, image)
    return CheckedUpload(
        upload,
        image,
        signers,
        blobs.put(image.raw),
        None if upload.elf is None else blobs.put(upload.elf),
    )


def add_upload(
    connection: Connection, product: Product, checked: CheckedUpload, now_ms: int
) -> tuple[Release, StoredImage]:
    """Adds a checked image to its release, which is made when it is the first.

    The same image again may bring more signatures or its ELF file.

    Raises:
        Conflict: the release has another image for this platform, or is killed.
    """
    manifest = checked.image.manifest
    release = store.release_of(connection, product.id, manifest.product_version)
    if release is None:
        release_id = store.add_release(
            connection,
            {
                "product_id": product.id,
                "version": manifest.product_version,
                "title": checked.upload.title or f"Version {manifest.product_version}",
                "description": checked.upload.description,
                "created_ms": now_ms,
                "created_by": checked.upload.by,
            },
        )
    else:
        check_alive(release)
        release_id = release.id
    present = [
        image
        for image in store.images_of_product(connection, product.id)
        if image.release_id == release_id and image.platform_id == manifest.platform_id
    ]
    if present and present[0].identity != checked.image.identity:
        raise Conflict(
            f"release {manifest.product_version} has another image for {platform_name(manifest.platform_id)} already: "
            "build it under a new version"
        )
    files: dict[str, object] = {"blob": checked.blob, "size": len(checked.image.raw), "signers": _signers(checked)}
    if checked.upload.elf is not None:
        files |= {"elf_blob": checked.elf_blob, "elf_size": len(checked.upload.elf)}
    flashed = store.image_by_identity(connection, checked.image.identity)
    if flashed is not None:
        store.change_image(connection, flashed.id, {**files, "release_id": release_id})
    else:
        _add_image(connection, product, release_id, checked, files, now_ms)
    plan_changed(connection, product.id)
    release = store.release_of(connection, product.id, manifest.product_version)
    image = store.image_by_identity(connection, checked.image.identity)
    assert release is not None
    assert image is not None
    return release, image


def add_for_development(connection: Connection, product: Product, checked: CheckedUpload, now_ms: int) -> StoredImage:
    """Adds a checked image without a release, unless it is there already."""
    present = store.image_by_identity(connection, checked.image.identity)
    if present is None:
        files: dict[str, object] = {"blob": checked.blob, "size": len(checked.image.raw), "signers": _signers(checked)}
        _add_image(connection, product, None, checked, files, now_ms)
        present = store.image_by_identity(connection, checked.image.identity)
    assert present is not None
    return present


def want_likely_patches(connection: Connection, target: StoredImage, now_ms: int) -> None:
    """Asks for the patches to an image from the newest versions of its platform, and for the full image."""
    store.want_patch(connection, target.product_id, FULL, target.identity, now_ms, is_retry=True)
    bases = [
        image
        for image in store.images_of_product(connection, target.product_id)
        if image.platform_id == target.platform_id and image.id != target.id
    ]
    for base in bases[:LIKELY_BASES]:
        store.want_patch(connection, target.product_id, base.identity, target.identity, now_ms, is_retry=True)


def find(connection: Connection, product: Product, version: int) -> Release:
    """A release. Raises NotFound."""
    release = store.release_of(connection, product.id, version)
    if release is None:
        raise NotFound(f"product {product.id} has no release {version}")
    return release


def check_alive(release: Release) -> None:
    """Raises Conflict for one that is killed."""
    if release.killed_ms is not None:
        raise Conflict(f"version {release.version} is killed: bring out another one")


def check_elf(raw: bytes, image: Image) -> None:
    """The ELF must be what the image was made from: the same bytes below the relocation table, but for the prefix.

    Raises:
        Invalid: it is not.
    """
    try:
        address, flat = Elf.from_bytes(raw).flat()
    except MusterError as error:
        raise Invalid(f"not an ELF file: {error}", "elf") from error
    body = image.raw[: image.manifest.reloc_start]
    padded = flat + b"\xff" * (-len(flat) % 4)
    same_length = len(padded) == len(body)
    same_bytes = padded[:PREFIX_OFFSET] == body[:PREFIX_OFFSET] and padded[BODY_MIN_SIZE:] == body[BODY_MIN_SIZE:]
    if address != SLOT_A_ADDR or not (same_length and same_bytes):
        raise Invalid("the ELF file is not the one that this image was made from", "elf")


def _add_image(
    connection: Connection,
    product: Product,
    release_id: int | None,
    checked: CheckedUpload,
    files: dict[str, object],
    now_ms: int,
) -> None:
    manifest = checked.image.manifest
    store.add_image(
        connection,
        {
            "release_id": release_id,
            "product_id": product.id,
            "version": manifest.product_version,
            "platform_id": manifest.platform_id,
            "identity": checked.image.identity,
            "identity8": checked.image.identity[:8],
            "security_counter": manifest.security_counter,
            "hardware_lowest": manifest.hardware_lowest,
            "hardware_highest": manifest.hardware_highest,
            "min_bootloader": manifest.min_bootloader,
            "created_ms": now_ms,
            **files,
        },
    )
    store.want_patch(connection, product.id, FULL, checked.image.identity, now_ms)


def _signers(checked: CheckedUpload) -> str:
    return json.dumps(
        {
            "release": [key_id.hex() for key_id in checked.signers.release],
            "development": [key_id.hex() for key_id in checked.signers.development],
        }
    )
