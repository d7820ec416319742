# SPDX-License-Identifier: Apache-2.0
"""`muster gateway` as a process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from muster.serial.messages import Open, OpenAnswer, frame_of

TIMEOUT_S = 30.0
MUSTER = [sys.executable, "-c", "from muster.cli.main import main; main()"]


class Turner(BaseHTTPRequestHandler):
    """Answers every message with its bytes turned round."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Turner) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    """A pseudo terminal: the device's end, and the name of the other one."""
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


def read(fd: int, length: int) -> bytes:
    found = b""
    while len(found) < length:
        assert select.select([fd], [], [], TIMEOUT_S)[0], found
        found += os.read(fd, 4096)
    return found


@contextmanager
def gateway(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*MUSTER, "gateway", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_forwards_until_it_is_told_to_stop_and_counts_the_bytes(number: signal.Signals) -> None:
    up, down = frame_of(Open(1, b"a secret")), frame_of(OpenAnswer(1, 200, b"terces a"))
    with serving() as url, pty() as (device, port), gateway("--port", port, "--server", url, "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"{port}: open\n"
        os.write(device, up)
        assert read(device, len(down)) == down
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    (facts,) = json.loads(out)["ports"]
    assert facts == {
        "port": port,
        "up": len(up),
        "down": len(down),
        "patches": 0,
        "exchanges": 1,
        "failures": 0,
        "bad_frames": 0,
    }
    assert "secret" not in err


def test_log_text_shows_with_verbose_and_cannot_steer_the_terminal() -> None:
    with pty() as (device, port), gateway("--port", port, "--server", "http://127.0.0.1:9", "--verbose") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("forwarding between 1 ports")
        assert process.stderr.readline() == f"{port}: open\n"
        os.write(device, b"room [bold]18.50[/bold] C\x1b[2J\r\n")
        assert process.stderr.readline() == f"{port}| room [bold]18.50[/bold] C\ufffd[2J\n"
        os.write(device, frame_of(Open(1, b"opening")))
        assert process.stderr.readline() == f"{port}: no answer from the server (open)\n"
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0


def test_quiet_says_nothing_on_stderr() -> None:
    with pty() as (_, port), gateway("--port", port, "--server", "http://127.0.0.1:9", "--quiet") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.communicate(timeout=TIMEOUT_S)[1] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "/dev/null/x", "--port", "/dev/null/x"), "error: a port is named twice"),
        (("--port", "/dev/null/x", "--server", "ftp://server"), "error: ftp://server is no http or https URL"),
    ],
)
def test_what_cannot_work_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run([*MUSTER, "gateway", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, said)
