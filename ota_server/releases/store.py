# SPDX-License-Identifier: Apache-2.0
"""SQL for releases, images and patches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from ota_server.moves import check_move
from ota_server.numbers import VERSION_MAX, digits
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
from ota_server.storage.sql import has_part, insert_once, is_due

DAY_MS = 24 * 3600 * 1000
LEASE_MS = 40_000
"""When a worker's job is another's, unless the worker says meanwhile that it goes on."""

_KILLED = select(releases.c.killed_ms).where(releases.c.id == images.c.release_id).scalar_subquery()
_IMAGE = [_KILLED if field.name == "killed_ms" else images.c[field.name] for field in fields(StoredImage)]
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


def named(connection: Connection, product_id: int, text: str, limit: int) -> list[Release]:
    """Those of this version, or with this in their title; newest version first."""
    is_named = has_part(connection, releases.c.title, text)
    version = digits(text, VERSION_MAX)
    if version is not None:
        is_named |= releases.c.version == version
    query = select(*_RELEASE).where(releases.c.product_id == product_id, is_named)
    rows = connection.execute(query.order_by(releases.c.version.desc()).limit(limit))
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


def want_patch(
    connection: Connection,
    product_id: int,
    base: bytes,
    target: bytes,
    now_ms: int,
    devices: int = 0,
    is_retry: bool = False,
) -> None:
    """Asks for a patch, which so many devices need; asking twice changes nothing.

    Args:
        is_retry: asks again for one that could not be made.
    """
    values = {
        "base_identity": base,
        "target_identity": target,
        "product_id": product_id,
        "status": PatchStatus.PENDING,
        "error": "",
        "created_ms": now_ms,
        "devices": devices,
        "due_ms": 0,
        "tries": 0,
    }
    if insert_once(connection, patches, values):
        return
    is_this = (patches.c.base_identity == base, patches.c.target_identity == target)
    # One whose file is not gone yet is asked for again when it is.
    gone = and_(patches.c.status == PatchStatus.EVICTED, patches.c.digest.is_(None))
    lost = or_(gone, patches.c.status == PatchStatus.FAILED) if is_retry else gone
    again = {"status": PatchStatus.PENDING, "error": "", "due_ms": 0, "tries": 0}
    connection.execute(update(patches).where(*is_this, lost).values(**again))
    if devices:
        connection.execute(update(patches).where(*is_this, patches.c.devices != devices).values(devices=devices))


def due_patch(connection: Connection, now_ms: int) -> StoredPatch | None:
    """The wish of most devices that no worker has taken, the oldest of several."""
    due = is_due(patches.c.due_ms, now_ms, LEASE_MS)
    row = connection.execute(
        select(*_PATCH)
        .where(patches.c.status == PatchStatus.PENDING, due)
        .order_by(patches.c.devices.desc(), patches.c.id)
        .limit(1)
    ).first()
    return None if row is None else StoredPatch(*row)


def take_patch(connection: Connection, lease: bytes, now_ms: int) -> StoredPatch | None:
    """Takes the wish of `due_patch` for one worker, until its lease is over."""
    patch = due_patch(connection, now_ms)
    if patch is not None:
        values = {"lease": lease, "due_ms": now_ms + LEASE_MS}
        connection.execute(update(patches).where(patches.c.id == patch.id).values(**values))
    return patch


def renew_patch(connection: Connection, patch_id: int, lease: bytes, now_ms: int) -> None:
    """Keeps a job, if it is still this worker's."""
    connection.execute(update(patches).where(*_is_held(patch_id, lease)).values(due_ms=now_ms + LEASE_MS))


def put_off_patch(connection: Connection, patch_id: int, lease: bytes, due_ms: int, is_try: bool) -> None:
    """Gives a job back. `is_try`: whether it counts as one, since the job may be at fault."""
    connection.execute(
        update(patches)
        .where(*_is_held(patch_id, lease))
        .values(due_ms=due_ms, tries=patches.c.tries + (1 if is_try else 0))
    )


def finish_patch(
    connection: Connection, patch: StoredPatch, lease: bytes, status: PatchStatus, values: Mapping[str, object]
) -> bool:
    """Ends a job, if it is still this worker's; False changes nothing."""
    check_move(PATCH_MOVES, "the patch", PatchStatus.PENDING, status)
    result = connection.execute(
        update(patches).where(*_is_held(patch.id, lease)).values(status=status, lease=None, **values)
    )
    return result.rowcount == 1


def used_patch(connection: Connection, patch: StoredPatch, now_ms: int) -> None:
    """Notes that it is offered; once a day, so that offers do not wait for each other."""
    if patch.used_ms is None or not 0 <= now_ms - patch.used_ms < DAY_MS:
        connection.execute(update(patches).where(patches.c.id == patch.id).values(used_ms=now_ms))


def kept_patches(connection: Connection) -> list[StoredPatch]:
    """Those whose bytes are kept, the ones that were not offered for longest first."""
    used = func.coalesce(patches.c.used_ms, patches.c.created_ms)
    query = select(*_PATCH).where(patches.c.status == PatchStatus.READY).order_by(used, patches.c.devices, patches.c.id)
    return [StoredPatch(*row) for row in connection.execute(query)]


def evict_patch(connection: Connection, patch_id: int) -> None:
    """From now on it is not offered; its file is to be removed."""
    check_move(PATCH_MOVES, "the patch", PatchStatus.READY, PatchStatus.EVICTED)
    where = (patches.c.id == patch_id, patches.c.status == PatchStatus.READY)
    connection.execute(update(patches).where(*where).values(status=PatchStatus.EVICTED))


def evicted_files(connection: Connection, limit: int) -> list[bytes]:
    """Files of evicted patches that have not been removed, at most so many."""
    evicted = (patches.c.status == PatchStatus.EVICTED, patches.c.digest.is_not(None))
    query = select(patches.c.digest).where(*evicted).distinct().order_by(patches.c.digest).limit(limit)
    return list(connection.execute(query).scalars())


def is_file_offered(connection: Connection, digest: bytes) -> bool:
    """Whether it is the file of a patch that is ready."""
    query = select(patches.c.id).where(patches.c.digest == digest, patches.c.status == PatchStatus.READY).limit(1)
    return connection.execute(query).first() is not None


def forget_files(connection: Connection, digests: Collection[bytes]) -> None:
    """The files of evicted patches are gone, or are another patch's."""
    where = (patches.c.status == PatchStatus.EVICTED, patches.c.digest.in_(digests))
    connection.execute(update(patches).where(*where).values(digest=None))


def _is_held(patch_id: int, lease: bytes) -> tuple[ColumnElement[bool], ...]:
    return patches.c.id == patch_id, patches.c.lease == lease, patches.c.status == PatchStatus.PENDING


def patches_to(connection: Connection, targets: Collection[bytes]) -> list[StoredPatch]:
    """From whatever base, and full images."""
    rows = connection.execute(select(*_PATCH).where(patches.c.target_identity.in_(targets)).order_by(patches.c.id))
    return [StoredPatch(*row) for row in rows]


def patches_of_product(connection: Connection, product_id: int) -> list[StoredPatch]:
    rows = connection.execute(select(*_PATCH).where(patches.c.product_id == product_id).order_by(patches.c.id))
    return [StoredPatch(*row) for row in rows]
