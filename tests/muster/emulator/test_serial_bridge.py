# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import queue
import socket
import threading
from typing import TYPE_CHECKING

import serial

from muster.emulator import RunReason
from muster.emulator.emulate import serve_on_pty
from muster.emulator.serial_bridge import SocketEndpoint, serve
from tests.muster.emulator.machine import Bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# It says "ready" until it gets its first byte: what is sent before it listens is lost, and so is what a terminal
# program that is not yet there should have read.
ECHO = """
int main(void) {
    uart_init();
    do { uart_puts("ready\\n"); } while (!(UART_SR & 0x20));
    for (;;) { while (!(UART_SR & 0x20)); uart_put(UART_DR ^ 0x20); }
}
"""


class Server:
    """Runs a bridge in a thread and hands out what it returned or raised."""

    def __init__(self, run: Callable[[Callable[[], bool]], RunReason]) -> None:
        self._stop = threading.Event()
        self._answer: queue.Queue[RunReason | BaseException] = queue.Queue()
        self._thread = threading.Thread(target=self._main, args=(run,))
        self._thread.start()

    def _main(self, run: Callable[[Callable[[], bool]], RunReason]) -> None:
        try:
            self._answer.put(run(self._stop.is_set))
        except BaseException as error:
            self._answer.put(error)

    def stop(self) -> RunReason:
        self._stop.set()
        return self.wait()

    def wait(self) -> RunReason:
        self._thread.join(30)
        answer = self._answer.get_nowait()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def test_terminal_program_talks_to_the_device_over_a_pty(bench: Bench, tmp_path: Path) -> None:
    device = bench.boot(ECHO).device
    paths: queue.Queue[str] = queue.Queue()
    link = tmp_path / "tty"
    server = Server(lambda stop: serve_on_pty(device, ready=paths.put, link=link, stop=stop))
    try:
        path = paths.get(timeout=30)
        assert os.readlink(link) == path
        with serial.Serial(str(link), 115200, timeout=30) as port:
            assert port.read_until(b"ready\n").endswith(b"ready\n")
            port.write(b"?")
            assert port.read_until(b"\x1f").endswith(b"\x1f")
            port.write(b"Hello" * 200)
            assert port.read(1000) == b"hELLO" * 200
        # The terminal may be closed and opened again.
        with serial.Serial(path, 115200, timeout=30) as port:
            port.write(b"\x00\x0a\x11")
            assert port.read(3) == b"\x20\x2a\x31"
    finally:
        assert server.stop() is RunReason.TIME
    assert not link.is_symlink()
    assert device.counters.overruns == 0


def test_socket_carries_one_connection_after_another(bench: Bench) -> None:
    device = bench.boot(ECHO).device
    assert device.run_until("ready\n", 1.0).reason is RunReason.CONDITION
    device.uart(1).write(b"?")
    assert device.run_until("\x1f", 1.0).reason is RunReason.CONDITION
    endpoint = SocketEndpoint()
    server = Server(lambda stop: serve(device, {1: endpoint}, speed=0, stop=stop))
    try:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", endpoint.port), timeout=30) as client:
                client.sendall(b"ABC")
                got = b""
                while b"abc" not in got:
                    got += client.recv(100)
    finally:
        assert server.stop() is RunReason.TIME
        endpoint.close()


def test_virtual_time_is_not_ahead_of_wall_time(bench: Bench) -> None:
    import time

    device = bench.boot("int main(void) { for (;;) WFI(); }").device
    start = time.monotonic()
    worst = 0.0
    rounds = 0

    def stop() -> bool:
        nonlocal worst, rounds
        worst = max(worst, device.time - 10 * (time.monotonic() - start))
        rounds += 1
        return device.time >= 1.0

    assert serve(device, {}, speed=10.0, stop=stop) is RunReason.TIME
    assert worst <= 0.006
    assert rounds > 10


def test_power_cut_ends_the_service(bench: Bench) -> None:
    device = bench.boot(ECHO).device
    device.cut_power_on_text("ready")
    sent: list[bytes] = []

    class Sink:
        def filenos(self) -> list[int]:
            return []

        def read(self) -> bytes:
            return b""

        def write(self, data: bytes) -> None:
            sent.append(data)

        def close(self) -> None:
            raise AssertionError("whoever made it closes it")

    assert serve(device, {1: Sink()}, speed=0) is RunReason.POWER_CUT
    assert b"".join(sent) == b"ready"
    assert serve(device, {}, speed=0) is RunReason.OFF
