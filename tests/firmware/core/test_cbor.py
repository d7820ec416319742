# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

UINT32 = st.integers(0, 2**32 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


class Reader:
    """struct ota_cbor_reader over a copy of the bytes."""

    def __init__(self, machine: Machine, raw: bytes) -> None:
        self._machine = machine
        self._bytes = machine.buffer(raw)
        self.reader = machine.new("struct ota_cbor_reader *")
        machine.lib.ota_cbor_reader_init(self.reader, self._bytes, len(raw))

    @property
    def left(self) -> int:
        return int(self.reader.len)

    def number(self, name: str) -> int | None:
        """`name`: uint, int, array, map."""
        value = self._machine.new("int32_t *" if name == "int" else "uint32_t *")
        read: Callable[[Any, Any], bool] = getattr(self._machine.lib, f"ota_cbor_read_{name}")
        return int(value[0]) if read(self.reader, value) else None

    def string(self, name: str) -> bytes | None:
        """`name`: bytes, text."""
        span = self._machine.new("struct ota_span *")
        read: Callable[[Any, Any], bool] = getattr(self._machine.lib, f"ota_cbor_read_{name}")
        return bytes(self._machine.ffi.buffer(span.bytes, span.len)) if read(self.reader, span) else None

    def at_end(self) -> bool:
        return bool(self._machine.lib.ota_cbor_reader_at_end(self.reader))


@given(value=UINT32)
def test_unsigned_integers_round_trip(machine: Machine, value: int) -> None:
    raw = cbor2.dumps(value)
    reader = Reader(machine, raw)
    assert reader.number("uint") == value
    assert reader.at_end()
    assert written(machine, lambda writer: machine.lib.ota_cbor_write_uint(writer, value)) == raw


@given(value=INT32)
def test_signed_integers_round_trip(machine: Machine, value: int) -> None:
    raw = cbor2.dumps(value)
    assert Reader(machine, raw).number("int") == value
    assert written(machine, lambda writer: machine.lib.ota_cbor_write_int(writer, value)) == raw


@given(content=st.binary(max_size=300))
def test_byte_strings_round_trip(machine: Machine, content: bytes) -> None:
    raw = cbor2.dumps(content)
    reader = Reader(machine, raw)
    assert reader.string("bytes") == content
    assert reader.at_end()
    assert written(machine, lambda writer: machine.lib.ota_cbor_write_bytes(writer, content, len(content))) == raw


@given(content=st.text(max_size=100))
def test_text_round_trips(machine: Machine, content: str) -> None:
    raw, utf8 = cbor2.dumps(content), content.encode()
    assert Reader(machine, raw).string("text") == utf8
    assert written(machine, lambda writer: machine.lib.ota_cbor_write_text(writer, utf8, len(utf8))) == raw


@pytest.mark.parametrize("count", [0, 1, 23, 24, 255, 256, 65535, 65536])
def test_array_and_map_heads_round_trip(machine: Machine, count: int) -> None:
    array = written(machine, lambda writer: machine.lib.ota_cbor_write_array(writer, count))
    mapping = written(machine, lambda writer: machine.lib.ota_cbor_write_map(writer, count))
    assert cbor2.dumps([0] * count).startswith(array)
    assert Reader(machine, array).number("array") == count
    assert Reader(machine, mapping).number("map") == count
    assert Reader(machine, mapping).number("array") is None


def test_nil_round_trips(machine: Machine) -> None:
    assert written(machine, machine.lib.ota_cbor_write_nil) == cbor2.dumps(None)
    reader = Reader(machine, b"\xf6\xf6\xf5")
    assert machine.lib.ota_cbor_read_nil(reader.reader)
    assert machine.lib.ota_cbor_read_nil(reader.reader)
    assert not machine.lib.ota_cbor_read_nil(reader.reader)
    assert reader.left == 1


@pytest.mark.parametrize(
    "raw",
    [
        "1800",  # fits the initial byte
        "1817",
        "190000",  # fits one byte
        "1900ff",
        "1a00000000",  # fits two bytes
        "1a0000ffff",
        "1b0000000000000001",  # 64 bits
        "1b0000000100000000",
        "1c",  # reserved
        "1f",  # indefinite
        "",
        "18",  # cut short
        "1901",
        "1a010000",
    ],
)
def test_longer_reserved_and_cut_heads_are_refused(machine: Machine, raw: str) -> None:
    reader = Reader(machine, bytes.fromhex(raw))
    assert reader.number("uint") is None
    assert reader.left == len(raw) // 2


@pytest.mark.parametrize("raw", ["5f41004100ff", "580100", "4200", "5affffffff00", "5900ff", "41"])
def test_byte_strings_of_other_forms_are_refused(machine: Machine, raw: str) -> None:
    reader = Reader(machine, bytes.fromhex(raw))
    assert reader.string("bytes") is None
    assert reader.left == len(raw) // 2


@pytest.mark.parametrize("raw", ["1a80000000", "3a80000000"])
def test_integers_beyond_32_bits_signed_are_refused(machine: Machine, raw: str) -> None:
    assert Reader(machine, bytes.fromhex(raw)).number("int") is None


@given(raw=st.binary(max_size=12))
def test_only_deterministic_encodings_are_read(machine: Machine, raw: bytes) -> None:
    """Whatever is accepted is what a deterministic encoder writes."""
    reader = Reader(machine, raw)
    number = reader.number("int")
    if number is not None:
        assert raw.startswith(cbor2.dumps(number))
        assert reader.left == len(raw) - len(cbor2.dumps(number))
    reader = Reader(machine, raw)
    content = reader.string("bytes")
    if content is not None:
        assert raw.startswith(cbor2.dumps(content))


@given(value=UINT32, lowest=UINT32, highest=UINT32)
def test_range_keeps_what_is_outside_unread(machine: Machine, value: int, lowest: int, highest: int) -> None:
    reader = Reader(machine, cbor2.dumps(value))
    found = machine.new("uint32_t *")
    is_inside = lowest <= value <= highest
    assert machine.lib.ota_cbor_read_range(reader.reader, lowest, highest, found) == is_inside
    assert reader.at_end() == is_inside


def test_key_is_one_exact_integer(machine: Machine) -> None:
    reader = Reader(machine, b"\x07\x08")
    assert not machine.lib.ota_cbor_read_key(reader.reader, 8)
    assert machine.lib.ota_cbor_read_key(reader.reader, 7)
    assert machine.lib.ota_cbor_read_key(reader.reader, 8)


@pytest.mark.parametrize("size", range(9))
def test_what_does_not_fit_is_an_error_and_writes_nothing_behind(machine: Machine, size: int) -> None:
    out = machine.new("uint8_t[]", b"\xee" * 16)
    writer = machine.new("struct ota_cbor_writer *")
    machine.lib.ota_cbor_writer_init(writer, out, size)
    machine.lib.ota_cbor_write_uint(writer, 70_000)  # 5 bytes
    machine.lib.ota_cbor_write_bytes(writer, b"abc", 3)  # 4 bytes
    length = machine.new("uint32_t *")
    assert machine.lib.ota_cbor_writer_finish(writer, length) == -43
    assert bytes(machine.ffi.buffer(out))[size:] == b"\xee" * (16 - size) + b"\0"


def test_byte_string_head_stands_alone(machine: Machine) -> None:
    raw = written(machine, lambda writer: machine.lib.ota_cbor_write_bytes_head(writer, 300))
    assert raw == cbor2.dumps(bytes(300))[:3]


def written(machine: Machine, write: Callable[[Any], object]) -> bytes:
    out = machine.new("uint8_t[]", 512)
    writer = machine.new("struct ota_cbor_writer *")
    machine.lib.ota_cbor_writer_init(writer, out, 512)
    write(writer)
    length = machine.new("uint32_t *")
    assert machine.lib.ota_cbor_writer_finish(writer, length) == 0
    return bytes(machine.ffi.buffer(out, length[0]))
