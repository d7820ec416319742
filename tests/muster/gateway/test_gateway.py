# SPDX-License-Identifier: Apache-2.0
"""The whole gateway on pseudo terminals."""

from __future__ import annotations

import asyncio
import os
import socket
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from muster.gateway import Exchange, Gateway
from muster.serial.messages import CheckIn, CheckInAnswer, Data, Fetch, Open, OpenAnswer, frame_of
from tests.muster.gateway.servers import FakeServer

TIMEOUT_S = 20.0
PATCH = bytes(range(256)) * 10


class Recorder:
    """A Watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.news = asyncio.Event()

    async def wait_for(self, *what: object) -> None:
        """Until it was told something that begins so, since the last wait for the same."""
        async with asyncio.timeout(TIMEOUT_S):
            while not any(item[: len(what)] == what for item in self.told):
                self.news.clear()
                await self.news.wait()
        self.told = [item for item in self.told if item[: len(what)] != what]

    def _tell(self, *what: object) -> None:
        self.told.append(what)
        self.news.set()

    def opened(self, url: str) -> None:
        self._tell("opened", url)

    def lost(self, url: str, why: str) -> None:
        self._tell("lost", url, why)

    def log(self, url: str, line: str) -> None:
        self._tell("log", url, line)

    def exchanged(self, url: str, exchange: Exchange, status: int) -> None:
        self._tell("exchanged", url, status, exchange)

    def served(self, url: str, offset: int, length: int) -> None:
        self._tell("served", url, offset, length)

    def starved(self, url: str, why: str) -> None:
        self._tell("starved", url, why)


class Terminal:
    """The device's end of a pseudo terminal behind a name that stays the same."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        with suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(os.ttyname(self._slave))

    def write(self, data: bytes) -> None:
        os.write(self._master, data)

    async def read(self, length: int) -> bytes:
        found = b""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(TIMEOUT_S):
            while len(found) < length:
                ready = asyncio.Event()
                loop.add_reader(self._master, ready.set)
                await ready.wait()
                loop.remove_reader(self._master)
                found += os.read(self._master, 4096)
        return found

    def unplug(self) -> None:
        self._link.unlink()
        os.close(self._slave)
        os.close(self._master)


@asynccontextmanager
async def running(server: FakeServer, recorder: Recorder, *urls: str) -> AsyncIterator[Gateway]:
    gateway = Gateway(urls, server, recorder)
    stop = asyncio.Event()
    task = asyncio.create_task(gateway.run(stop))
    try:
        yield gateway
    finally:
        stop.set()
        await asyncio.wait_for(task, TIMEOUT_S)


Body = Callable[[FakeServer, Recorder], Awaitable[None]]


def run(body: Body) -> None:
    async def with_server() -> None:
        await body(FakeServer(), Recorder())

    asyncio.run(with_server())


def test_two_ports_are_served_side_by_side(tmp_path: Path) -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        digest = server.add(PATCH)
        first, second = Terminal(tmp_path / "first"), Terminal(tmp_path / "second")
        async with running(server, recorder, str(tmp_path / "first"), str(tmp_path / "second")) as gateway:
            for name in ("first", "second"):
                await recorder.wait_for("opened", str(tmp_path / name))
            # The first one's check-in is held by the server; the second device does not notice.
            server.gate.clear()
            first.write(frame_of(CheckIn(1, b"held")))
            second.write(b"hello\r\n" + frame_of(Open(2, b"abc")))
            await recorder.wait_for("log", str(tmp_path / "second"), "hello")
            server.gate.set()
            down = frame_of(OpenAnswer(2, 200, b"cba"))
            assert await second.read(len(down)) == down
            second.write(frame_of(Fetch(digest, 2040, 1020)))
            down = frame_of(Data(2040, PATCH[2040:]))
            assert await second.read(len(down)) == down
            await recorder.wait_for("served", str(tmp_path / "second"), len(PATCH), len(PATCH))
            assert await first.read(14)
            assert gateway.ports[str(tmp_path / "second")].counts.patches == len(PATCH) - 2040
        first.unplug()
        second.unplug()

    run(body)


def test_a_port_that_vanishes_is_opened_again_when_it_is_back(tmp_path: Path) -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        link = tmp_path / "port"
        async with running(server, recorder, str(link)):
            await recorder.wait_for("lost", str(link), f"cannot open {link}: No such file or directory")
            for round_number in range(2):
                terminal = Terminal(link)
                await recorder.wait_for("opened", str(link))
                terminal.write(frame_of(Open(round_number, b"abc")))
                down = frame_of(OpenAnswer(round_number, 200, b"cba"))
                assert await terminal.read(len(down)) == down
                terminal.unplug()
                await recorder.wait_for("lost", str(link))

    run(body)


def test_a_held_check_in_gives_way_to_what_the_device_asks_next(tmp_path: Path) -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        link = tmp_path / "port"
        terminal = Terminal(link)
        async with running(server, recorder, str(link)):
            await recorder.wait_for("opened", str(link))
            server.gate.clear()
            terminal.write(frame_of(CheckIn(1, b"held")))
            while len(server.asked) < 1:
                await asyncio.sleep(0)
            terminal.write(frame_of(Open(2, b"after a reset")))
            while len(server.asked) < 2:
                await asyncio.sleep(0)
            server.gate.set()
            down = frame_of(OpenAnswer(2, 200, b"after a reset"[::-1]))
            assert await terminal.read(len(down)) == down
        terminal.unplug()

    run(body)


def test_garbage_and_a_silent_server_do_not_stop_it(tmp_path: Path) -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        link = tmp_path / "port"
        terminal = Terminal(link)
        server.is_silent = True
        async with running(server, recorder, str(link)):
            await recorder.wait_for("opened", str(link))
            terminal.write(bytes(range(256)) * 4 + b"\x00\x00")
            terminal.write(frame_of(CheckIn(1, b"abc")))
            down = frame_of(CheckInAnswer(1, 0, b""))
            assert await terminal.read(len(down)) == down
            terminal.write(frame_of(Fetch(bytes(32), 0, 10)))
            await recorder.wait_for("starved", str(link), "the server is silent")
            server.is_silent = False
            terminal.write(frame_of(Fetch(bytes(32), 0, 10)))
            down = frame_of(Data(0, b""))
            assert await terminal.read(len(down)) == down
        terminal.unplug()

    run(body)


def test_a_device_that_takes_nothing_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        digest = server.add(bytes([1]) * 1020)
        deaf, link = tmp_path / "deaf", tmp_path / "port"
        deaf_terminal, terminal = Terminal(deaf), Terminal(link)
        async with running(server, recorder, str(deaf), str(link)):
            for name in (deaf, link):
                await recorder.wait_for("opened", str(name))
            for _ in range(40):
                deaf_terminal.write(frame_of(Fetch(digest, 0, 1020)))
                await recorder.wait_for("served", str(deaf))
            terminal.write(frame_of(Open(1, b"abc")))
            down = frame_of(OpenAnswer(1, 200, b"cba"))
            assert await terminal.read(len(down)) == down
        terminal.unplug()
        deaf_terminal.unplug()

    run(body)


def test_a_tcp_socket_is_a_port_too() -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
            async with running(server, recorder, url):
                loop = asyncio.get_running_loop()
                device, _ = await loop.sock_accept(listener)
                with device:
                    device.setblocking(False)
                    # What comes before the port is open is thrown away, as by a serial driver.
                    await recorder.wait_for("opened", url)
                    await loop.sock_sendall(device, frame_of(Open(1, b"abc")))
                    down = frame_of(OpenAnswer(1, 200, b"cba"))
                    found = b""
                    while len(found) < len(down):
                        found += await asyncio.wait_for(loop.sock_recv(device, 4096), TIMEOUT_S)
                    assert found == down
                await recorder.wait_for("lost", url)

    run(body)


def test_a_port_that_nobody_can_wait_for_is_told_of() -> None:
    async def body(server: FakeServer, recorder: Recorder) -> None:
        async with running(server, recorder, "loop://"):
            await recorder.wait_for("lost", "loop://", "loop:// is no port that can be waited for")

    run(body)
