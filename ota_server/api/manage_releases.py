# SPDX-License-Identifier: Apache-2.0
"""Releases in the management API: `firmware` on Particle's paths."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, Version, act, product_for
from ota_server.devices import groups
from ota_server.devices import store as devices
from ota_server.errors import Invalid, NotFound, TooLarge
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import service, store
from ota_server.releases.models import PatchStatus, Release, StoredImage
from ota_server.rollouts import killing, releasing
from ota_server.services import Services
from ota_server.usage import service as limits

router = APIRouter(prefix="/products/{product}")


class ReleaseBody(BaseModel):
    """To whom a version is released; what is left out stays as it is, and a version alone becomes the default.

    Attributes:
        product_default: whether it is the product's default.
        groups: it is released to exactly these groups.
        intelligent: nothing else than is done anyhow: devices that wait for an answer get it at once.
        force: although it has not run on any device yet.
    """

    version: Annotated[int, Field(ge=0, le=0xFFFF)]
    product_default: bool | None = None
    groups: Annotated[list[Annotated[str, Field(max_length=64)]] | None, Field(max_length=100)] = None
    intelligent: bool = False
    force: bool = False


class ReleaseChanges(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    description: str | None = None


@router.get("/firmware")
def list_releases(product: str, services: ServicesDep, actor: ActorDep) -> list[views.Json]:
    """All releases, newest first."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_FIRMWARE)
        images = store.images_of_product(connection, found.id)
        counts = _counts(services, found)
        released = groups.released(connection, found.id)
        return [
            views.release(item, images, found.default_version, counts.get(item.version, 0), released)
            for item in store.releases_of(connection, found.id)
        ]


@router.post("/firmware", status_code=201)
def upload(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    file: Annotated[UploadFile, File()],
    elf: Annotated[UploadFile | None, File()] = None,
    version: Annotated[int | None, Form()] = None,
    title: Annotated[str, Form()] = "",
    description: Annotated[str, Form(max_length=10_000)] = "",
) -> views.Json:
    """Uploads one platform's image of a release, with its ELF file if there is one."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    sent = service.Upload(
        image=_read(file, service.IMAGE_SIZE_MAX, "file"),
        elf=None if elf is None else _read(elf, service.ELF_SIZE_MAX, "elf"),
        version=version,
        title=title,
        description=description,
        by=actor.email,
    )
    checked = service.check_upload(found, services.chain.newest.content, sent, services.jobs.kept)
    manifest = checked.image.manifest

    def write(connection: Connection, now_ms: int) -> tuple[Release, StoredImage]:
        added = service.add_upload(connection, found, checked, now_ms)
        limits.check_storage(connection, found.organization_id)
        return added

    release, _ = act(
        services,
        actor,
        "release.upload",
        f"{found.id} version {manifest.product_version} platform {manifest.platform_id}",
        write,
        found,
        checked.image.identity.hex(),
    )
    return _shown(services, found, release)


@router.put("/firmware/release")
def release(product: str, body: ReleaseBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Releases a version to the product's default or to groups: what devices run that no rollout reaches."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    default = True if body.product_default is None and body.groups is None else body.product_default
    to = [] if default is None else [f"default={default}"]
    to += [] if body.groups is None else [f"groups={', '.join(body.groups) or 'none'}"]
    released = act(
        services,
        actor,
        "release.release",
        f"{found.id} version {body.version}",
        lambda connection, now_ms: releasing.release(
            connection, found, body.version, default, body.groups, body.force, now_ms
        ),
        found,
        "; ".join(to + ["forced"] * body.force),
    )
    shown = _shown(services, product_for(services, actor, product, Permission.CONTROL_FIRMWARE), released)
    return {**shown, "updated_at": views.time(services.clock.now_ms()), "intelligent": body.intelligent}


@router.get("/impact")
def get_impact(
    product: str,
    services: ServicesDep,
    actor: ActorDep,
    firmware_version: Annotated[int, Query(ge=0, le=0xFFFF)],
    group_names: Annotated[str, Query(alias="groups", max_length=1000)] = "",
    product_default: bool = False,
) -> views.Json:
    """How many devices a release would update: an estimate."""
    names = [one for one in group_names.split(",") if one]
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_FIRMWARE)
        counts = releasing.impact(connection, found, firmware_version, product_default, names)
    by_version = [{"version": running, "total": count} for running, count in counts]
    total = sum(count for _, count in counts)
    return {"devices": {"firmware_update": {"total": total, "by_version": by_version}}}


@router.get("/firmware/{version:version}")
def get_release(product: str, version: Version, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One release with its images."""
    found = product_for(services, actor, product, Permission.VIEW_FIRMWARE)
    with services.database.read() as connection:
        release = service.find(connection, found, version)
    return _shown(services, found, release)


@router.put("/firmware/{version:version}")
def change_release(
    product: str, version: Version, body: ReleaseChanges, services: ServicesDep, actor: ActorDep
) -> views.Json:
    """Sets title or description."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    changes = body.model_dump(exclude_none=True)
    changed = act(
        services,
        actor,
        "release.change",
        f"{found.id} version {version}",
        lambda connection, _now_ms: releasing.change(connection, found, version, changes),
        found,
        ", ".join(changes),
    )
    return _shown(services, found, changed)


@router.post("/firmware/{version:version}/kill")
def kill_release(product: str, version: Version, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Has a version offered to nobody any more; its rollouts are aborted, its releases end."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)

    def write(connection: Connection, now_ms: int) -> killing.Killed:
        return killing.kill(connection, found, version, actor.email, now_ms)

    killed = act(services, actor, "release.kill", f"{found.id} version {version}", write, found)
    return {"version": version, "killed": views.killed(killed)}


@router.post("/firmware/{version:version}/revive")
def revive_release(product: str, version: Version, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Lets a killed version be offered again; what killing it has ended stays ended."""
    found = product_for(services, actor, product, Permission.REVIVE_FIRMWARE)
    revived = act(
        services,
        actor,
        "release.revive",
        f"{found.id} version {version}",
        lambda connection, _now_ms: killing.revive(connection, found, version),
        found,
    )
    return _shown(services, found, revived)


@router.delete("/firmware/{version:version}", status_code=204)
def remove_release(product: str, version: Version, services: ServicesDep, actor: ActorDep) -> Response:
    """Removes a version that no device was ever meant to run."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)
    act(
        services,
        actor,
        "release.remove",
        f"{found.id} version {version}",
        lambda connection, _now_ms: releasing.remove(connection, found, version),
        found,
    )
    return Response(status_code=204)


@router.get("/firmware/{version:version}/binary")
def get_binary(
    product: str,
    version: Version,
    services: ServicesDep,
    actor: ActorDep,
    platform_id: Annotated[int | None, Query()] = None,
) -> Response:
    """The image of one platform; which one need be said only where there are several."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_FIRMWARE)
        images = [one for one in store.images_of_product(connection, found.id) if one.version == version]
    if platform_id is not None:
        images = [one for one in images if one.platform_id == platform_id]
    if len(images) > 1:
        raise Invalid(f"say which: {', '.join(str(one.platform_id) for one in images)}", "platform_id")
    raw = services.jobs.kept.get(images[0].blob) if images else None
    if raw is None:
        raise NotFound(f"release {version} has no such image")
    return Response(raw, media_type="application/octet-stream")


@router.get("/patches")
def list_patches(product: str, services: ServicesDep, actor: ActorDep) -> views.Json:
    """All patches of a product, and how far they are."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_FIRMWARE)
        images = {image.identity: image for image in store.images_of_product(connection, found.id)}
        patches = store.patches_of_product(connection, found.id)
    kept = sum(item.size or 0 for item in patches if item.status is PatchStatus.READY)
    return {
        "patches": [views.patch(item, images) for item in patches],
        "storage": {"bytes": kept, "budget_bytes": services.settings.patch_budget},
    }


def _counts(services: Services, product: Product) -> dict[int | None, int]:
    counts: dict[int | None, int] = {}
    with services.database.read() as connection:
        for version, _, number in devices.versions(connection, product.id):
            counts[version] = counts.get(version, 0) + number
    return counts


def _shown(services: Services, product: Product, release: Release) -> views.Json:
    with services.database.read() as connection:
        images = store.images_of_product(connection, product.id)
        released = groups.released(connection, product.id)
    count = _counts(services, product).get(release.version, 0)
    return views.release(release, images, product.default_version, count, released)


def _read(upload: UploadFile, size_max: int, field: str) -> bytes:
    raw = upload.file.read(size_max + 1)
    if len(raw) > size_max:
        raise TooLarge(f"{field} has more than {size_max} bytes", field)
    return raw
