# SPDX-License-Identifier: Apache-2.0
"""Releases, images and patches as the server keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ota_server.moves import Moves
from ota_server.storage.schema import metadata, status_type


class PatchStatus(StrEnum):
    """How far a patch is. Only a READY one is ever offered; a PENDING one is a job for a worker."""

    PENDING = "pending"
    READY = "ready"
    """Made, and verified by decoding it with the device's decoder."""
    FAILED = "failed"
    EVICTED = "evicted"
    """Its bytes made room for others; made again when a device needs it."""


PATCH_MOVES: Moves[PatchStatus] = {
    PatchStatus.PENDING: frozenset({PatchStatus.READY, PatchStatus.FAILED}),
    PatchStatus.READY: frozenset({PatchStatus.EVICTED}),
    PatchStatus.FAILED: frozenset({PatchStatus.PENDING}),
    PatchStatus.EVICTED: frozenset({PatchStatus.PENDING}),
}

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", String(200), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("released_ms", BigInteger, nullable=True),
    Column("killed_ms", BigInteger, nullable=True),
    UniqueConstraint("product_id", "version"),
)

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("release_id", ForeignKey("releases.id"), nullable=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("platform_id", Integer, nullable=False),
    Column("identity", LargeBinary(32), nullable=False, unique=True),
    Column("identity8", LargeBinary(8), nullable=False),
    Column("blob", LargeBinary(32), nullable=False),
    Column("elf_blob", LargeBinary(32), nullable=True),
    Column("elf_size", Integer, nullable=True),
    Column("size", Integer, nullable=False),
    Column("security_counter", BigInteger, nullable=False),
    Column("hardware_lowest", Integer, nullable=False),
    Column("hardware_highest", Integer, nullable=False),
    Column("min_bootloader", Integer, nullable=False),
    Column("signers", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("release_id", "platform_id"),
    Index("ix_images_product_identity8", "product_id", "identity8"),
)

patches = Table(
    "patches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("base_identity", LargeBinary(32), nullable=False),
    Column("target_identity", LargeBinary(32), nullable=False),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("status", status_type(PatchStatus, "patch_status"), nullable=False),
    Column("digest", LargeBinary(32), nullable=True, index=True),
    Column("size", Integer, nullable=True),
    Column("error", Text, nullable=False, default=""),
    Column("created_ms", BigInteger, nullable=False),
    Column("devices", Integer, nullable=False, default=0),
    Column("lease", LargeBinary(16), nullable=True),
    Column("due_ms", BigInteger, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("duration_ms", Integer, nullable=True),
    Column("memory_bytes", BigInteger, nullable=True),
    Column("used_ms", BigInteger, nullable=True),
    UniqueConstraint("base_identity", "target_identity"),
    Index("ix_patches_status", "status", "due_ms"),
)

FULL = b""
"""Base identity of a full image."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a product.

    Attributes:
        released_ms: when it was first released to the default or to a group.
        killed_ms: since when it is offered to nobody.
    """

    id: int
    product_id: int
    version: int
    title: str
    description: str
    created_ms: int
    created_by: str
    released_ms: int | None
    killed_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One platform's image of a release.

    Attributes:
        release_id: None for one that was only ever flashed to devices for development.
        identity: SHA-256 of the manifest; `identity8` its first 8 bytes, as check-ins name it.
        blob, elf_blob: names of image and ELF file among the kept blobs.
        signers: JSON {"release": [key id, ...], "development": [...]}: whose signatures hold.
        killed_ms: since when its release is offered to nobody.
    """

    id: int
    release_id: int | None
    product_id: int
    version: int
    platform_id: int
    identity: bytes
    identity8: bytes
    blob: bytes
    elf_blob: bytes | None
    size: int
    security_counter: int
    hardware_lowest: int
    hardware_highest: int
    min_bootloader: int
    signers: str
    created_ms: int
    killed_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredPatch:
    """A patch, or the wish for one.

    Attributes:
        digest, size, duration_ms, memory_bytes: when it is ready: the file's, and what making it took at most. When
            it is evicted, `digest` is there until the file is gone.
        devices: how many ran the base when it was asked for; the patch of the most is made first.
        tries: how often the process that makes patches ended over it.
        used_ms: when it was offered last, to the day.
    """

    id: int
    base_identity: bytes
    target_identity: bytes
    product_id: int
    status: PatchStatus
    digest: bytes | None
    size: int | None
    error: str
    created_ms: int
    devices: int
    tries: int
    duration_ms: int | None
    memory_bytes: int | None
    used_ms: int | None
