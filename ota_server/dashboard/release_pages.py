# SPDX-License-Identifier: Apache-2.0
"""A product's releases."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Frame
from ota_server.dashboard.security import Visitor
from ota_server.releases import store as releases


class ReleasePages:
    """What was published."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/products/{product}/releases", self._frame.page(self._list))]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        product = await self._frame.product(request, visitor)
        listed = await self._frame.read(lambda connection: releases.releases_of(connection, product.id))
        images = await self._frame.read(lambda connection: releases.images_of_product(connection, product.id))
        return self._frame.render("releases.html", visitor, product, {"releases": listed, "images": images})
