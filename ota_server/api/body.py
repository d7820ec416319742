# SPDX-License-Identifier: Apache-2.0
"""Reading request bodies without believing their length or their pace."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ota_server.errors import Invalid

M = TypeVar("M", bound=BaseModel)

_FIELDS_MAX = 20
_FORM = "application/x-www-form-urlencoded"
FORM_SIZE_MAX = 1024 * 1024
FORM_FIELDS_MAX = 2000
_FORM_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\]){0,4})")


async def read_body(scope: Scope, receive: Receive, size_max: int, timeout_s: float, content_type: bytes) -> bytes:
    """The body.

    Raises:
        HTTPException: 415 another content type, 413 too large, 408 too slow, 400 cut off.
    """
    headers = dict(scope["headers"])
    given: bytes = headers.get(b"content-type", b"")
    if given != content_type and given.split(b";")[0].strip().lower() != content_type:
        raise HTTPException(415)
    if _claimed_size(headers.get(b"content-length", b"").decode("latin-1")) > size_max:
        raise HTTPException(413)
    body: bytes = b""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400)
                body += message.get("body", b"")
                if len(body) > size_max:
                    raise HTTPException(413)
                if not message.get("more_body", False):
                    return body
    except TimeoutError as error:
        raise HTTPException(408) from error


async def read_fields(request: Request, model: type[M]) -> M:
    """The body as JSON, or as a form with parts, which a route that takes uploads may get. Raises Invalid."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            async with request.form(max_files=0, max_fields=_FIELDS_MAX) as form:
                return model.model_validate(dict(form))
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"{field}: {first['msg']}" if field else str(first["msg"]), field or None) from error


TOO_SLOW = "the body comes too slowly"
BODY_PAUSE_S = 20.0
"""How long a body may stand still."""
BODY_RATE_MIN = 1024
"""Bytes a second that a body must come with, besides one BODY_PAUSE_S."""


class BodyLimit:
    """ASGI middleware: a body above `size_max` bytes is refused with 413, announced or not; a slow one with 408.

    `larger`: paths that may have more, and how much.
    """

    def __init__(self, app: ASGIApp, size_max: int, larger: Mapping[re.Pattern[str], int] | None = None) -> None:
        self._app = app
        self._size_max = size_max
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        claimed = _claimed_size(headers.get(b"content-length", b"").decode("latin-1"))
        allowed = (most for path, most in self._larger.items() if path.fullmatch(scope["path"]))
        size_max = next(allowed, self._size_max)
        received, is_whole, began = 0, False, time.monotonic()

        async def closing(message: Message) -> None:
            # The rest of a body that is refused is not read: the connection cannot be used again.
            if message["type"] == "http.response.start" and message["status"] in (408, 413):
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        async def limited() -> Message:
            nonlocal received, is_whole
            if claimed > size_max:
                raise HTTPException(413)
            if is_whole:
                # What still comes is the end of the connection, which may be far.
                return await receive()
            try:
                async with asyncio.timeout(BODY_PAUSE_S):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, TOO_SLOW) from error
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                is_whole = not message.get("more_body", False)
                if received > size_max:
                    raise HTTPException(413)
                if not is_whole and time.monotonic() - began > BODY_PAUSE_S + received / BODY_RATE_MIN:
                    raise HTTPException(408, TOO_SLOW)
            return message

        await self._app(scope, limited, closing)


class FormsAsJson:
    """ASGI middleware: a urlencoded body becomes JSON before a route reads it. Particle's API takes either everywhere.

    `a[b]=c` is an object, `a[]=c` or `a[0]=c` an item of an array. All values are texts: the routes' models turn them
    into numbers and truth values.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1") if scope["type"] == "http" else ""
        if kind.split(";")[0].strip().lower() != _FORM:
            await self._app(scope, receive, send)
            return
        is_read = False

        async def converted() -> Message:
            nonlocal is_read
            message = await receive()
            if is_read:
                return message
            body = bytearray()
            while message["type"] == "http.request":
                body += message.get("body", b"")
                if len(body) > FORM_SIZE_MAX:
                    raise HTTPException(413)
                if not message.get("more_body", False):
                    break
                message = await receive()
            else:
                return message
            is_read = True
            return {"type": "http.request", "body": _json_of_form(bytes(body)), "more_body": False}

        headers = [
            (name, value) for name, value in scope["headers"] if name not in (b"content-type", b"content-length")
        ]
        await self._app({**scope, "headers": [*headers, (b"content-type", b"application/json")]}, converted, send)


def _json_of_form(body: bytes) -> bytes:
    """Raises HTTPException."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_MAX)
        return json.dumps(form_object(pairs)).encode() if body else b""
    except ValueError as error:
        raise HTTPException(400, "the body is no form, or has too many fields") from error


def form_object(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a form as one object. Raises ValueError where a field is both a text and an object."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        match = _FORM_KEY.fullmatch(key)
        steps = [key] if match is None else [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        _put(found, steps, value)
    return {name: _arrays(item) for name, item in found.items()}


def _put(at: dict[str, Any], steps: list[str], value: str) -> None:
    name, *rest = steps
    for step in rest:
        at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise ValueError("a field is both a text and an object")
        name = step or str(len(at))
    at[name] = value


def _arrays(item: Any) -> Any:
    """An object whose names are 0, 1, 2 ... is an array."""
    if not isinstance(item, dict):
        return item
    items = {name: _arrays(one) for name, one in item.items()}
    return list(items.values()) if list(items) == [str(number) for number in range(len(items))] else items


def _claimed_size(header: str | None) -> int:
    """The announced length; 0 when none, or nonsense, is announced: then only the count decides."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 19 else 0
