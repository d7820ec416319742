# SPDX-License-Identifier: Apache-2.0
"""Many serial ports, one server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from muster.gateway.line import PortGone, SerialLine
from muster.gateway.patches import PatchSource
from muster.gateway.port import Exchange, GatewayPort, PatchRequest, Request
from muster.gateway.server import DeviceServer, ServerSilent

BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 5.0


class Watcher(Protocol):
    """Who is told what happens; called in the event loop, must not block. Never sees what messages hold."""

    def opened(self, url: str) -> None:
        """The port is there."""
        ...

    def lost(self, url: str, why: str) -> None:
        """The port is not there; it is tried again. Not told again before it was opened, unless `why` changes."""
        ...

    def log(self, url: str, line: str) -> None:
        """A line of the device's log."""
        ...

    def exchanged(self, url: str, exchange: Exchange, status: int) -> None:
        """The server answered with this status, or not at all (0)."""
        ...

    def served(self, url: str, offset: int, length: int) -> None:
        """`offset` bytes of a patch of `length` bytes have gone to the device."""
        ...

    def starved(self, url: str, why: str) -> None:
        """A patch that the device wants cannot be had now."""
        ...


@dataclass(slots=True)
class _Port:
    url: str
    rules: GatewayPort
    tasks: dict[type[Request], asyncio.Task[None]] = field(default_factory=dict)


class Gateway:
    """Forwards between the devices at some serial ports and a server until it is stopped.

    A port that cannot be opened or vanishes is tried again, after 0.25 s at first and then after twice as long each
    time, up to 5 s. What a device or a server sends cannot stop it.

    Attributes:
        ports: the rules of each port by its URL.
    """

    def __init__(self, urls: Sequence[str], server: DeviceServer, watcher: Watcher) -> None:
        self._server = server
        self._patches = PatchSource(server)
        self._watcher = watcher
        self.ports = {url: GatewayPort(partial(watcher.log, url)) for url in urls}

    async def run(self, stop: asyncio.Event) -> None:
        """Serves all ports until `stop` is set."""
        tasks = [asyncio.create_task(self._keep_open(_Port(url, rules))) for url, rules in self.ports.items()]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # a port's task ends only by an error of our own
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
            await self._patches.close()

    async def _keep_open(self, port: _Port) -> None:
        told = ""
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                line = await asyncio.to_thread(SerialLine, port.url)
            except PortGone as error:
                why = str(error)
            else:
                self._watcher.opened(port.url)
                told = ""
                up_before = port.rules.counts.up
                try:
                    why = await self._serve(port, line)
                finally:
                    line.close()
                if port.rules.counts.up > up_before:
                    backoff_s = BACKOFF_FIRST_S
            if why != told:
                self._watcher.lost(port.url, why)
                told = why
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)

    async def _serve(self, port: _Port, line: SerialLine) -> str:
        """Serves an open port until it goes away; returns why."""
        port.rules.reset()
        try:
            while True:
                for request in port.rules.receive(await line.read()):
                    self._begin(port, line, request)
        except PortGone as error:
            return str(error)
        finally:
            for task in port.tasks.values():
                task.cancel()
            await asyncio.gather(*port.tasks.values(), return_exceptions=True)
            port.tasks.clear()

    def _begin(self, port: _Port, line: SerialLine, request: Request) -> None:
        """A new request takes the place of the one before, which the device has given up."""
        before = port.tasks.get(type(request))
        if before is not None:
            before.cancel()
        work = (
            self._exchange(port, line, request) if isinstance(request, Exchange) else self._fetch(port, line, request)
        )
        port.tasks[type(request)] = asyncio.create_task(work)

    async def _exchange(self, port: _Port, line: SerialLine, exchange: Exchange) -> None:
        reply = await self._server.exchange(exchange)
        line.write(port.rules.reply(exchange, reply))
        self._watcher.exchanged(port.url, exchange, reply.status)

    async def _fetch(self, port: _Port, line: SerialLine, request: PatchRequest) -> None:
        try:
            content, length = await self._patches.piece(request)
        except ServerSilent as error:
            port.rules.piece(request, None)
            self._watcher.starved(port.url, str(error))
            return
        line.write(port.rules.piece(request, content))
        if length:
            self._watcher.served(port.url, min(request.offset + len(content), length), length)
        else:
            self._watcher.starved(port.url, "the server does not have the patch")
