# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.errors import EnvironmentFault
from muster.serial import Link, PortTransport
from muster.serial.frame import Frame, FrameReader
from muster.serial.messages import CallAnswer, MessageType, frame_of
from muster.status import OtaStatus


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """The far end of a pty, and the name of its near end."""
    far, near = pty.openpty()
    try:
        yield far, os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


def test_bytes_go_both_ways_unchanged(line: tuple[int, str]) -> None:
    far, name = line
    every_byte = bytes(range(256))
    with PortTransport(name) as port:
        port.write(every_byte)
        assert os.read(far, 1000) == every_byte
        os.write(far, every_byte)
        received = b""
        while len(received) < 256:
            received += port.read(10.0)
        assert received == every_byte


def test_nothing_comes_from_a_silent_line(line: tuple[int, str]) -> None:
    with PortTransport(line[1]) as port:
        before = port.time_s()
        assert port.read(0.001) == b""
        assert port.time_s() > before


class Answering:
    """A port with a device at its far end, which answers each call before anything is read."""

    def __init__(self, port: PortTransport, far: int) -> None:
        self.write = port.write
        self.time_s = port.time_s
        self._port = port
        self._far = far
        self._asked = FrameReader()

    def read(self, timeout_s: float) -> bytes:
        for item in self._asked.feed(os.read(self._far, 1000)):
            assert isinstance(item, Frame)
            assert item.type == MessageType.CALL
            call_id = int.from_bytes(item.body[:2], "little")
            os.write(self._far, b"1 info log\r\n" + frame_of(CallAnswer(call_id, OtaStatus.OK, 7)))
        return self._port.read(timeout_s)


def test_question_is_answered_over_a_port(line: tuple[int, str]) -> None:
    far, name = line
    os.set_blocking(far, False)
    with PortTransport(name) as port:
        answering = Answering(port, far)
        assert Link(answering, timeout_s=10.0, tries=1).call("seven") == 7


def test_port_that_is_not_there_is_this_computers_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot open"):
        PortTransport(str(tmp_path / "none"))


def test_port_that_goes_away_is_this_computers_fault() -> None:
    far, near = pty.openpty()
    with PortTransport(os.ttyname(near)) as port:
        os.close(near)
        os.close(far)
        with pytest.raises(EnvironmentFault, match="gone"):
            port.read(10.0)
