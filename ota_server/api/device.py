# SPDX-License-Identifier: Apache-2.0
"""HTTP for devices and gateways (docs/spec/device_protocol.md section 5): empty bodies on refusal.

Plain ASGI, not Starlette's router and requests: those would be a large part of the work of a check-in.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cbor2
from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from muster.protocol import MessageFormatError, SealedMessage, SessionRefused
from muster.protocol.seal import MESSAGE_SIZE_MAX
from ota_server.api.body import read_body
from ota_server.devices import sessions
from ota_server.devices.check_in import CheckedIn
from ota_server.devices.visit import NOTHING
from ota_server.errors import TooMany, Unavailable
from ota_server.services import Services

PREFIX = "/device/v1/"
HELD_MAX = 1000
"""Check-ins that are held at once; others are answered as if the time was up. Each keeps a connection."""
CBOR = b"application/cbor"
FETCHERS = 4
"""Threads that read what devices fetch: a bucket that hangs leaves those of people alone."""
_CHECK_IN, _OPEN, _PATCHES = "check-in", "open", "patches"
_METHODS = {_CHECK_IN: ("POST",), _OPEN: ("POST",), _PATCHES: ("GET", "HEAD")}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(rb"bytes=(\d{1,10})-(\d{0,10})")
_CBOR_HEADER = (b"content-type", CBOR)
_BLOB_HEADERS = (
    (b"content-type", b"application/octet-stream"),
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"accept-ranges", b"bytes"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One response."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def send(self, send: Send) -> None:
        headers = [(b"content-length", b"%d" % len(self.body)), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def _come_back(status: int, pause_s: int) -> Reply:
    """The pause is in the body as well: a gateway hands devices that, and no header."""
    return Reply(status, cbor2.dumps(pause_s), [_CBOR_HEADER, (b"retry-after", b"%d" % pause_s)])


class DeviceApp:
    """ASGI middleware: answers what is below /device/v1/, and leaves the rest to the application that it is around."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._timeout_s = services.settings.request_timeout_s
        self._fetchers = CapacityLimiter(FETCHERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            reply = await self._reply(scope, receive)
            await reply.send(send)
        else:
            await self._app(scope, receive, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        """Turns what devices can cause into the statuses of the protocol; no body says why."""
        try:
            return await self._routed(scope, receive)
        except MessageFormatError:
            return Reply(400)
        except SessionRefused:
            return Reply(401)
        except TooMany as error:
            return _come_back(error.status, error.retry_after_s)
        except Unavailable as error:
            return _come_back(error.status, self._services.admission.come_back_s())
        except HTTPException as error:
            # The rest of a body that is refused is not read: the connection cannot be used again.
            return Reply(error.status_code, headers=[(b"connection", b"close")])

    async def _routed(self, scope: Scope, receive: Receive) -> Reply:
        name, _, digest = scope["path"].removeprefix(PREFIX).partition("/")
        methods = _METHODS.get(name) if bool(digest) == (name == _PATCHES) else None
        if methods is None:
            return Reply(404)
        scope["template"] = PREFIX + (name if name != _PATCHES else f"{name}/{{digest}}")
        if scope["method"] not in methods:
            return Reply(405)
        if name == _CHECK_IN:
            return await self._check_in(await self._message(scope, receive))
        if name == _OPEN:
            return await self._open_session(await self._message(scope, receive))
        return await self._fetch(digest, scope)

    async def _message(self, scope: Scope, receive: Receive) -> bytes:
        return await read_body(scope, receive, MESSAGE_SIZE_MAX, self._timeout_s, CBOR)

    async def _open_session(self, body: bytes) -> Reply:
        services = self._services
        # Two signatures and a key agreement take as long as several check-ins: meanwhile others go on.
        opening = await asyncio.to_thread(sessions.prepare, body, services.signer, services.chain)
        answer, product_id = await asyncio.wrap_future(services.open_session(opening))
        services.device_measures.openings.inc()
        services.feed.publish(product_id)
        return Reply(200, answer, [_CBOR_HEADER])

    async def _check_in(self, body: bytes) -> Reply:
        services, began = self._services, time.perf_counter()
        message = SealedMessage.from_bytes(body)
        checked_in = await services.check_in(message)
        services.meter.check_in(checked_in.product_id, checked_in.heard)
        services.device_measures.check_in_s.observe(time.perf_counter() - began)
        services.after(checked_in)
        measures = services.device_measures
        if checked_in.hold_s and measures.held < HELD_MAX:
            measures.held += 1
            try:
                checked_in = await self._hold(checked_in)
            finally:
                measures.held -= 1
        return Reply(200, checked_in.sealed(), [_CBOR_HEADER])

    async def _hold(self, held: CheckedIn) -> CheckedIn:
        """Waits until there is something to say, the time is up, or the server stops."""
        services = self._services
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(held.hold_s, services.settings.hold_max_s)
        while held.hold_s and held.answer == NOTHING and not services.feed.is_closed:
            # First the count, then the look: a change that the look does not see raises the count.
            seen = services.feed.count([held.product_id])
            held = await asyncio.wrap_future(services.look_again(held))
            services.after(replace(held, is_news=held.is_news and held.answer != NOTHING))
            left_s = deadline - loop.time()
            if not held.hold_s or held.answer != NOTHING or left_s <= 0:
                break
            if await services.feed.wait([held.product_id], seen, left_s) == seen:
                break
        return held

    async def _fetch(self, digest: str, scope: Scope) -> Reply:
        services = self._services
        blob = None
        if _DIGEST.fullmatch(digest):
            blob = await to_thread.run_sync(services.jobs.served.get, bytes.fromhex(digest), limiter=self._fetchers)
        if blob is None:
            return Reply(404)
        reply = _ranged(blob, digest, dict(scope["headers"]).get(b"range"))
        services.meter.served(bytes.fromhex(digest), len(reply.body))
        return reply


def _ranged(blob: bytes, digest: str, wanted: bytes | None) -> Reply:
    """The whole blob, or one range of it (RFC 9110 section 14); other forms of Range are ignored."""
    headers = (*_BLOB_HEADERS, (b"etag", b'"%s"' % digest.encode()))
    match = _RANGE.fullmatch(wanted.strip()) if wanted is not None else None
    if match is None:
        return Reply(200, blob, headers)
    first = int(match.group(1))
    last = min(int(match.group(2)) if match.group(2) else len(blob) - 1, len(blob) - 1)
    if first > last:
        return Reply(416, headers=[(b"content-range", b"bytes */%d" % len(blob))])
    place = (b"content-range", b"bytes %d-%d/%d" % (first, last, len(blob)))
    return Reply(206, blob[first : last + 1], (*headers, place))
