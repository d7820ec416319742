# SPDX-License-Identifier: Apache-2.0
"""The management API under /v1: JSON for people's tools and CI, Particle's paths where Particle has them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from ota_server.accounts import store as accounts_store
from ota_server.api import manage_devices, manage_releases, manage_rollouts, views
from ota_server.api.body import BodyLimit
from ota_server.api.context import AccountDep, ServicesDep, act
from ota_server.errors import ServerError, TooMany
from ota_server.products import service as products
from ota_server.products import store as products_store
from ota_server.releases.service import ELF_SIZE_MAX, IMAGE_SIZE_MAX
from ota_server.services import Services
from ota_server.storage.database import Overloaded

UPLOAD_SIZE_MAX = ELF_SIZE_MAX + 2 * IMAGE_SIZE_MAX


class Strict(BaseModel):
    """A request body that holds nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class ProductFields(Strict):
    id: int
    name: str
    slug: str | None = None
    description: str = ""
    auto_approve: bool = False
    check_in_interval_s: int = 300
    quarantine_max: int = 100


class ProductBody(Strict):
    product: ProductFields


router = APIRouter()


@router.get("/products")
def list_products(services: ServicesDep, _account: AccountDep) -> views.Json:
    """All products."""
    with services.database.read() as connection:
        return {"products": [views.product(item) for item in products_store.all_products(connection)]}


@router.post("/products", status_code=201)
def create_product(body: ProductBody, services: ServicesDep, account: AccountDep) -> views.Json:
    """Makes a product; its id is the one in its images."""
    fields = products.NewProduct(**body.product.model_dump())
    made = act(
        services,
        account,
        "product.create",
        str(fields.id),
        lambda connection, now_ms: products.create(connection, fields, now_ms),
    )
    return {"product": views.product(made)}


@router.get("/products/{product}")
def get_product(product: str, services: ServicesDep, _account: AccountDep) -> views.Json:
    """One product, by id or slug."""
    with services.database.read() as connection:
        return {"product": views.product(products.find(connection, product))}


@router.get("/audit")
def list_audit(
    services: ServicesDep, _account: AccountDep, limit: Annotated[int, Query(ge=1, le=1000)] = 200
) -> views.Json:
    """Who did what, newest first."""
    with services.database.read() as connection:
        lines = accounts_store.audit_lines(connection, limit)
    return {
        "audit": [
            {
                "at": views.time(line.at_ms),
                "by": line.email,
                "action": line.action,
                "subject": line.subject,
                "detail": line.detail,
            }
            for line in lines
        ]
    }


def make_app(services: Services) -> FastAPI:
    """The application to be mounted at /v1."""
    app = FastAPI(title="Muster", version="1", openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    app.state.services = services
    for part in (router, manage_devices.router, manage_releases.router, manage_rollouts.router):
        app.include_router(part)
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
