# SPDX-License-Identifier: Apache-2.0
"""Vectors: RFC 5869 appendix A (SHA-256) and RFC 4231 (HMAC)."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

# input, salt, info, output
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


def hkdf(machine: Machine, salt: bytes, key: bytes, info: bytes, size: int) -> bytes:
    spans = machine.spans(salt, key, info)
    return machine.bytes_out(size, lambda out: machine.lib.ota_hkdf_sha256(spans[0], spans[1], spans[2], out, size))


@pytest.mark.parametrize(("key", "salt", "info", "expected"), RFC_5869, ids=["A.1", "A.2", "A.3"])
def test_rfc_5869_vectors(machine: Machine, key: str, salt: str, info: str, expected: str) -> None:
    made = hkdf(machine, bytes.fromhex(salt), bytes.fromhex(key), bytes.fromhex(info), len(expected) // 2)
    assert made.hex() == expected


def test_rfc_4231_vector_with_a_key_longer_than_a_block(machine: Machine) -> None:
    pieces = machine.spans(b"Test Using Larger Than Block-Size Key", b" - Hash Key First")
    key = machine.span(b"\xaa" * 131)
    mac = machine.bytes_out(32, lambda out: machine.lib.ota_hmac_sha256(key[0], pieces, 2, out))
    assert mac.hex() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


@settings(max_examples=40)
@given(salt=st.binary(max_size=80), key=st.binary(max_size=80), info=st.binary(max_size=80), size=st.integers(1, 8160))
def test_agrees_with_another_implementation(machine: Machine, salt: bytes, key: bytes, info: bytes, size: int) -> None:
    assert hkdf(machine, salt, key, info, size) == HKDF(SHA256(), size, salt, info).derive(key)


@settings(max_examples=40)
@given(key=st.binary(max_size=140), pieces=st.lists(st.binary(max_size=70), max_size=3))
def test_hmac_agrees_with_another_implementation(machine: Machine, key: bytes, pieces: list[bytes]) -> None:
    spans, key_span = machine.spans(*pieces), machine.span(key)
    mac = machine.bytes_out(32, lambda out: machine.lib.ota_hmac_sha256(key_span[0], spans, len(pieces), out))
    assert mac == hmac.digest(key, b"".join(pieces), "sha256")
