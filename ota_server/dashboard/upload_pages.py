# SPDX-License-Identifier: Apache-2.0
"""A release is uploaded: its images, the ELF files that they were made from, its notes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.layout import PLATFORM_IDS
from ota_server.dashboard import security
from ota_server.dashboard.forms import Filled, filled, number
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.security import Visitor
from ota_server.errors import NotFound, ServerError, TooLarge
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.releases import uploads
from ota_server.releases.service import ELF_SIZE_MAX, IMAGE_SIZE_MAX
from ota_server.releases.uploads import CheckedFiles, SentFile
from ota_server.rollouts import releasing

FILES_MAX = 2 * len(PLATFORM_IDS)
"""An image and an ELF file for each platform."""
FILES_SIZE_MAX = len(PLATFORM_IDS) * (ELF_SIZE_MAX + IMAGE_SIZE_MAX)
VERSION_MAX = 0xFFFF


class UploadPages:
    """How firmware comes to the server in a browser."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, path = self._frame.page, "/products/{product}/releases/upload"
        return [Route(path, page(self._show)), Route(path, page(self._upload), methods=["POST"])]

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        wanted = request.query_params.get("version", "")
        return self._page(visitor, product, Filled("upload", {"version": wanted}))

    async def _upload(self, request: Request, visitor: Visitor) -> Response:
        # Before the files, which are large, are read.
        product = await self._frame.product(request, visitor, Permission.CONTROL_FIRMWARE)
        form = await self._frame.form(request, visitor, files=FILES_MAX)
        try:
            version = await self._take(visitor, product, form)
        except NotFound:
            raise
        except ServerError as error:
            return self._page(visitor, product, filled("upload", form, error))
        finally:
            await form.close()
        return go(f"/products/{product.slug}/releases/{version}")

    async def _take(self, visitor: Visitor, product: Product, form: FormData) -> int:
        """Keeps all that came, or nothing of it. Raises ServerError."""
        notes = {name: security.text_of(form.get(name)).strip() for name in ("title", "description")}
        checked = await self._frame.beside(lambda: self._check(visitor, product, form))

        def write(connection: Connection, now_ms: int) -> None:
            uploads.add_files(connection, product, checked, now_ms)
            changes = {name: text for name, text in notes.items() if text}
            releasing.change(connection, product, checked.version, changes)

        subject = f"{product.id} version {checked.version}"
        await self._frame.act(visitor, "release.upload", subject, write, product, checked.identities)
        return checked.version

    def _check(self, visitor: Visitor, product: Product, form: FormData) -> CheckedFiles:
        """Raises Invalid, TooLarge."""
        version = number(form, "version", VERSION_MAX) if form.get("version") else None
        keys, blobs = self._frame.services.chain.newest.content, self._frame.services.jobs.kept
        return uploads.check_files(product, keys, _files(form), version, visitor.account.email, blobs)

    def _page(self, visitor: Visitor, product: Product, form: Filled) -> Response:
        context: Context = {"filled": form, "platforms": list(PLATFORM_IDS)}
        return self._frame.render("release-upload.html", visitor, product, context, form.status)


def _files(form: FormData) -> Sequence[SentFile]:
    """Of all fields for files; what was left empty is none. Raises TooLarge."""
    found = []
    for sent in form.getlist(uploads.FIELD):
        if isinstance(sent, UploadFile) and sent.filename:
            one = SentFile(sent.filename, sent.file.read(ELF_SIZE_MAX + 1))
            size_max = ELF_SIZE_MAX if one.is_elf else IMAGE_SIZE_MAX
            if len(one.raw) > size_max:
                kind = "an ELF file" if one.is_elf else "an image"
                raise TooLarge(f"{one.name}: {kind} has at most {size_max:,} bytes", uploads.FIELD)
            found.append(one)
    return found
