# SPDX-License-Identifier: Apache-2.0
"""Vectors: FIPS 180 examples (NIST, example values) and the NIST CAVP byte-oriented short messages."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

FIPS_180 = [
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
]
CAVP = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("d3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
    ("11af", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"),
    ("b4190e", "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"),
]


def digest(machine: Machine, *pieces: bytes) -> bytes:
    sha = machine.new("struct ota_sha256 *")
    machine.lib.ota_sha256_init(sha)
    for piece in pieces:
        machine.lib.ota_sha256_update(sha, piece, len(piece))
    return machine.bytes_out(32, lambda out: machine.lib.ota_sha256_final(sha, out))


@pytest.mark.parametrize(("message", "expected"), FIPS_180, ids=["one block", "two blocks", "a million"])
def test_fips_180_examples(machine: Machine, message: bytes, expected: str) -> None:
    assert digest(machine, message).hex() == expected


@pytest.mark.parametrize(("message", "expected"), CAVP)
def test_cavp_short_messages(machine: Machine, message: str, expected: str) -> None:
    assert digest(machine, bytes.fromhex(message)).hex() == expected


@pytest.mark.parametrize("length", range(200))
def test_every_length_around_the_block_borders(machine: Machine, length: int) -> None:
    message = bytes(index & 0xFF for index in range(length))
    assert digest(machine, message) == hashlib.sha256(message).digest()


@given(pieces=st.lists(st.binary(max_size=300), max_size=6))
def test_pieces_of_any_size_give_one_digest(machine: Machine, pieces: list[bytes]) -> None:
    assert digest(machine, *pieces) == hashlib.sha256(b"".join(pieces)).digest()


@given(head=st.binary(max_size=200), tail=st.binary(max_size=200))
def test_state_saved_as_bytes_goes_on_after_a_restart(machine: Machine, head: bytes, tail: bytes) -> None:
    sha = machine.new("struct ota_sha256 *")
    machine.lib.ota_sha256_init(sha)
    machine.lib.ota_sha256_update(sha, head, len(head))
    saved = bytes(machine.ffi.buffer(sha))

    restored = machine.new("struct ota_sha256 *")
    machine.ffi.memmove(restored, saved, len(saved))
    machine.lib.ota_sha256_update(restored, tail, len(tail))
    out = machine.bytes_out(32, lambda out: machine.lib.ota_sha256_final(restored, out))
    assert out == hashlib.sha256(head + tail).digest()


def test_digest_of_a_whole_message(machine: Machine) -> None:
    out = machine.bytes_out(32, lambda out: machine.lib.ota_sha256_digest(b"abc", 3, out))
    assert out.hex() == FIPS_180[0][1]


def test_length_beyond_32_bits_of_bits_is_counted(machine: Machine) -> None:
    """512 MiB are 2^32 bits: the upper half of the length word is used."""
    sha = machine.new("struct ota_sha256 *")
    machine.lib.ota_sha256_init(sha)
    sha.len = 0x2000_0000  # as if so many zero blocks had not changed the state
    out = machine.bytes_out(32, lambda out: machine.lib.ota_sha256_final(sha, out))
    block = b"\x80" + bytes(55) + (0x1_0000_0000).to_bytes(8, "big")
    state = machine.new("struct ota_sha256 *")
    machine.lib.ota_sha256_init(state)
    machine.lib.ota_sha256_update(state, block, 64)
    assert out == b"".join(word.to_bytes(4, "big") for word in state.state)
