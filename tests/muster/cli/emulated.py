# SPDX-License-Identifier: Apache-2.0
"""Emulated boards at pseudo terminals, for the commands that talk to a port."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muster.emulator import Device
from muster.emulator.emulate import serve_on_pty

SPEED = 10.0
"""Times real time: fast, and the device's patience still lasts for seconds."""
_PATIENCE_S = 60.0


@contextmanager
def board_at_pty(
    hex_path: Path, said: list[str] | None = None, *, seed: int = 1, link: Path | None = None
) -> Iterator[str]:
    """A board that runs while the context lasts; the path of its terminal. `said` gets its resets and faults.

    `seed` decides its id and its random numbers; `link` is a stable name for the terminal.
    """
    stop = threading.Event()
    answers: queue.Queue[str | BaseException] = queue.Queue()

    def serve() -> None:
        try:
            with Device(seed=seed) as device:
                device.load_hex(hex_path)
                say = (lambda _: None) if said is None else said.append
                serve_on_pty(device, ready=answers.put, speed=SPEED, stop=stop.is_set, say=say, link=link)
        except BaseException as error:
            answers.put(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        path = answers.get(timeout=_PATIENCE_S)
        if isinstance(path, BaseException):
            raise path
        yield path
    finally:
        stop.set()
        thread.join(_PATIENCE_S)
        assert not thread.is_alive()
    # Past its path it has nothing to say but how it failed.
    while not answers.empty():
        answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
