# SPDX-License-Identifier: Apache-2.0
"""Lets a fleet talk to a server: over kept connections, from one process, for a bounded time, on this machine only."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from muster.errors import EnvironmentFault, ValueOutOfRange
from muster.fleet.fleet import CHECK_IN, Fleet, Request
from muster.fleet.wire import Wire, connect
from muster.protocol import MessageFormatError

DEVICES_MAX = 2_000_000
CONNECTIONS_MAX = 2000
SECONDS_MAX = 7 * 24 * 3600
LOST_WAIT_S = 5.0
REFUSED_WAIT_S = 30.0
_ORDER_STEP = 2_654_435_761
"""A prime: its multiples are every device once, in no order that rows of a table have."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens. Raises ValueOutOfRange unless that is this machine."""

    host: str
    port: int

    @classmethod
    def from_url(cls, url: str) -> Address:
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        try:
            is_here = parts.scheme == "http" and ip_address(host).is_loopback
            port = parts.port or 80
        except ValueError:
            is_here = False
        if not is_here:
            raise ValueOutOfRange(f"a load is for this machine only, such as http://127.0.0.1:8000, not for {url}")
        return cls(host, port)


@dataclass(frozen=True, slots=True)
class Course:
    """How a simulation runs.

    Attributes:
        is_flat_out: devices do not wait for their time: each connection takes the next one at once.
        rounds: so often each device comes when it is flat out; None: as often as there is time.
        fetches: patches that are offered are fetched, once each.
    """

    seconds: float
    connections: int = 128
    is_flat_out: bool = False
    rounds: int | None = None
    fetches: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= SECONDS_MAX or not 1 <= self.connections <= CONNECTIONS_MAX:
            raise ValueOutOfRange(f"at most {SECONDS_MAX} seconds and {CONNECTIONS_MAX} connections")


class Load:
    """One run of a fleet.

    Args:
        began_s: Unix time at which it begins.
        show: is told the seconds that have passed, about each second.
    """

    def __init__(
        self,
        fleet: Fleet,
        address: Address,
        course: Course,
        began_s: float,
        show: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._fleet = fleet
        self._address = address
        self._course = course
        self._began_s = began_s
        self._show = show
        self._slots: dict[int, array[int]] = {}
        """Devices by the second in which they come."""
        self._due: deque[int] = deque()
        self._is_due = asyncio.Event()
        self._position = 0

    async def run(self) -> float:
        """Runs to the end of its time; returns how many seconds that took. Raises EnvironmentFault."""
        loop = asyncio.get_running_loop()
        self._loop, self._zero_s = loop, loop.time()
        wires = [await connect(self._address.host, self._address.port) for _ in range(self._course.connections)]
        if not self._course.is_flat_out:
            for number in range(self._fleet.count):
                traits = self._fleet.traits(number)
                self._plan(number, traits.phase * self._fleet.interval_s(number))
        self._zero_s = loop.time()
        workers = [asyncio.create_task(self._work(wire)) for wire in wires]
        try:
            while self._passed_s < self._course.seconds:
                self._release(int(self._passed_s))
                self._show(self._passed_s)
                left_s = max(self._course.seconds - self._passed_s, 0)
                ended, going_on = await asyncio.wait(workers, timeout=min(1.0, left_s))
                if not going_on or any(worker.exception() for worker in ended):
                    break
            passed_s = self._passed_s
        finally:
            for worker in workers:
                worker.cancel()
            ends = await asyncio.gather(*workers, return_exceptions=True)
            # Connections are closed by the loop.
            await asyncio.sleep(0)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        return passed_s

    @property
    def _passed_s(self) -> float:
        return self._loop.time() - self._zero_s

    def _plan(self, number: int, wait_s: float) -> None:
        """Puts a device where its habit lets it come next; one whose battery is empty comes no more."""
        traits = self._fleet.traits(number)
        due_s = traits.awake_at(self._began_s + self._passed_s + wait_s) - self._began_s
        if due_s < min(traits.lasts_s(), self._course.seconds):
            self._slots.setdefault(int(due_s), array("I")).append(number)

    def _release(self, second: int) -> None:
        for slot in [slot for slot in self._slots if slot <= second]:
            self._due.extend(self._slots.pop(slot))
        self._is_due.set()

    async def _next(self) -> int | None:
        """The device that comes next; None when all have come."""
        if self._course.is_flat_out:
            count, rounds = self._fleet.count, self._course.rounds
            if rounds is not None and self._position >= rounds * count:
                return None
            self._position += 1
            return self._position * _ORDER_STEP % count
        while not self._due:
            self._is_due.clear()
            await self._is_due.wait()
        return self._due.popleft()

    async def _work(self, wire: Wire) -> None:
        """One connection: devices, one after another."""
        try:
            while (number := await self._next()) is not None:
                wait_s = 0.0
                while wait_s == 0.0:
                    try:
                        if not wire.is_open:
                            wire = await connect(self._address.host, self._address.port)
                        wait_s = await self._talk(wire, number)
                    except EnvironmentFault:
                        self._fleet.tally.lost += 1
                        wait_s = LOST_WAIT_S
                        await asyncio.sleep(1)
                if not self._course.is_flat_out:
                    self._plan(number, wait_s)
        finally:
            wire.close()

    async def _talk(self, wire: Wire, number: int) -> float:
        """One message of a device; returns in how many seconds it has the next one."""
        fleet, tally = self._fleet, self._fleet.tally
        request = fleet.next_request(number, int(self._passed_s), os.urandom(48))
        began = self._loop.time()
        status, body = await wire.ask(http_post(request))
        took_s = self._loop.time() - began
        if status == 401:
            tally.refused[status] += 1
            return fleet.refused(number)
        if status != 200:
            tally.refused[status] += 1
            return REFUSED_WAIT_S
        if request.path != CHECK_IN:
            tally.openings += 1
            tally.opening_times.add(took_s)
            return fleet.take_opened(number, request, body)
        tally.check_ins += 1
        tally.check_in_times.add(took_s)
        wait_s = fleet.take(number, body)
        digest = fleet.patch_to_fetch(number) if self._course.fetches else None
        if digest is not None:
            status, body = await wire.ask(b"GET /device/v1/patches/%s HTTP/1.1\r\nhost: fleet\r\n\r\n" % _hex(digest))
            if status != 200:
                raise MessageFormatError(f"a patch that was offered is answered with {status}")
            tally.fetched_bytes += len(body)
        return wait_s


def http_post(request: Request) -> bytes:
    """What a device sends, as HTTP."""
    head = f"POST {request.path} HTTP/1.1\r\nhost: fleet\r\ncontent-type: application/cbor\r\ncontent-length: "
    return head.encode() + b"%d\r\n\r\n" % len(request.body) + request.body


def _hex(digest: bytes) -> bytes:
    return digest.hex().encode()
