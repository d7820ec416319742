# SPDX-License-Identifier: Apache-2.0
"""The management API under /v1: JSON for people's tools and CI, Particle's paths where Particle has them."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ota_server.api import (
    manage_accounts,
    manage_audit,
    manage_clients,
    manage_devices,
    manage_groups,
    manage_organizations,
    manage_products,
    manage_releases,
    manage_rollouts,
    own_devices,
)
from ota_server.api.body import BodyLimit
from ota_server.errors import ServerError, TooMany
from ota_server.releases.service import ELF_SIZE_MAX, IMAGE_SIZE_MAX
from ota_server.services import Services
from ota_server.storage.database import Overloaded

UPLOAD_SIZE_MAX = ELF_SIZE_MAX + 2 * IMAGE_SIZE_MAX


PARTS = (
    manage_accounts,
    manage_organizations,
    manage_audit,
    manage_products,
    manage_groups,
    manage_devices,
    manage_releases,
    manage_rollouts,
    manage_clients,
    own_devices,
)
ROUTERS = tuple(part.router for part in PARTS)


def make_app(services: Services) -> FastAPI:
    """The application to be mounted at /v1."""
    app = FastAPI(title="Muster", version="1", openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(BodyLimit, size_max=UPLOAD_SIZE_MAX)
    app.add_exception_handler(ServerError, _server_error)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    return app


def _server_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServerError)
    headers = {"retry-after": str(error.retry_after_s)} if isinstance(error, TooMany) else None
    return JSONResponse(error.to_json(), error.status, headers)


def _overloaded(_request: Request, _error: Exception) -> JSONResponse:
    body = {"ok": False, "error": "overloaded", "error_description": "too much to do: come back later"}
    return JSONResponse(body, 503, {"retry-after": "30"})


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The first part of the location only says where the value was: body, query or path.
    field = ".".join(str(part) for part in first["loc"][1:])
    text = f"{field}: {first['msg']}" if field else str(first["msg"])
    return JSONResponse({"ok": False, "error": "invalid_request", "error_description": text, "field": field}, 400)


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    names = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    body = {
        "ok": False,
        "error": names.get(error.status_code, "invalid_request"),
        "error_description": "the body is too large" if error.status_code == 413 else str(error.detail),
    }
    return JSONResponse(body, error.status_code, error.headers)
