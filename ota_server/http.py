# SPDX-License-Identifier: Apache-2.0
"""uvicorn as the server runs it: limits on many and on slow clients, one line when it listens, quick stops."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
import struct
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ota_server.connections import Connections
from ota_server.services import Services

HEAD_TIMEOUT_S = 10.0
"""How long a request's head may take to arrive; uvicorn itself would wait for ever."""
HEAD_SIZE_MAX = 16 * 1024
"""Bytes of a head that may have come without its end."""
SEND_TIMEOUT_S = 30.0
"""How long a client may take nothing of what is sent to it."""
KEEP_ALIVE_S = 60
STOP_TIMEOUT_S = 5
BACKLOG = 1024
COLLECTED_AT = 20_000
"""Objects that are made before it is looked for those that nobody refers to."""
FILES_KEPT = 200
"""Files that the process needs besides its connections."""
NO_ROOM = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 30\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_logger = logging.getLogger("ota_server.http")


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that ends a connection for which there is no room, whose request head does not come to its end in time
    or is too long, or that takes nothing of its answer. `make_config` says which connections it is one of.
    """

    all: Connections
    _deadline: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        super().connection_made(transport)
        if self.all.add(self, self.client[0] if self.client else ""):
            self._set_deadline()
        else:
            transport.write(NO_ROOM)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.all.remove(self)
        self._clear_deadline()
        self._clear_sending()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Ends it at once, whatever has not been sent."""
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._clear_sending()
        self._sending = self.loop.call_later(SEND_TIMEOUT_S, self._cut_off)

    def resume_writing(self) -> None:
        self._clear_sending()
        super().resume_writing()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self.all.busy(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            self.all.idle(self)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
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
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._end, "head")

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _clear_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _cut_off(self) -> None:
        """Resets the connection: the system would otherwise go on keeping what nobody takes."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end("reader")

    def _end(self, reason: str) -> None:
        self.all.measures.ended(reason)
        self.abort()


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


def make_config(app: ASGIApp, services: Services) -> uvicorn.Config:
    """uvicorn's settings, with the limits of one server."""
    settings = services.settings
    most = min(settings.connections_max, files_max() - FILES_KEPT)
    if most < settings.connections_max:
        _logger.warning("at most %d connections: the process may open only %d files", most, files_max())

    class Protocol(PatientProtocol):
        """Of this server's connections."""

        all = Connections(most, settings.address_connections_max, services.connection_measures)

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


def files_max() -> int:
    """How many files the process may open; as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def serve(app: Starlette, services: Services, listener: socket.socket, ready: Callable[[], None]) -> bool:
    """Serves until a signal; returns False when the application did not start."""
    server = OtaServer(make_config(app, services), services, ready)
    # What is there now stays, and requests leave little that refers to itself: without this, a tenth of the work of a
    # check-in is to look for such.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT)
    server.run(sockets=[listener])
    return server.started
