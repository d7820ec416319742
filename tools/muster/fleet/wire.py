# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over kept connections. Little of it: a load generator's work must be small beside the server's."""

from __future__ import annotations

import asyncio

from muster.errors import EnvironmentFault

HEAD_SIZE_MAX = 16 * 1024


class Wire(asyncio.Protocol):
    """One connection; one request at a time. Answers have a content-length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._received = b""
        self._body_at = 0
        self._end = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            EnvironmentFault: the connection is lost, or what came is no HTTP.
        """
        if self._transport is None or self._transport.is_closing():
            raise EnvironmentFault("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a stream
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was lost")

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        if not self._end:
            self._body_at = received.find(b"\r\n\r\n") + 4
            if self._body_at < 4:
                if len(received) > HEAD_SIZE_MAX:
                    self._fail("an answer's head is too long")
                return
            self._end = self._body_at + _content_length(received[: self._body_at])
        if len(received) >= self._end:
            answer, body = self._answer, received[self._body_at : self._end]
            self._answer, self._received, self._end = None, b"", 0
            if answer is not None and not answer.done():
                answer.set_result((int(received[9:12]), body))

    def _fail(self, why: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(EnvironmentFault(why))
        self.close()


async def connect(host: str, port: int) -> Wire:
    """A new connection. Raises EnvironmentFault."""
    try:
        _, wire = await asyncio.get_running_loop().create_connection(Wire, host, port)
    except OSError as error:
        raise EnvironmentFault(f"cannot connect to {host} port {port}: {error.strerror or error}") from error
    return wire


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(head[at + 17 : head.index(b"\r\n", at + 17)])
