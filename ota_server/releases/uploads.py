# SPDX-License-Identifier: Apache-2.0
"""The files of one release that come together: images, and the ELF files that they were made from, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.errors import MusterError
from muster.image.image import Image
from muster.layout import platform_name
from muster.signing.keyset import KeySetContent
from ota_server.errors import Conflict, Invalid, ServerError
from ota_server.products.models import Product
from ota_server.releases import service
from ota_server.releases.service import CheckedUpload, Upload
from ota_server.storage.blobs import BlobStore
from ota_server.usage import service as limits

ELF_MAGIC = b"\x7fELF"
FIELD = "files"


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file as it came, with its name where it came from; several may have the same one."""

    name: str
    raw: bytes

    @property
    def is_elf(self) -> bool:
        return self.raw.startswith(ELF_MAGIC)


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """Files that passed every check; never none."""

    uploads: Sequence[CheckedUpload]

    @property
    def version(self) -> int:
        return self.uploads[0].image.manifest.product_version

    @property
    def identities(self) -> str:
        """Each platform with the identity of its image, for the audit log."""
        return ", ".join(
            f"{platform_name(one.image.manifest.platform_id)} {one.image.identity.hex()}" for one in self.uploads
        )


def check_files(
    product: Product, keys: KeySetContent, files: Sequence[SentFile], version: int | None, by: str, blobs: BlobStore
) -> CheckedFiles:
    """Checks files, and keeps their bytes; nothing of them counts before `add_files`.

    Raises:
        Invalid: which file is wrong, and why; or that `version`, where it is given, is not theirs.
    """
    images = [file for file in files if not file.is_elf]
    if not images:
        raise Invalid("choose at least one image: muster build makes it, muster sign signs it", FIELD)
    elves = [file for file in files if file.is_elf]
    checked = []
    for file in images:
        elf = next((one for one in elves if _is_made_from(file, one)), None)
        upload = Upload(file.raw, None if elf is None else elf.raw, version, "", "", by)
        try:
            checked.append(service.check_upload(product, keys, upload, blobs))
        except Invalid as error:
            raise Invalid(f"{file.name}: {error}", "version" if error.field == "version" else FIELD) from error
    for elf in elves:
        if not any(_is_made_from(file, elf) for file in images):
            raise Invalid(f"{elf.name}: none of these images was made from this ELF file", FIELD)
    held = sorted({one.image.manifest.product_version for one in checked})
    if len(held) > 1:
        raise Invalid(f"these images hold versions {' and '.join(map(str, held))}: upload one at a time", FIELD)
    return CheckedFiles(checked)


def add_files(connection: Connection, product: Product, checked: CheckedFiles, now_ms: int) -> None:
    """Adds them to their release, which is made when they are the first.

    Raises:
        Conflict: as `add_upload`, or two of them are for one platform.
        LimitReached: the organization has no space for them.
    """
    platforms = [one.image.manifest.platform_id for one in checked.uploads]
    for platform in platforms:
        if platforms.count(platform) > 1:
            raise Conflict(f"two of these images are for {platform_name(platform)}: choose one of them", FIELD)
    for one in checked.uploads:
        service.add_upload(connection, product, one, now_ms)
    limits.check_storage(connection, product.organization_id)


def _is_made_from(image: SentFile, elf: SentFile) -> bool:
    try:
        service.check_elf(elf.raw, Image.from_bytes(image.raw))
    except (MusterError, ServerError):
        return False
    return True
