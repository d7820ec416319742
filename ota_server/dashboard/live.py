# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: regions of a page, sent when they have changed (HTML Living Standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from ota_server.dashboard.security import HEADERS
from ota_server.errors import ServerError
from ota_server.telemetry.feed import Feed

KEEP_ALIVE_S = 12.0
"""How often a line is sent while nothing changes; some clients give up after 15 s of silence."""
PAUSE_S = 0.4
"""Changes within this time are sent together."""

Regions = Callable[[], dict[str, str]]


def stream(feed: Feed, product_id: int, regions: Regions) -> StreamingResponse:
    """An event stream that ends when `regions` raises a ServerError or the server stops."""
    return StreamingResponse(
        _events(feed, product_id, regions),
        media_type="text/event-stream",
        headers={**HEADERS, "x-accel-buffering": "no"},
    )


async def _events(feed: Feed, product_id: int, regions: Regions) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    yield "retry: 2000\n\n"
    while not feed.is_closed:
        # Counted before reading: a change while reading is seen the next time.
        seen = feed.count(product_id)
        try:
            current = await asyncio.to_thread(regions)
        except ServerError:
            return
        changed = {name: html for name, html in current.items() if sent.get(name) != html}
        if changed:
            sent = current
            yield f"event: regions\ndata: {json.dumps(changed)}\n\n"
        if await feed.wait(product_id, seen, KEEP_ALIVE_S) == seen:
            yield ": still here\n\n"
        else:
            await asyncio.sleep(PAUSE_S)
