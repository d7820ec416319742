# SPDX-License-Identifier: Apache-2.0
"""Wakes whoever watches products: live pages and check-ins that are held."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Collection

from ota_server.storage.relay import Relay


class Feed:
    """One counter per product that rises with each change. Any thread may publish; watchers wait on their loop.

    Args:
        relay: tells other processes, and hears what they tell.
    """

    def __init__(self, relay: Relay) -> None:
        self._tell = relay.join("product", self._heard)
        self._lock = threading.Lock()
        self._counts: dict[int, int] = defaultdict(int)
        self._watchers: dict[int, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self._is_closed = False

    def count(self, product_ids: Collection[int]) -> int:
        """What rises whenever one of these products changes."""
        with self._lock:
            return self._sum(product_ids)

    def _sum(self, product_ids: Collection[int]) -> int:
        """With the lock."""
        return sum(self._counts[one] for one in product_ids)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def publish(self, product_id: int) -> None:
        """Something about this product has been committed."""
        self._rise(product_id)
        self._tell(str(product_id))

    def _heard(self, text: str) -> None:
        """Another process has published; or anybody may have, and was not heard."""
        if text:
            self._rise(int(text))
            return
        with self._lock:
            watched = list(self._watchers)
        for product_id in watched:
            self._rise(product_id)

    def _rise(self, product_id: int) -> None:
        with self._lock:
            self._counts[product_id] += 1
            watchers = list(self._watchers[product_id])
        _wake(watchers)

    def close(self) -> None:
        """The server stops: every wait ends."""
        with self._lock:
            self._is_closed = True
            watchers = [watcher for group in self._watchers.values() for watcher in group]
        _wake(watchers)

    async def wait(self, product_ids: Collection[int], seen: int, timeout_s: float) -> int:
        """Waits until the count of these products is above `seen`, for at most `timeout_s`; returns it."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            count = self._sum(product_ids)
            if count > seen or self._is_closed:
                return count
            for one in product_ids:
                self._watchers[one].add(watcher)
        try:
            async with asyncio.timeout(timeout_s):
                await watcher[1].wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                for one in product_ids:
                    self._watchers[one].discard(watcher)
        return self.count(product_ids)


def _wake(watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in watchers:
        # A loop that closed meanwhile has nobody waiting.
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)
