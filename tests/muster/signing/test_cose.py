# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import MusterError, SignatureFormatError, ValueOutOfRange
from muster.signing.cose import COSE_SIGN1_SIZE, CoseSign1, signed_bytes
from muster.signing.keys import PrivateKey
from muster.signing.signer import KeySigner, sign_detached
from tests.vectors.reading import Case, cases, key_seed


@pytest.mark.parametrize("case", cases("image/cose.json"), ids=lambda case: case["name"])
def test_golden_signature(case: Case) -> None:
    key = PrivateKey(key_seed(case["key"]))
    aad, payload = bytes.fromhex(case["external_aad"]), bytes.fromhex(case["payload"])
    sign1 = CoseSign1.from_bytes(bytes.fromhex(case["sign1"]))
    message = signed_bytes(sign1.key_id, aad, payload)
    assert message.hex() == case["sig_structure"]
    assert key.public_key.holds(sign1.signature, message) == (case["status"] == 0)
    if case["status"] == 0:
        assert sign_detached(KeySigner(key), aad, payload) == sign1


def test_sig_structure_is_that_of_rfc_9052() -> None:
    sign1 = CoseSign1(b"12345678", bytes(64))
    protected, unprotected, payload, signature = cbor2.loads(sign1.to_bytes())
    assert (unprotected, payload, signature) == ({}, None, bytes(64))
    assert cbor2.loads(protected) == {1: -8, 4: b"12345678"}
    for length in (0, 23, 24, 255, 256, 70_000):
        body = bytes(length)
        structure = cbor2.dumps(["Signature1", protected, b"aad", body], canonical=True)
        assert signed_bytes(b"12345678", b"aad", body) == structure


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=64, max_size=64))
def test_every_signature_survives_its_encoding(key_id: bytes, signature: bytes) -> None:
    sign1 = CoseSign1(key_id, signature)
    raw = sign1.to_bytes()
    assert len(raw) == COSE_SIGN1_SIZE
    assert CoseSign1.from_bytes(raw) == sign1
    assert CoseSign1.from_value(cbor2.loads(raw)) == sign1


@given(st.binary(max_size=90) | st.binary(min_size=83, max_size=83))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MusterError):
        CoseSign1.from_bytes(raw)


def test_every_fixed_byte_counts() -> None:
    raw = CoseSign1(b"12345678", bytes(64)).to_bytes()
    for at in (*range(7), *range(15, 19)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            with pytest.raises(SignatureFormatError):
                CoseSign1.from_bytes(bytes(changed))


@pytest.mark.parametrize(("key_id", "signature"), [(bytes(7), bytes(64)), (bytes(8), bytes(63))])
def test_parts_of_other_length_cannot_be_made(key_id: bytes, signature: bytes) -> None:
    with pytest.raises(ValueOutOfRange):
        CoseSign1(key_id, signature)
