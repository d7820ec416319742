# SPDX-License-Identifier: Apache-2.0
"""Vectors: FIPS 180 examples (NIST, example values) and the NIST CAVP byte-oriented short messages."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

FIPS_180 = [
    (
        b"abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ),
    (
        b"a" * 1_000_000,
        "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
        "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
    ),
]
CAVP = [
    (
        "",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
    (
        "21",
        "3831a6a6155e509dee59a7f451eb35324d8f8f2df6e3708894740f98fdee2388"
        "9f4de5adb0c5010dfb555cda77c8ab5dc902094c52de3278f35a75ebc25f093a",
    ),
]


def digest(machine: Machine, *pieces: bytes) -> bytes:
    sha = machine.new("struct ota_sha512 *")
    machine.lib.ota_sha512_init(sha)
    for piece in pieces:
        machine.lib.ota_sha512_update(sha, piece, len(piece))
    return machine.bytes_out(64, lambda out: machine.lib.ota_sha512_final(sha, out))


@pytest.mark.parametrize(("message", "expected"), FIPS_180, ids=["one block", "two blocks", "a million"])
def test_fips_180_examples(machine: Machine, message: bytes, expected: str) -> None:
    assert digest(machine, message).hex() == expected


@pytest.mark.parametrize(("message", "expected"), CAVP)
def test_cavp_short_messages(machine: Machine, message: str, expected: str) -> None:
    assert digest(machine, bytes.fromhex(message)).hex() == expected


@pytest.mark.parametrize("length", range(100, 300))
def test_every_length_around_the_block_borders(machine: Machine, length: int) -> None:
    message = bytes(index & 0xFF for index in range(length))
    assert digest(machine, message) == hashlib.sha512(message).digest()


@given(pieces=st.lists(st.binary(max_size=400), max_size=6))
def test_pieces_of_any_size_give_one_digest(machine: Machine, pieces: list[bytes]) -> None:
    assert digest(machine, *pieces) == hashlib.sha512(b"".join(pieces)).digest()
