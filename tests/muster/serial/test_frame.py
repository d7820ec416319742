# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import ValueOutOfRange
from muster.serial.frame import BODY_MAX, Frame, FrameReader, cobs_decode, cobs_encode
from tests.vectors.reading import Case, cases

FRAMES = cases("serial/frames.json")
STREAMS = cases("serial/streams.json")


def items_of(case: Case) -> list[Frame | bytes]:
    return [
        Frame(item["type"], bytes.fromhex(item["body"])) if "type" in item else bytes.fromhex(item["text"])
        for item in case["items"]
    ]


def joined(items: list[Frame | bytes]) -> list[Frame | bytes]:
    """Text that came in pieces in one."""
    found: list[Frame | bytes] = []
    for item in items:
        last = found[-1] if found else None
        if isinstance(item, bytes) and isinstance(last, bytes):
            found[-1] = last + item
        else:
            found.append(item)
    return found


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case["name"])
def test_golden_frames_are_written_and_read(case: Case) -> None:
    frame = Frame(case["type"], bytes.fromhex(case["body"]))
    assert frame.to_bytes().hex() == case["frame"]
    assert FrameReader().feed(bytes.fromhex(case["frame"])) == [frame]


@pytest.mark.parametrize("piece", [1, 3, 10_000])
@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case["name"])
def test_golden_streams_come_apart(case: Case, piece: int) -> None:
    raw = bytes.fromhex(case["bytes"])
    reader = FrameReader()
    items: list[Frame | bytes] = []
    for at in range(0, len(raw), piece):
        items += reader.feed(raw[at : at + piece])
    assert joined(items) == items_of(case)
    assert reader.bad_frames == case["bad_frames"]


@given(st.binary(max_size=600))
def test_cobs_leaves_no_zero_and_comes_back(raw: bytes) -> None:
    coded = cobs_encode(raw)
    assert 0 not in coded
    assert len(coded) <= len(raw) + len(raw) // 254 + 1
    assert cobs_decode(coded) == raw


@pytest.mark.parametrize("coded", [b"\x00", b"\x02", b"\x03\x01", b"\x03\x01\x00", b"\x01\x00"])
def test_what_is_no_cobs_is_refused(coded: bytes) -> None:
    assert cobs_decode(coded) is None


@given(st.binary(max_size=1500))
def test_frame_after_any_garbage_is_found(garbage: bytes) -> None:
    reader = FrameReader()
    reader.feed(garbage)
    assert Frame(7, b"body") in reader.feed(Frame(7, b"body").to_bytes())


@pytest.mark.parametrize(("kind", "body"), [(-1, b""), (256, b""), (0, bytes(BODY_MAX + 1))])
def test_frame_that_cannot_be_is_not_made(kind: int, body: bytes) -> None:
    with pytest.raises(ValueOutOfRange):
        Frame(kind, body)
