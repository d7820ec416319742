# SPDX-License-Identifier: Apache-2.0
"""COSE_Sign1 in the one form that Muster uses (docs/spec/image.md section 4.2; RFC 9052 section 4.2, RFC 8032)."""

from __future__ import annotations

from dataclasses import dataclass

from muster import cbor
from muster.errors import SignatureFormatError, ValueOutOfRange

KEY_ID_SIZE = 8
SIGNATURE_SIZE = 64
COSE_SIGN1_SIZE = 83

AAD_MANIFEST = b"muster.manifest"
AAD_KEYSET = b"muster.keyset"

_ALG_EDDSA = -8


@dataclass(frozen=True, slots=True)
class CoseSign1:
    """An untagged COSE_Sign1 by Ed25519 with a detached payload.

    Attributes:
        key_id: the first 8 bytes of the SHA-256 of the public key.
        signature: 64 bytes.
    """

    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID_SIZE or len(self.signature) != SIGNATURE_SIZE:
            raise ValueOutOfRange("a key id has 8 bytes, a signature 64")

    def to_bytes(self) -> bytes:
        """The 83 bytes."""
        return cbor.dumps(self.to_value())

    def to_value(self) -> list[object]:
        """The CBOR array, to be embedded in another one."""
        return [protected_header(self.key_id), {}, None, self.signature]

    @classmethod
    def from_bytes(cls, raw: bytes) -> CoseSign1:
        """Parses the exact form.

        Raises:
            SignatureFormatError: anything else.
        """
        # The form is fixed to the byte, so that comparing with what the parts encode to is the whole parser.
        if len(raw) == COSE_SIGN1_SIZE:
            parsed = cls(raw[7:15], raw[-SIGNATURE_SIZE:])
            if parsed.to_bytes() == raw:
                return parsed
        raise SignatureFormatError("not a COSE_Sign1 by Ed25519 with key id and detached payload")

    @classmethod
    def from_value(cls, value: object) -> CoseSign1:
        """The same for a CBOR array that was embedded in another one."""
        return cls.from_bytes(cbor.dumps(value))


def protected_header(key_id: bytes) -> bytes:
    """The protected header: {1 (alg): -8 (EdDSA), 4 (kid): key id}."""
    return cbor.dumps({1: _ALG_EDDSA, 4: key_id})


def signed_bytes(key_id: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """The Sig_structure: the bytes that the Ed25519 signature is over."""
    # "Signature1" is the one text string in it, so it is written by hand: 0x6A is a text of ten bytes.
    rest = (protected_header(key_id), external_aad, payload)
    return b"\x84\x6aSignature1" + b"".join(cbor.dumps(part) for part in rest)
