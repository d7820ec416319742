# SPDX-License-Identifier: Apache-2.0
"""HTTP for devices and gateways (docs/spec/device_protocol.md section 5): plain routes, empty bodies on refusal."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muster.protocol import Answer, MessageFormatError, SealedMessage, SessionRefused
from muster.protocol.seal import MESSAGE_SIZE_MAX
from ota_server.api.body import read_body
from ota_server.devices import sessions
from ota_server.devices.check_in import CheckedIn
from ota_server.errors import TooMany, Unavailable
from ota_server.services import Services

CBOR = "application/cbor"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes=(\d{1,10})-(\d{0,10})")
_CACHE = {"cache-control": "public, max-age=31536000, immutable", "accept-ranges": "bytes"}

Handler = Callable[[Request], Awaitable[Response]]


def routes(services: Services) -> list[Route]:
    """The routes below /device/v1."""
    timeout_s = services.settings.request_timeout_s

    async def open_session(request: Request) -> Response:
        body = await read_body(request, MESSAGE_SIZE_MAX, timeout_s, CBOR)
        opening = sessions.prepare(body, services.signer, services.chain)
        answer, product_id = await asyncio.wrap_future(services.open_session(opening))
        services.device_measures.openings.inc()
        services.feed.publish(product_id)
        return Response(answer, media_type=CBOR)

    async def check_in(request: Request) -> Response:
        body = await read_body(request, MESSAGE_SIZE_MAX, timeout_s, CBOR)
        began = time.perf_counter()
        message = SealedMessage.from_bytes(body)
        checked_in = await asyncio.wrap_future(services.check_in(message))
        services.meter.check_in(checked_in.product_id)
        services.device_measures.check_in_s.observe(time.perf_counter() - began)
        services.after(checked_in)
        if checked_in.hold_s:
            with services.device_measures.held.track_inprogress():
                checked_in = await _hold(services, checked_in)
        return Response(checked_in.sealed(), media_type=CBOR)

    async def fetch(request: Request) -> Response:
        digest = request.path_params["digest"]
        blob = None
        if _DIGEST.fullmatch(digest):
            blob = await asyncio.to_thread(services.served.get, bytes.fromhex(digest))
        if blob is None:
            return Response(status_code=404)
        response = _ranged(blob, digest, request.headers.get("range"))
        services.meter.served(bytes.fromhex(digest), len(response.body))
        return response

    return [
        Route("/open", _refusing(open_session), methods=["POST"]),
        Route("/check-in", _refusing(check_in), methods=["POST"]),
        Route("/patches/{digest}", _refusing(fetch), methods=["GET"]),
    ]


def _refusing(handler: Handler) -> Handler:
    """Turns what devices can cause into the statuses of the protocol; no body says why."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except MessageFormatError:
            return Response(status_code=400)
        except SessionRefused:
            return Response(status_code=401)
        except (TooMany, Unavailable) as error:
            return Response(status_code=error.status, headers={"retry-after": str(error.retry_after_s)})
        except HTTPException as error:
            # The rest of a body that is refused is not read: the connection cannot be used again.
            return Response(status_code=error.status_code, headers={"connection": "close"})

    return handle


async def _hold(services: Services, held: CheckedIn) -> CheckedIn:
    """Waits until there is something to say, the time is up, or the server stops."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(held.hold_s, services.settings.hold_max_s)
    seen = services.feed.count(held.product_id)
    while held.hold_s and held.answer == Answer() and not services.feed.is_closed:
        left_s = deadline - loop.time()
        if left_s <= 0:
            break
        count = await services.feed.wait(held.product_id, seen, left_s)
        if count == seen:
            break
        seen = count
        held = await asyncio.wrap_future(services.look_again(held))
        services.after(replace(held, is_news=held.is_news and held.answer != Answer()))
    return held


def _ranged(blob: bytes, digest: str, wanted: str | None) -> Response:
    """The whole blob, or one range of it (RFC 9110 section 14); other forms of Range are ignored."""
    headers = {**_CACHE, "etag": f'"{digest}"'}
    match = _RANGE.fullmatch(wanted.strip()) if wanted is not None else None
    if match is None:
        return Response(blob, headers=headers, media_type="application/octet-stream")
    first = int(match.group(1))
    last = min(int(match.group(2)) if match.group(2) else len(blob) - 1, len(blob) - 1)
    if first > last:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(blob)}"})
    headers["content-range"] = f"bytes {first}-{last}/{len(blob)}"
    return Response(blob[first : last + 1], 206, headers, "application/octet-stream")
