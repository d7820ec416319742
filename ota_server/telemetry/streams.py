# SPDX-License-Identifier: Apache-2.0
"""Streams of events to whoever listens: one task reads new events for all of them; no stream has a thread."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from ota_server.errors import TooMany
from ota_server.storage.database import Database
from ota_server.storage.relay import Relay
from ota_server.telemetry import events
from ota_server.telemetry.events import Event
from ota_server.telemetry.feed import Feed

WAITING_MAX = 256
"""Events that wait for a reader; one that is slower than that is dropped."""
BATCH_MAX = 500
LOOK_EVERY_S = 1.0
"""How often to look unasked: another process may have published something."""
STREAMS_MAX = 1000
STREAMS_OF_ONE_MAX = 20


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events somebody may hear."""

    organizations: frozenset[int] = frozenset()
    products: frozenset[int] = frozenset()
    device_rows: frozenset[int] = frozenset()

    def holds(self, event: Event) -> bool:
        source = event.source
        return (
            source.organization_id in self.organizations
            or source.product_id in self.products
            or source.device_row in self.device_rows
        )


# Compared by identity: each is somebody else's.
@dataclass(eq=False, slots=True)
class Stream:
    """One reader's events. `scope` may be narrowed while it runs."""

    listener: str
    scope: Scope
    prefix: str
    _waiting: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(WAITING_MAX + 1))
    _is_over: bool = False

    async def next(self) -> Event | None:
        """The next event; None when the stream is over."""
        return None if self._is_over and self._waiting.empty() else await self._waiting.get()

    def offer(self, event: Event) -> None:
        """Queues what this reader wants. A reader that is too slow hears no more."""
        if self._is_over or not event.name.startswith(self.prefix) or not self.scope.holds(event):
            return
        if self._waiting.qsize() >= WAITING_MAX:
            self.end()
        else:
            self._waiting.put_nowait(event)

    def end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._waiting.put_nowait(None)


class Streams:
    """All open streams of this process. Used from one event loop; `wake` from any thread.

    Args:
        feed: when it is closed, all streams end.
        relay: tells other processes, and hears what they tell.
    """

    def __init__(self, database: Database, feed: Feed, relay: Relay) -> None:
        self._tell = relay.join("streams", lambda _text: self._wake())
        self._database = database
        self._feed = feed
        self._streams: set[Stream] = set()
        self._pump: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._streams)

    def wake(self) -> None:
        """Something may have been published."""
        self._wake()
        self._tell("")

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._news.set)

    async def open(self, listener: str, scope: Scope, prefix: str) -> Stream:
        """A stream of what is published from now on. Close it after use. Raises TooMany."""
        if len(self._streams) >= STREAMS_MAX:
            raise TooMany("too many event streams are open on this server", 60)
        if sum(one.listener == listener for one in self._streams) >= STREAMS_OF_ONE_MAX:
            raise TooMany(f"this account has {STREAMS_OF_ONE_MAX} event streams open: close some first", 60)
        stream = Stream(listener, scope, prefix)
        self._streams.add(stream)
        if self._begun is None:
            self._loop = asyncio.get_running_loop()
            self._begun = self._loop.create_future()
            self._pump = asyncio.create_task(self._run(self._begun))
        await self._begun
        return stream

    def close(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._pump is not None:
            self._pump.cancel()

    async def _run(self, begun: asyncio.Future[None]) -> None:
        """Hands new events to all streams, until there are none or the server stops."""
        try:
            last = await asyncio.to_thread(self._newest)
            begun.set_result(None)
            while not self._feed.is_closed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._news.wait()
                self._news.clear()
                while found := await asyncio.to_thread(self._after, last):
                    last = found[-1].id
                    for event in found:
                        for stream in self._streams:
                            stream.offer(event)
        finally:
            self._begun = self._pump = self._loop = None
            if not begun.done():
                begun.cancel()
            for stream in self._streams:
                stream.end()

    def _newest(self) -> int:
        with self._database.read() as connection:
            return events.newest_id(connection)

    def _after(self, event_id: int) -> list[Event]:
        with self._database.read() as connection:
            return events.after(connection, event_id, BATCH_MAX)
