# SPDX-License-Identifier: Apache-2.0
"""How the management API says no: one JSON shape, whatever went wrong."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from ota_server.errors import ServerError, TooMany, Unavailable, refusal
from ota_server.observe.request_id import CURRENT


class Refusal(BaseModel):
    """What is wrong, and what to do; `field` names the value that it is about."""

    ok: bool
    error: str
    error_description: str
    code: str
    field: str | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {"default": {"model": Refusal, "description": "Refused."}}
"""What the description of the API says of every route."""


def add_handlers(app: FastAPI) -> None:
    """Answers what routes raise."""
    app.add_exception_handler(ServerError, _server_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected)


def _server_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServerError)
    return JSONResponse(error.to_json(), error.status, _headers(error))


def oauth_error(error: ServerError) -> JSONResponse:
    """As OAuth has it (RFC 6749 section 5.2), not as the management API."""
    body = {"error": error.code, "error_description": str(error)}
    return JSONResponse(body, error.status, _headers(error))


def _headers(error: ServerError) -> dict[str, str]:
    return {"retry-after": str(error.retry_after_s)} if isinstance(error, TooMany | Unavailable) else {}


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # The first part of the location only says where the value was: body, query or path.
    field = ".".join(str(part) for part in first["loc"][1:])
    text = f"{field}: {first['msg']}" if field else str(first["msg"])
    return JSONResponse(refusal("invalid_request", text, field), 400)


def http_error(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses: no such path, a method that it does not have, a body that is too large."""
    assert isinstance(error, HTTPException)
    names = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    code = names.get(error.status_code, "invalid_request")
    sentence = "the body is too large" if error.status_code == 413 else str(error.detail)
    headers = {"allow": _allowed(request)} if error.status_code == 405 else error.headers
    return JSONResponse(refusal(code, sentence), error.status_code, headers)


def unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """What is our own fault. The log says more, under the request's id."""
    return JSONResponse(refusal("server_error", unexpected_sentence()), 500)


def unexpected_sentence() -> str:
    return f"something went wrong in the server: whoever runs it finds it in the log, as request {CURRENT.get()}"


def _allowed(request: Request) -> str:
    """Every method of a path: the router tells those of the first route that has it."""
    routes = [one for one in request.app.routes if isinstance(one, Route)]
    methods = [one.methods or set() for one in routes if one.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted(set().union(*methods)))
