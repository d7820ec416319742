# SPDX-License-Identifier: Apache-2.0
"""What is around every request: its id, its measures, and its line in the log."""

from __future__ import annotations

import logging
import time

from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ota_server.api import errors
from ota_server.observe.logs import ACCESS
from ota_server.observe.measures import METHODS, OTHER, REASONS, DeviceMeasures, RequestMeasures
from ota_server.observe.request_id import CURRENT, RequestIds

HEADER = b"x-request-id"
GONE = 499
"""Counted where the client left before its answer began, as nginx does."""
NO_ROUTE = "none"
DEVICE_PREFIX = "/device/v1/"
STATIC = "/static"

_logger = logging.getLogger(ACCESS)


class Requests:
    """ASGI middleware around everything.

    Log and measures name the template of a route: paths may hold what only their caller may know.
    """

    def __init__(self, app: ASGIApp, measures: RequestMeasures, devices: DeviceMeasures) -> None:
        self._app = app
        self._measures = measures
        self._devices = devices
        self._ids = RequestIds()
        self._templates: dict[tuple[str, int], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        given = None
        for name, value in scope["headers"]:
            if name == HEADER:
                given = value
        request_id = self._ids.next(given)
        # Not set back: uvicorn runs each request in a context of its own, and logs what it failed at after this.
        CURRENT.set(request_id)
        header = (HEADER, request_id.encode())
        status, seconds = GONE, 0.0

        async def answer(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - began
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        self._measures.open += 1
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if status == GONE:
                await errors.unexpected(Request(scope), error)(scope, receive, answer)
            raise
        finally:
            self._measures.open -= 1
            self._count(scope, status, seconds or time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._template(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._measures.count(method, route, status, seconds)
        if status >= 400 and route.startswith(DEVICE_PREFIX) and status in REASONS:
            self._devices.refused.labels(REASONS[status]).inc()
        level = logging.DEBUG if route.startswith(DEVICE_PREFIX) else logging.INFO
        if _logger.isEnabledFor(level):
            facts = {"method": method, "route": route, "status": status, "duration_ms": round(seconds * 1000, 1)}
            client = scope["client"][0] if scope.get("client") else ""
            _logger.log(level, "%s %s %d", method, route, status, extra={**facts, "client": client})

    def _template(self, scope: Scope) -> str:
        """Of the route that answered; NO_ROUTE where none did. Where there is no router, `template` is in the scope."""
        if "template" in scope:
            return str(scope["template"])
        prefix, route = scope.get("root_path", ""), scope.get("route")
        # Routes have no hash, and live as long as the application.
        key = (prefix, id(route))
        found = self._templates.get(key)
        if found is None:
            if isinstance(route, Route):
                found = prefix + route.path
            else:
                found = STATIC if isinstance(route, Mount) and prefix.endswith(STATIC) else NO_ROUTE
            self._templates[key] = found
        return found
