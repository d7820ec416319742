# SPDX-License-Identifier: Apache-2.0
"""Reading request bodies without believing their length or their pace."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ota_server.errors import Invalid

M = TypeVar("M", bound=BaseModel)

_FIELDS_MAX = 20


async def read_body(request: Request, size_max: int, timeout_s: float, content_type: str) -> bytes:
    """The body.

    Raises:
        HTTPException: 415 another content type, 413 too large, 408 too slow, 400 cut off.
    """
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given != content_type:
        raise HTTPException(415)
    if _claimed_size(request.headers.get("content-length")) > size_max:
        raise HTTPException(413)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in request.stream():
                body += piece
                if len(body) > size_max:
                    raise HTTPException(413)
    except TimeoutError as error:
        raise HTTPException(408) from error
    except ClientDisconnect as error:
        raise HTTPException(400) from error
    return bytes(body)


async def read_fields(request: Request, model: type[M]) -> M:
    """The body as JSON, or as a form: Particle's command line sends forms where its SDK sends JSON. Raises Invalid."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            async with request.form(max_files=0, max_fields=_FIELDS_MAX) as form:
                return model.model_validate(dict(form))
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{field}: {first['msg']}" if field else str(first["msg"]), field or None) from error


class BodyLimit:
    """ASGI middleware: a body above `size_max` bytes is refused with 413, announced or not."""

    def __init__(self, app: ASGIApp, size_max: int) -> None:
        self._app = app
        self._size_max = size_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        claimed = _claimed_size(headers.get(b"content-length", b"").decode("latin-1"))
        received = 0

        async def limited() -> Message:
            nonlocal received
            if claimed > self._size_max:
                raise HTTPException(413)
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self._size_max:
                    raise HTTPException(413)
            return message

        await self._app(scope, limited, send)


def _claimed_size(header: str | None) -> int:
    """The announced length; 0 when none, or nonsense, is announced: then only the count decides."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 19 else 0
