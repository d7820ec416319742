# SPDX-License-Identifier: Apache-2.0
"""Releases in the management API: `firmware` on Particle's paths."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from ota_server.api import views
from ota_server.api.context import ActorDep, ServicesDep, Version, act, product_for
from ota_server.devices import store as devices
from ota_server.errors import Invalid, NotFound, TooLarge
from ota_server.organizations.roles import Permission
from ota_server.products import store as products_store
from ota_server.products.models import Product
from ota_server.releases import service, store
from ota_server.releases.models import Release
from ota_server.services import Services

router = APIRouter(prefix="/products/{product}")


class DefaultBody(BaseModel):
    """Which version is the product's default. Particle's other fields are ignored."""

    version: int
    product_default: bool = True


@router.get("/firmware")
def list_releases(product: str, services: ServicesDep, actor: ActorDep) -> list[views.Json]:
    """All releases, newest first."""
    with services.database.read() as connection:
        found = actor.product(connection, product, Permission.VIEW_FIRMWARE)
        images = store.images_of_product(connection, found.id)
        counts = _counts(services, found)
        return [
            views.release(item, images, found.default_version, counts.get(item.version, 0))
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
    checked = service.check_upload(found, services.chain.newest.content, sent, services.kept)
    manifest = checked.image.manifest
    release, _ = act(
        services,
        actor,
        "release.upload",
        f"{found.id} version {manifest.product_version} platform {manifest.platform_id}",
        lambda connection, now_ms: service.add_upload(connection, found, checked, now_ms),
        found,
        checked.image.identity.hex(),
    )
    return _shown(services, found, release)


@router.put("/firmware/release")
def set_default(product: str, body: DefaultBody, services: ServicesDep, actor: ActorDep) -> views.Json:
    """Makes a version what devices run that no rollout reaches; or, with product_default false, none."""
    found = product_for(services, actor, product, Permission.CONTROL_FIRMWARE)

    def write(connection: Connection, _now_ms: int) -> Release:
        release = service.find(connection, found, body.version)
        wanted = body.version if body.product_default else None
        products_store.set_default_version(connection, found.id, wanted)
        return release

    release = act(services, actor, "release.default", f"{found.id} version {body.version}", write, found)
    return _shown(services, product_for(services, actor, product, Permission.CONTROL_FIRMWARE), release)


@router.get("/firmware/{version:int}")
def get_release(product: str, version: Version, services: ServicesDep, actor: ActorDep) -> views.Json:
    """One release with its images."""
    found = product_for(services, actor, product, Permission.VIEW_FIRMWARE)
    with services.database.read() as connection:
        release = service.find(connection, found, version)
    return _shown(services, found, release)


@router.get("/firmware/{version:int}/binary")
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
    raw = services.kept.get(images[0].blob) if images else None
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
    return {"patches": [views.patch(item, images) for item in patches]}


def _counts(services: Services, product: Product) -> dict[int | None, int]:
    counts: dict[int | None, int] = {}
    with services.database.read() as connection:
        for version, _, number in devices.versions(connection, product.id):
            counts[version] = counts.get(version, 0) + number
    return counts


def _shown(services: Services, product: Product, release: Release) -> views.Json:
    with services.database.read() as connection:
        images = store.images_of_product(connection, product.id)
    count = _counts(services, product).get(release.version, 0)
    return views.release(release, images, product.default_version, count)


def _read(upload: UploadFile, size_max: int, field: str) -> bytes:
    raw = upload.file.read(size_max + 1)
    if len(raw) > size_max:
        raise TooLarge(f"{field} has more than {size_max} bytes", field)
    return raw
