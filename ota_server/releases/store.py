# SPDX-License-Identifier: Apache-2.0
"""SQL for releases, images and patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from sqlalchemy import Connection, delete, insert, or_, select, update

from ota_server.moves import check_move
from ota_server.releases.models import (
    PATCH_MOVES,
    PatchStatus,
    Release,
    StoredImage,
    StoredPatch,
    images,
    patches,
    releases,
)
from ota_server.storage.sql import insert_once

_IMAGE = [images.c[field.name] for field in fields(StoredImage)]
_PATCH = [patches.c[field.name] for field in fields(StoredPatch)]
_RELEASE = [releases.c[field.name] for field in fields(Release)]


def release_of(connection: Connection, product_id: int, version: int) -> Release | None:
    row = connection.execute(
        select(*_RELEASE).where(releases.c.product_id == product_id, releases.c.version == version)
    ).first()
    return None if row is None else Release(*row)


def releases_of(connection: Connection, product_id: int) -> list[Release]:
    """Newest version first."""
    rows = connection.execute(
        select(*_RELEASE).where(releases.c.product_id == product_id).order_by(releases.c.version.desc())
    )
    return [Release(*row) for row in rows]


def add_release(connection: Connection, values: Mapping[str, object]) -> int:
    key = connection.execute(insert(releases).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def change_release(connection: Connection, release_id: int, values: Mapping[str, object]) -> None:
    connection.execute(update(releases).where(releases.c.id == release_id).values(**values))


def remove_release(connection: Connection, release_id: int) -> None:
    """With its images and the patches from and to them."""
    identities = select(images.c.identity).where(images.c.release_id == release_id)
    either = or_(patches.c.base_identity.in_(identities), patches.c.target_identity.in_(identities))
    connection.execute(delete(patches).where(either))
    connection.execute(delete(images).where(images.c.release_id == release_id))
    connection.execute(delete(releases).where(releases.c.id == release_id))


def add_image(connection: Connection, values: Mapping[str, object]) -> int:
    key = connection.execute(insert(images).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def change_image(connection: Connection, image_id: int, values: Mapping[str, object]) -> None:
    """Another signature, an ELF file or a release for an image that is there."""
    connection.execute(update(images).where(images.c.id == image_id).values(**values))


def images_of_product(connection: Connection, product_id: int) -> list[StoredImage]:
    """Those of releases, newest version first, then by platform."""
    rows = connection.execute(
        select(*_IMAGE)
        .where(images.c.product_id == product_id, images.c.release_id.is_not(None))
        .order_by(images.c.version.desc(), images.c.platform_id)
    )
    return [StoredImage(*row) for row in rows]


def image_by_identity(connection: Connection, identity: bytes) -> StoredImage | None:
    row = connection.execute(select(*_IMAGE).where(images.c.identity == identity)).first()
    return None if row is None else StoredImage(*row)


def image_by_row(connection: Connection, image_id: int) -> StoredImage | None:
    row = connection.execute(select(*_IMAGE).where(images.c.id == image_id)).first()
    return None if row is None else StoredImage(*row)


def running_image(connection: Connection, product_id: int, platform_id: int, identity8: bytes) -> StoredImage | None:
    """The image that a device says it runs, if it is one of the product's and the only one that matches."""
    rows = connection.execute(
        select(*_IMAGE).where(
            images.c.product_id == product_id, images.c.platform_id == platform_id, images.c.identity8 == identity8
        )
    ).all()
    return StoredImage(*rows[0]) if len(rows) == 1 else None


def patch_between(connection: Connection, base: bytes, target: bytes) -> StoredPatch | None:
    row = connection.execute(
        select(*_PATCH).where(patches.c.base_identity == base, patches.c.target_identity == target)
    ).first()
    return None if row is None else StoredPatch(*row)


def patch_by_row(connection: Connection, patch_id: int) -> StoredPatch | None:
    row = connection.execute(select(*_PATCH).where(patches.c.id == patch_id)).first()
    return None if row is None else StoredPatch(*row)


def want_patch(connection: Connection, product_id: int, base: bytes, target: bytes, now_ms: int) -> None:
    """Asks for a patch; asking twice changes nothing."""
    values = {
        "base_identity": base,
        "target_identity": target,
        "product_id": product_id,
        "status": PatchStatus.PENDING,
        "error": "",
        "created_ms": now_ms,
    }
    insert_once(connection, patches, values)


def pending_patch(connection: Connection) -> StoredPatch | None:
    """The oldest wish."""
    row = connection.execute(
        select(*_PATCH).where(patches.c.status == PatchStatus.PENDING).order_by(patches.c.id).limit(1)
    ).first()
    return None if row is None else StoredPatch(*row)


def patches_of_product(connection: Connection, product_id: int) -> list[StoredPatch]:
    rows = connection.execute(select(*_PATCH).where(patches.c.product_id == product_id).order_by(patches.c.id))
    return [StoredPatch(*row) for row in rows]


def move_patch(connection: Connection, patch: StoredPatch, status: PatchStatus, values: Mapping[str, object]) -> None:
    """The one place that changes a patch's status. Raises Conflict for a move that is not allowed."""
    check_move(PATCH_MOVES, "the patch", patch.status, status)
    connection.execute(update(patches).where(patches.c.id == patch.id).values(status=status, **values))
