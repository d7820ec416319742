# SPDX-License-Identifier: Apache-2.0
"""Examples from Cheshire and Baker's paper and from its later descriptions; a slow second implementation below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

ERR_FRAME = -60
EXAMPLES = [
    ("", "01"),
    ("00", "0101"),
    ("0000", "010101"),
    ("001100", "01021101"),
    ("11220033", "0311220233"),
    ("11223344", "0511223344"),
    ("11000000", "0211010101"),
    (bytes(range(1, 255)).hex(), "ff" + bytes(range(1, 255)).hex()),
    (bytes(range(255)).hex(), "01ff" + bytes(range(1, 255)).hex()),
    (bytes(range(1, 256)).hex(), "ff" + bytes(range(1, 255)).hex() + "02ff"),
    ((bytes(range(2, 256)) + b"\0").hex(), "ff" + bytes(range(2, 256)).hex() + "0101"),
    ((bytes(range(3, 256)) + b"\0\1").hex(), "fe" + bytes(range(3, 256)).hex() + "0201"),
]
# Runs of zeros and of other bytes, so that full blocks come up.
CONTENT = st.lists(
    st.one_of(st.binary(max_size=5), st.integers(250, 260).map(lambda size: b"x" * size)), max_size=6
).map(b"".join)


def encode(machine: Machine, raw: bytes) -> bytes:
    out = machine.new("uint8_t[]", len(raw) + len(raw) // 254 + 1)
    length = machine.lib.ota_cobs_encode(machine.buffer(raw), len(raw), out)
    return bytes(machine.ffi.buffer(out, length))


def decode(machine: Machine, coded: bytes) -> bytes | int:
    buffer = machine.buffer(coded)
    length = machine.new("uint32_t *")
    status: int = machine.lib.ota_cobs_decode(buffer, len(coded), length)
    return bytes(machine.ffi.buffer(buffer, length[0])) if status == 0 else status


def plain_decode(coded: bytes) -> bytes | None:
    out = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        block = coded[at + 1 : at + code]
        if code == 0 or len(block) != code - 1 or 0 in block:
            return None
        at += code
        out += block
        if code < 255 and at < len(coded):
            out.append(0)
    return bytes(out)


@pytest.mark.parametrize(("raw", "coded"), EXAMPLES)
def test_examples(machine: Machine, raw: str, coded: str) -> None:
    assert encode(machine, bytes.fromhex(raw)).hex() == coded
    assert decode(machine, bytes.fromhex(coded)) == bytes.fromhex(raw)


@given(raw=CONTENT)
def test_round_trip_has_no_zero(machine: Machine, raw: bytes) -> None:
    coded = encode(machine, raw)
    assert 0 not in coded
    assert len(coded) <= len(raw) + len(raw) // 254 + 1
    assert decode(machine, coded) == raw


@given(coded=st.one_of(st.binary(max_size=20), CONTENT))
def test_garbage_is_decoded_or_refused_as_by_the_second_implementation(machine: Machine, coded: bytes) -> None:
    expected = plain_decode(coded)
    assert decode(machine, coded) == (ERR_FRAME if expected is None else expected)


def test_block_that_claims_more_than_there_is_is_refused(machine: Machine) -> None:
    """Also where something that fits stands behind the end."""
    for size in range(1, 5):
        buffer = machine.buffer(b"\x05\x11\x22\x33\x44")
        assert machine.lib.ota_cobs_decode(buffer, size, machine.new("uint32_t *")) == ERR_FRAME
