# SPDX-License-Identifier: Apache-2.0
"""The golden vectors of the serial link against the real firmware: it reads and answers them byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muster.serial.frame import Frame, FrameReader
from muster.serial.messages import Open
from tests.conftest import BuildFirmware
from tests.e2e.board import Board
from tests.vectors.reading import Case, cases

QUIET_S = 0.3
"""Longer than any of the answers takes, shorter than the time after which a FETCH is repeated."""


@pytest.fixture(scope="module")
def board(built: BuildFirmware) -> Iterator[Board]:
    made = built("thermostat", "photon", 2)
    with Board(made.folder / f"{made.product}.hex") as board:
        board.boot()
        yield board


def answers(board: Board, sent: bytes) -> list[Frame]:
    uart = board.device.uart(1)
    uart.read()
    uart.write(sent)
    board.device.run(len(sent) * 10 / 115_200 + QUIET_S)
    found = [item for item in FrameReader().feed(uart.read()) if isinstance(item, Frame)]
    return [item for item in found if item.type != Open.type]  # it looks for a server by itself


def test_device_answers_the_dialogue(board: Board) -> None:
    for case in cases("serial/dialogue.json"):
        found = [frame.to_bytes().hex() for frame in answers(board, bytes.fromhex(case["send"]))]
        assert found == case["answers"], case["name"]
    assert board.link.info().link_errors == 0


@pytest.mark.parametrize("case", cases("serial/frames.json"), ids=lambda case: case["name"])
def test_device_takes_every_golden_frame_for_one(board: Board, case: Case) -> None:
    """Most have a type without a meaning, or a body that is none: what counts is that none is broken."""
    before = board.link.info().link_errors
    answers(board, bytes.fromhex(case["frame"]))
    assert board.link.info().link_errors == before


@pytest.mark.parametrize("case", cases("serial/streams.json"), ids=lambda case: case["name"])
def test_device_counts_the_bad_frames_of_golden_streams(board: Board, case: Case) -> None:
    before = board.link.info().link_errors
    # Two delimiters end whatever the stream leaves open; only then is the next question a frame of its own.
    left_open = case["name"] == "no delimiter is shared"
    found = answers(board, bytes.fromhex(case["bytes"]) + (b"\x00\x00" if left_open else b""))
    assert board.link.info().link_errors - before == case["bad_frames"]
    questions = [item for item in case["items"] if item.get("type") == 0x01]
    assert len(found) == len(questions)
