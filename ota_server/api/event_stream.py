# SPDX-License-Identifier: Apache-2.0
"""A stream of server-sent events (HTML standard, section 9.2), which ends when its reader may not hear it any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from ota_server.api import views
from ota_server.errors import ServerError
from ota_server.telemetry import streams
from ota_server.telemetry.events import Event
from ota_server.telemetry.streams import Stream, Streams

ALIVE_EVERY_S = 10.0
"""Particle's tools give up a stream that is silent for 15 s."""
SEND_TIMEOUT_S = 10.0


class EventStream(StreamingResponse):
    """Tells what a stream brings.

    Args:
        look_again: what the reader may hear now; raises ServerError when that is nothing any more.
    """

    def __init__(self, opened: Streams, stream: Stream, look_again: Callable[[], streams.Scope]) -> None:
        super().__init__(
            self._lines(),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._opened = opened
        self._stream = stream
        self._look_again = look_again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patient(message: Message) -> None:
            # A reader that takes nothing would keep the stream for ever.
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        try:
            await super().__call__(scope, receive, patient)
        finally:
            self._opened.close(self._stream)

    async def _lines(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + ALIVE_EVERY_S
        yield b":ok\n\n"
        while True:
            try:
                async with asyncio.timeout_at(look_at):
                    event = await self._stream.next()
            except TimeoutError:
                if not await self._may_go_on():
                    return
                look_at = loop.time() + ALIVE_EVERY_S
                yield b":\n\n"
                continue
            if event is None:
                return
            yield _lines_of(event)

    async def _may_go_on(self) -> bool:
        try:
            self._stream.scope = await asyncio.to_thread(self._look_again)
        except ServerError:
            return False
        return True


def _lines_of(event: Event) -> bytes:
    told = {
        "data": event.data,
        "ttl": event.ttl_s,
        "published_at": views.time(event.at_ms),
        "coreid": event.source.core_id,
    }
    # The name has no line breaks, and JSON writes none: nothing that somebody publishes can end a line.
    return f"event: {event.name}\ndata: {json.dumps(told)}\n\n".encode()
