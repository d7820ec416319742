# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine
from tests.firmware.core.test_cobs import encode as cobs

BODY = st.one_of(st.binary(max_size=40), st.integers(900, 1024).map(lambda size: (bytes(range(256)) * 4)[-size:]))
# Log text has no 0x00.
TEXT = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"\n"))


def frame(kind: int, body: bytes, machine: Machine) -> bytes:
    out = machine.new("uint8_t[]", machine.lib.OTA_FRAME_MAX)
    length = machine.lib.ota_frame_encode(kind, machine.buffer(body), len(body), out)
    return bytes(machine.ffi.buffer(out, length))


class Decoder:
    """Takes bytes; keeps the frames, the log text and the number of bad frames."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._decoder: Any = machine.new("struct ota_frame_decoder *")
        machine.lib.ota_frame_decoder_init(self._decoder)
        self.frames: list[tuple[int, bytes]] = []
        self.text = b""
        self.bad = 0

    def push(self, raw: bytes) -> None:
        lib, decoder = self._machine.lib, self._decoder
        for byte in raw:
            event = lib.ota_frame_decoder_push(decoder, byte)
            if event == lib.OTA_FRAME_TEXT:
                self.text += bytes([byte])
            elif event == lib.OTA_FRAME_BAD:
                self.bad += 1
            elif event == lib.OTA_FRAME_DONE:
                body = bytes(self._machine.ffi.buffer(decoder.body, decoder.body_len))
                self.frames.append((int(decoder.type), body))


@pytest.mark.parametrize("size", [0, 1, 248, 249, 250, 253, 254, 255, 1023, 1024])
@pytest.mark.parametrize("filler", [b"\x00", b"\xff", b"\x01\x00"])
def test_bytes_of_a_frame(machine: Machine, size: int, filler: bytes) -> None:
    body = (filler * 1024)[:size]
    raw = bytes([0x42]) + body
    expected = b"\0" + cobs(machine, raw + zlib.crc32(raw).to_bytes(4, "little")) + b"\0"
    coded = frame(0x42, body, machine)
    assert coded == expected
    assert len(coded) <= machine.lib.OTA_FRAME_MAX
    decoder = Decoder(machine)
    decoder.push(coded)
    assert decoder.frames == [(0x42, body)]


def test_example_of_the_spec(machine: Machine) -> None:
    text = (Path(__file__).parents[3] / "docs" / "spec" / "serial_link.md").read_text(encoding="utf-8")
    example = re.search(r"A frame of type 1 without a body is `([0-9A-F ]+)`", text)
    assert example
    assert frame(1, b"", machine) == bytes.fromhex(example[1])


@given(parts=st.lists(st.tuples(st.integers(0, 255), BODY, TEXT), max_size=5), shared=st.booleans())
def test_frames_and_text_come_apart_again(
    machine: Machine, parts: list[tuple[int, bytes, bytes]], shared: bool
) -> None:
    """`shared` sends a second delimiter: two in a row are one."""
    decoder = Decoder(machine)
    for kind, body, text in parts:
        decoder.push(text + (b"\0" if shared else b"") + frame(kind, body, machine))
    assert decoder.frames == [(kind, body) for kind, body, _ in parts]
    assert decoder.text == b"".join(text for _, _, text in parts)
    assert decoder.bad == 0


@given(garbage=st.binary(max_size=1500), kind=st.integers(0, 255), body=BODY)
def test_frame_after_any_garbage_is_found(machine: Machine, garbage: bytes, kind: int, body: bytes) -> None:
    decoder = Decoder(machine)
    decoder.push(garbage)
    found = len(decoder.frames)
    decoder.push(frame(kind, body, machine))
    assert decoder.frames[found:] == [(kind, body)]


@given(at=st.integers(0, 2000), flip=st.integers(1, 255), body=BODY)
def test_damaged_frame_is_never_another_frame_and_costs_no_later_one(
    machine: Machine, at: int, flip: int, body: bytes
) -> None:
    damaged = bytearray(frame(7, body, machine))
    damaged[at % len(damaged)] ^= flip
    decoder = Decoder(machine)
    decoder.push(bytes(damaged))
    assert decoder.frames == []
    decoder.push(frame(8, b"next", machine))
    decoder.push(frame(9, b"after next", machine))
    assert decoder.frames[-2:] == [(8, b"next"), (9, b"after next")]


def test_stray_delimiter_costs_text_but_no_frame(machine: Machine) -> None:
    decoder = Decoder(machine)
    decoder.push(b"\0log line\n" + frame(1, b"body", machine) + b"more log\n" + frame(2, b"", machine))
    assert decoder.frames == [(1, b"body"), (2, b"")]
    assert decoder.text == b"more log\n"
    assert decoder.bad == 1


def test_text_after_a_stray_delimiter_is_text_again_once_it_is_longer_than_a_frame(machine: Machine) -> None:
    decoder = Decoder(machine)
    limit = machine.lib.OTA_FRAME_CODED_MAX
    decoder.push(b"\0" + b"x" * limit)
    assert (decoder.bad, decoder.text) == (0, b"")
    decoder.push(b"x")
    assert (decoder.bad, decoder.text) == (1, b"")
    decoder.push(b"text")
    assert decoder.text == b"text"


def test_body_above_the_limit_is_no_frame(machine: Machine) -> None:
    for size, count in ((1024, 1), (1025, 0)):
        raw = b"\x01" + bytes([1]) * size
        decoder = Decoder(machine)
        decoder.push(b"\0" + cobs(machine, raw + zlib.crc32(raw).to_bytes(4, "little")) + b"\0")
        assert len(decoder.frames) == count


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x02\x03\x04", zlib.crc32(b"").to_bytes(4, "little")])
def test_frame_without_room_for_type_and_crc_is_bad(machine: Machine, raw: bytes) -> None:
    decoder = Decoder(machine)
    decoder.push(b"\0" + cobs(machine, raw) + b"\0")
    assert (decoder.frames, decoder.bad) == ([], 1)
