# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: regions of a page, sent when they have changed (HTML Living Standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection

from starlette.responses import StreamingResponse

from ota_server.dashboard.security import HEADERS
from ota_server.errors import ServerError, TooMany
from ota_server.telemetry.feed import Feed

KEEP_ALIVE_S = 12.0
"""How often a line is sent while nothing changes; some clients give up after 15 s of silence."""
PAUSE_S = 0.4
"""Changes within this time are sent together."""
ORGANIZATION_PAUSE_S = 2.0
"""The same on an organization's page, for which many products are read."""

PAGES_MAX = 500
PAGES_OF_ONE_MAX = 20

Regions = Callable[[], dict[str, str]]


class LivePages:
    """The pages of one process that are sent what changes, a bounded number of them. Used from one event loop."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._open: Counter[int] = Counter()

    def stream(
        self, account_id: int, product_ids: Collection[int], regions: Regions, pause_s: float = PAUSE_S
    ) -> StreamingResponse:
        """An event stream that ends when `regions` raises a ServerError or the server stops. Raises TooMany.

        Args:
            product_ids: whose changes the page shows.
        """
        if self._open.total() >= PAGES_MAX:
            raise TooMany("too many pages are open on this server: this one does not change by itself", 60)
        if self._open[account_id] >= PAGES_OF_ONE_MAX:
            raise TooMany(f"you have {PAGES_OF_ONE_MAX} pages open: this one does not change by itself", 60)
        return StreamingResponse(
            self._events(account_id, product_ids, regions, pause_s),
            media_type="text/event-stream",
            headers={**HEADERS, "x-accel-buffering": "no"},
        )

    async def _events(
        self, account_id: int, product_ids: Collection[int], regions: Regions, pause_s: float
    ) -> AsyncIterator[str]:
        self._open[account_id] += 1
        try:
            async for text in _events(self._feed, product_ids, regions, pause_s):
                yield text
        finally:
            self._open[account_id] -= 1
            if not self._open[account_id]:
                del self._open[account_id]


async def _events(feed: Feed, product_ids: Collection[int], regions: Regions, pause_s: float) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    yield "retry: 2000\n\n"
    while not feed.is_closed:
        # Counted before reading: a change while reading is seen the next time.
        seen = feed.count(product_ids)
        try:
            current = await asyncio.to_thread(regions)
        except ServerError:
            return
        changed = {name: html for name, html in current.items() if sent.get(name) != html}
        if changed:
            sent = current
            yield f"event: regions\ndata: {json.dumps(changed)}\n\n"
        if await feed.wait(product_ids, seen, KEEP_ALIVE_S) == seen:
            yield ": still here\n\n"
        else:
            await asyncio.sleep(pause_s)
