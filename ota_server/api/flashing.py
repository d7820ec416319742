# SPDX-License-Identifier: Apache-2.0
"""Flashing one device for development, as Particle's tools do: a form with the image in `file`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from ota_server.api import views
from ota_server.api.context import act
from ota_server.errors import Invalid, TooLarge
from ota_server.organizations.access import Actor
from ota_server.products.models import Product
from ota_server.releases import service
from ota_server.rollouts import flashing
from ota_server.services import Services

FLASH_OR_JSON: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        }
    }
}
"""Describes a route that takes either."""

_FIELDS_MAX = 20
_FILES_MAX = 10


def is_upload(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def flash(request: Request, services: Services, actor: Actor, product: Product, device_id: str) -> views.Json:
    """Checks the image and has the device offered it. Raises as `check_upload` and `flashing.flash`; TooLarge."""
    async with request.form(max_files=_FILES_MAX, max_fields=_FIELDS_MAX) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Invalid("send the image as a file", "file")
        raw = await file.read(service.IMAGE_SIZE_MAX + 1)
    if len(raw) > service.IMAGE_SIZE_MAX:
        raise TooLarge(f"the image has more than {service.IMAGE_SIZE_MAX} bytes", "file")
    return await asyncio.to_thread(_flash, services, actor, product, device_id, raw)


def _flash(services: Services, actor: Actor, product: Product, device_id: str, raw: bytes) -> views.Json:
    upload = service.Upload(image=raw, elf=None, version=None, title="", description="", by=actor.email)
    checked = service.check_upload(product, services.chain.newest.content, upload, services.jobs.kept)
    row = act(
        services,
        actor,
        "device.flash",
        device_id,
        lambda connection, now_ms: flashing.flash(connection, product, device_id, checked, now_ms),
        product,
        checked.image.identity.hex(),
    )
    return {"ok": True, "id": row.device_id, "status": "Update started"}
