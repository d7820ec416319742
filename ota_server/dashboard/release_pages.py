# SPDX-License-Identifier: Apache-2.0
"""A product's releases, the page of one, its files, and what is done with it."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import release_facts, security
from ota_server.dashboard.forms import Filled, filled
from ota_server.dashboard.frame import Context, Frame, go
from ota_server.dashboard.release_facts import ReleaseLine
from ota_server.dashboard.security import Visitor
from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.figures import standing
from ota_server.figures.standing import Standing
from ota_server.organizations.roles import Permission
from ota_server.products.models import Product
from ota_server.rollouts import killing, releasing
from ota_server.storage.blobs import BlobStore


class ReleasePages:
    """What was published."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        page, base = self._frame.page, "/products/{product}/releases"
        one = f"{base}/{{version:version}}"
        return [
            Route(base, page(self._list)),
            Route(one, page(self._show)),
            Route(one, page(self._change), methods=["POST"]),
            Route(f"{one}/images/{{platform}}.bin", page(self._image)),
            Route(f"{one}/patches/{{patch:row}}.patch", page(self._patch)),
            Route(f"{one}/default", page(self._ask_default)),
            Route(f"{one}/default", page(self._make_default), methods=["POST"]),
            Route(f"{one}/kill", page(self._ask_kill)),
            Route(f"{one}/kill", page(self._kill), methods=["POST"]),
            Route(f"{one}/revive", page(self._revive), methods=["POST"]),
        ]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product, now_ms = await self._product(request, visitor), self._frame.now_ms()
        keys = self._frame.services.chain.newest.content

        def read(connection: Connection) -> Context:
            stood = standing.of_product(connection, product.id, now_ms)
            lines = release_facts.release_lines(connection, product, keys, stood)
            platforms = sorted({one.platform for line in lines for one in line.images})
            sizes = [
                (
                    line.release,
                    [next((i.image.size for i in line.images if i.platform == name), None) for name in platforms],
                )
                for line in reversed(lines)
            ]
            stack = release_facts.stack(connection, product, now_ms)
            return {"lines": lines, "platforms": platforms, "sizes": sizes, "stack": stack, "stood": stood}

        return self._frame.render("releases.html", visitor, product, await self._frame.read(read))

    async def _show(self, request: Request, visitor: Visitor) -> Response:
        return await self._page(request, visitor, await self._product(request, visitor), Filled())

    async def _change(self, request: Request, visitor: Visitor) -> Response:
        sent = await self._frame.form(request, visitor)
        product = await self._product(request, visitor, Permission.CONTROL_FIRMWARE)
        version = request.path_params["version"]
        changes = {name: security.text_of(sent.get(name)) for name in ("title", "description") if name in sent}

        def work(connection: Connection, _now_ms: int) -> None:
            releasing.change(connection, product, version, changes)

        try:
            await self._frame.act(visitor, "release.change", _subject(product, version), work, product)
        except Invalid as error:
            return await self._page(request, visitor, product, filled("notes", sent, error))
        return go(_path(product, version))

    async def _image(self, request: Request, visitor: Visitor) -> Response:
        product, version = await self._product(request, visitor), request.path_params["version"]
        line, _ = await self._frame.read(lambda connection: self._line(connection, product, version))
        found = next((one for one in line.images if one.platform == request.path_params["platform"]), None)
        if found is None:
            raise NotFound("there is no such image")
        return await self._file(
            self._frame.services.jobs.kept, found.image.blob, f"{product.slug}-{version}-{found.platform}.bin"
        )

    async def _patch(self, request: Request, visitor: Visitor) -> Response:
        product, version = await self._product(request, visitor), request.path_params["version"]
        number = request.path_params["patch"]

        def read(connection: Connection) -> release_facts.PatchLine:
            line, stood = self._line(connection, product, version)
            for one in release_facts.patch_lines(connection, product, line, stood):
                if one.patch.id == number and release_facts.is_ready(one.patch):
                    return one
            raise NotFound("there is no such patch")

        found = await self._frame.read(read)
        assert found.patch.digest is not None
        base = "full" if found.base is None else f"from-{found.base}"
        return await self._file(
            self._frame.services.jobs.served,
            found.patch.digest,
            f"{product.slug}-{version}-{found.platform}-{base}.patch",
        )

    async def _ask_default(self, request: Request, visitor: Visitor) -> Response:
        product = await self._product(request, visitor, Permission.CONTROL_FIRMWARE)
        return await self._default_page(request, visitor, product, "")

    async def _make_default(self, request: Request, visitor: Visitor) -> Response:
        sent = await self._frame.form(request, visitor)
        product = await self._product(request, visitor, Permission.CONTROL_FIRMWARE)
        version, is_forced = request.path_params["version"], bool(sent.get("force"))

        def work(connection: Connection, now_ms: int) -> None:
            releasing.release(connection, product, version, True, None, is_forced, now_ms)

        try:
            await self._frame.act(visitor, "release.release", _subject(product, version), work, product)
        except Conflict as error:
            return await self._default_page(request, visitor, product, str(error))
        return go(_path(product, version))

    async def _ask_kill(self, request: Request, visitor: Visitor) -> Response:
        product = await self._product(request, visitor, Permission.CONTROL_FIRMWARE)
        version = request.path_params["version"]

        def read(connection: Connection) -> Context:
            line, stood = self._line(connection, product, version)
            locked = stood.count(lambda one: one.locked_version == version)
            return {"line": line, "stood": stood, "locked": locked}

        return self._frame.render("release-kill.html", visitor, product, await self._frame.read(read))

    async def _kill(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product = await self._product(request, visitor, Permission.CONTROL_FIRMWARE)
        version, by = request.path_params["version"], visitor.account.email

        def work(connection: Connection, now_ms: int) -> None:
            killing.kill(connection, product, version, by, now_ms)

        await self._frame.act(visitor, "release.kill", _subject(product, version), work, product)
        return go(_path(product, version))

    async def _revive(self, request: Request, visitor: Visitor) -> Response:
        await self._frame.form(request, visitor)
        product = await self._product(request, visitor, Permission.REVIVE_FIRMWARE)
        version = request.path_params["version"]

        def work(connection: Connection, _now_ms: int) -> None:
            killing.revive(connection, product, version)

        await self._frame.act(visitor, "release.revive", _subject(product, version), work, product)
        return go(_path(product, version))

    async def _product(
        self, request: Request, visitor: Visitor, permission: Permission = Permission.VIEW_FIRMWARE
    ) -> Product:
        return await self._frame.product(request, visitor, permission)

    async def _page(self, request: Request, visitor: Visitor, product: Product, form: Filled) -> Response:
        version = request.path_params["version"]

        def read(connection: Connection) -> Context:
            line, stood = self._line(connection, product, version)
            patches = release_facts.patch_lines(connection, product, line, stood)
            return {"line": line, "stood": stood, "patches": patches, "filled": form}

        return self._frame.render("release.html", visitor, product, await self._frame.read(read), form.status)

    async def _default_page(self, request: Request, visitor: Visitor, product: Product, error: str) -> Response:
        version = request.path_params["version"]

        def read(connection: Connection) -> Context:
            line, stood = self._line(connection, product, version)
            likely = releasing.likely_impact(connection, product, version, stood)
            return {"line": line, "stood": stood, "likely": likely, "error": error}

        context = await self._frame.read(read)
        return self._frame.render("release-default.html", visitor, product, context, 409 if error else 200)

    def _line(self, connection: Connection, product: Product, version: int) -> tuple[ReleaseLine, Standing]:
        """A release, and the product's devices. Raises NotFound."""
        stood = standing.of_product(connection, product.id, self._frame.now_ms())
        keys = self._frame.services.chain.newest.content
        return release_facts.release_line(connection, product, version, keys, stood), stood

    async def _file(self, blobs: BlobStore, blob: bytes, name: str) -> Response:
        raw = await asyncio.to_thread(blobs.get, blob)
        if raw is None:
            raise NotFound("this file is not kept any more")
        headers = {**security.HEADERS, "content-disposition": f'attachment; filename="{name}"'}
        return Response(raw, headers=headers, media_type="application/octet-stream")


def _path(product: Product, version: int) -> str:
    return f"/products/{product.slug}/releases/{version}"


def _subject(product: Product, version: int) -> str:
    return f"{product.id} version {version}"
