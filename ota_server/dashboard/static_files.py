# SPDX-License-Identifier: Apache-2.0
"""Styles and scripts: compressed, and kept by browsers for as long as their address, which says what is in them."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from starlette.datastructures import QueryParams
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_PLACE = Path(__file__).parent / "static"


@cache
def static_path(name: str) -> str:
    """The address of a file as it is now."""
    return f"/static/{name}?v={_digest(name)}"


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((_PLACE / name).read_bytes()).hexdigest()[:12]


class _Files(StaticFiles):
    def file_response(
        self, full_path: os.PathLike[str] | str, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        name = os.path.relpath(full_path, _PLACE)
        is_current = QueryParams(scope["query_string"]).get("v") == _digest(name)
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
        return response


def route() -> Mount:
    """Pages are not compressed (docs/decisions/0016-compression.md): these hold no secret."""
    return Mount("/static", GZipMiddleware(_Files(directory=_PLACE)))
