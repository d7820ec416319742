# SPDX-License-Identifier: Apache-2.0
"""Vectors: RFC 8439 section 2.8.2 and appendix A.5."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine

BAD = -21
KEYS = st.binary(min_size=32, max_size=32)
NONCES = st.binary(min_size=12, max_size=12)

KEY = bytes(range(0x80, 0xA0))
NONCE = bytes.fromhex("070000004041424344454647")
AAD = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
PLAINTEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
    b"for the future, sunscreen would be it."
)
SEALED = bytes.fromhex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
    "3ff4def08e4b7a9de576d26586cec64b6116"
    "1ae10b594f09e26a7e902ecbd0600691"
)


def seal(machine: Machine, key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    text, tag, span = machine.buffer(plaintext), machine.buffer(bytes(16)), machine.span(aad)
    machine.lib.ota_aead_seal(key, nonce, span[0], text, len(plaintext), tag)
    return bytes(machine.ffi.buffer(text, len(plaintext))) + bytes(machine.ffi.buffer(tag, 16))


def open_(machine: Machine, key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> tuple[int, bytes]:
    """Status, and what is then in the buffer."""
    text, span = machine.buffer(sealed[:-16]), machine.span(aad)
    status = machine.lib.ota_aead_open(key, nonce, span[0], text, len(sealed) - 16, sealed[-16:])
    return status, bytes(machine.ffi.buffer(text, len(sealed) - 16))


def test_rfc_8439_section_2_8_2(machine: Machine) -> None:
    assert seal(machine, KEY, NONCE, AAD, PLAINTEXT) == SEALED
    assert open_(machine, KEY, NONCE, AAD, SEALED) == (0, PLAINTEXT)


def test_rfc_8439_appendix_a_5(machine: Machine) -> None:
    """Its nonce uses the four bytes that 64-bit constructions have no place for."""
    key = bytes.fromhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
    nonce = bytes.fromhex("000000000102030405060708")
    aad = bytes.fromhex("f33388860000000000004e91")
    sealed = bytes.fromhex(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
        "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
        "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
        "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
        "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
        "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
        "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
        "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
        "a6ad5cb4022b02709b"
        "eead9d67890cbb22392336fea1851f38"
    )
    status, plaintext = open_(machine, key, nonce, aad, sealed)
    assert status == 0
    assert plaintext.startswith(b"Internet-Drafts are draft documents")


@settings(max_examples=60)
@given(key=KEYS, nonce=NONCES, aad=st.binary(max_size=40), plaintext=st.binary(max_size=300))
def test_agrees_with_another_implementation(
    machine: Machine, key: bytes, nonce: bytes, aad: bytes, plaintext: bytes
) -> None:
    sealed = seal(machine, key, nonce, aad, plaintext)
    assert sealed == ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)
    assert open_(machine, key, nonce, aad, sealed) == (0, plaintext)


def test_altered_byte_is_refused_and_nothing_is_decrypted(machine: Machine) -> None:
    for at in range(len(SEALED)):
        altered = SEALED[:at] + bytes((SEALED[at] ^ 0x80,)) + SEALED[at + 1 :]
        assert open_(machine, KEY, NONCE, AAD, altered) == (BAD, altered[:-16])


def test_other_key_nonce_and_aad_are_refused(machine: Machine) -> None:
    assert open_(machine, bytes(32), NONCE, AAD, SEALED)[0] == BAD
    assert open_(machine, KEY, bytes(12), AAD, SEALED)[0] == BAD
    assert open_(machine, KEY, NONCE, AAD[:-1], SEALED)[0] == BAD
