# SPDX-License-Identifier: Apache-2.0
"""Waiting for changes of products."""

from __future__ import annotations

import asyncio

from ota_server.storage.relay import Alone
from ota_server.telemetry.feed import Feed

WAIT_S, LONG_S = 30, 3600
WATCHED = (1, 2)


def test_who_watches_several_products_is_woken_by_each() -> None:
    feed = Feed(Alone())

    async def rise(changed: int) -> int:
        """How far the count rises that somebody waits for already."""
        seen = feed.count(WATCHED)
        waiting = asyncio.create_task(feed.wait(WATCHED, seen, LONG_S))
        await asyncio.sleep(0)
        feed.publish(changed)
        return await asyncio.wait_for(waiting, WAIT_S) - seen

    assert [asyncio.run(rise(changed)) for changed in WATCHED] == [1, 1]


def test_other_products_are_not_heard() -> None:
    feed = Feed(Alone())
    seen = feed.count(WATCHED)
    feed.publish(3)
    assert asyncio.run(feed.wait(WATCHED, seen, 0)) == seen


def test_change_before_the_wait_is_not_missed() -> None:
    feed = Feed(Alone())
    seen = feed.count(WATCHED)
    feed.publish(2)
    assert asyncio.run(asyncio.wait_for(feed.wait(WATCHED, seen, LONG_S), WAIT_S)) == seen + 1
