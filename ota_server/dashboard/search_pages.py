# SPDX-License-Identifier: Apache-2.0
"""One search over all that the visitor may see; a dialog on every page shows its answer, too."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard.frame import Frame
from ota_server.dashboard.search_facts import TEXT_MAX, search
from ota_server.dashboard.security import Visitor


class SearchPages:
    """Devices, customers, releases, rollouts and pages, by how they are called."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/search", self._frame.page(self._search))]

    async def _search(self, request: Request, visitor: Visitor) -> Response:
        text = request.query_params.get("q", "").strip()[:TEXT_MAX]
        slug = request.query_params.get("product", "")
        products = sorted(visitor.products, key=lambda one: one.slug != slug)
        product = products[0] if products and products[0].slug == slug else None
        found = []
        # PostgreSQL's texts have no NUL.
        if text and text.isprintable():
            found = await self._frame.read(lambda connection: search(connection, visitor.actor, products, text))
        return self._frame.render("search.html", visitor, product, {"text": text, "found": found})
