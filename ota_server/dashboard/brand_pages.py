# SPDX-License-Identifier: Apache-2.0
"""Public files of a brand: its colours as a style sheet, its logo. Both are named by what is in them."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ota_server.dashboard import security
from ota_server.errors import NotFound
from ota_server.organizations import branding
from ota_server.services import Services

_HEADERS = {**security.HEADERS, "cache-control": "public, max-age=31536000, immutable"}


def routes(services: Services) -> list[Route]:
    """Nothing here names an organization."""

    async def colors(request: Request) -> Response:
        color, _, background = request.path_params["colors"].partition("-")
        return Response(branding.style_sheet(f"#{color}", f"#{background}"), headers=_HEADERS, media_type="text/css")

    async def preview(request: Request) -> Response:
        color, _, background = request.path_params["colors"].partition("-")
        text = branding.style_sheet(f"#{color}", f"#{background}", ".preview")
        return Response(text, headers=_HEADERS, media_type="text/css")

    async def logo(request: Request) -> Response:
        raw = await asyncio.to_thread(_read, services, request.path_params["digest"])
        return Response(raw, headers=_HEADERS, media_type="image/png")

    return [
        Route("/brand/colors/{colors}.css", colors),
        Route("/brand/previews/{colors}.css", preview),
        Route("/brand/logos/{digest}.png", logo),
    ]


def _read(services: Services, digest: str) -> bytes:
    """Raises NotFound for what is no logo: images of firmware lie in the same place."""
    with services.database.read() as connection:
        is_logo = branding.is_logo(connection, digest)
    raw = services.jobs.kept.get(bytes.fromhex(digest)) if is_logo and digest else None
    if raw is None:
        raise NotFound("there is no such logo")
    return raw
