# SPDX-License-Identifier: Apache-2.0
"""uvicorn as the server runs it: limits on slow clients, one line when it listens, quick stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ota_server.services import Services

HEAD_TIMEOUT_S = 10.0
"""How long a request's head may take to arrive; uvicorn itself would wait for ever."""
HEAD_SIZE_MAX = 16 * 1024
"""Bytes of a head that may have come without its end."""
KEEP_ALIVE_S = 60
STOP_TIMEOUT_S = 5
CONNECTIONS_MAX = 2000
BACKLOG = 1024


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that closes a connection whose request head does not come to its end in time, or is too long."""

    _deadline: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A whole head, or a body, has its own limits.
        if not self._is_in_head:
            self._head_size = 0
            self._clear_deadline()
            return
        self._head_size += len(data)
        if self._head_size > HEAD_SIZE_MAX and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")
        self._set_deadline()

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


class OtaServer(uvicorn.Server):
    """Says when it listens, and lets held requests go at once when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, services: Services, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._services = services
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not the base's: it raises the signal again after a clean stop, which would look like a failure.
        self._services.feed.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def serve(app: Starlette, services: Services, listener: socket.socket, ready: Callable[[], None]) -> bool:
    """Serves until a signal; returns False when the application did not start."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        limit_concurrency=CONNECTIONS_MAX,
    )
    server = OtaServer(config, services, ready)
    server.run(sockets=[listener])
    return server.started
