# SPDX-License-Identifier: Apache-2.0
"""Opening a session: the request and its answer (docs/spec/device_protocol.md section 1)."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muster.errors import ValueOutOfRange
from muster.protocol import codec
from muster.protocol.errors import MessageFormatError, SignatureRefused, UnknownOnlineKey
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.signer import Signer

DEVICE_ID_SIZE = 12
KEY_SIZE = 32
SHARE_SIZE = 32
NONCE_SIZE = 16
SESSION_ID_SIZE = 8
DIGEST_SIZE = 32
KEY_ID_SIZE = 8
SIGNATURE_SIZE = 64

REQUEST_SIZE_MAX = 1008
ANSWER_SIZE_MAX = 1008
REFERENCES_MAX = 3

AAD_OPEN = b"muster.open"
AAD_OPENED = b"muster.opened"

_PROTECTED_REQUEST = codec.dumps({1: -8})
_PROTECTED_ANSWER_HEAD = bytes.fromhex("A2012704") + b"\x48"


@dataclass(frozen=True, slots=True)
class KeySetReference:
    """Where a device finds a key set that is newer than its own.

    Attributes:
        version: u32, at least 1.
        digest: SHA-256 of the key set's bytes; the name it is fetched by.
        length: of the key set, bytes.
    """

    version: int
    digest: bytes
    length: int

    def __post_init__(self) -> None:
        codec.check_uint(self.version, "key set version", lowest=1)
        codec.check_bytes(self.digest, "key set digest", DIGEST_SIZE)
        codec.check_uint(self.length, "key set length", lowest=1)

    def to_value(self) -> list[object]:
        return [self.version, self.digest, self.length]

    @classmethod
    def from_value(cls, value: object) -> KeySetReference:
        version, digest, length = codec.check_list(value, "key set reference", 3)
        return cls(version, digest, length)  # type: ignore[arg-type]  # checked in __post_init__


def check_references(references: Sequence[KeySetReference]) -> None:
    """Raises ValueOutOfRange for more than three, or for versions that do not rise."""
    if len(references) > REFERENCES_MAX:
        raise ValueOutOfRange(f"{len(references)} key set references, at most {REFERENCES_MAX} are sent at once")
    versions = [reference.version for reference in references]
    if any(later <= earlier for earlier, later in itertools.pairwise(versions)):
        raise ValueOutOfRange("versions of key set references do not rise")


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What a device says when it opens a session.

    Attributes:
        device_id: 12 bytes.
        device_key: the device's Ed25519 public key.
        share: X25519 public value, fresh.
        nonce: 16 random bytes.
        product_id, platform_id: u16.
        keyset_version: u32; 0 without a key set.
    """

    device_id: bytes
    device_key: bytes
    share: bytes
    nonce: bytes
    product_id: int
    platform_id: int
    keyset_version: int

    def __post_init__(self) -> None:
        codec.check_bytes(self.device_id, "device id", DEVICE_ID_SIZE)
        codec.check_bytes(self.device_key, "device key", KEY_SIZE)
        codec.check_bytes(self.share, "share", SHARE_SIZE)
        codec.check_bytes(self.nonce, "nonce", NONCE_SIZE)
        codec.check_uint(self.product_id, "product id", codec.U16_MAX)
        codec.check_uint(self.platform_id, "platform id", codec.U16_MAX)
        codec.check_uint(self.keyset_version, "key set version")

    def to_payload(self) -> bytes:
        values = (
            self.device_id,
            self.device_key,
            self.share,
            self.nonce,
            self.product_id,
            self.platform_id,
            self.keyset_version,
        )
        return codec.dumps(dict(enumerate(values, 1)))

    def sign(self, key: PrivateKey) -> bytes:
        """The request's bytes. `key` should be the one whose public half is in the request."""
        payload = self.to_payload()
        signature = key.sign(_signed_bytes(_PROTECTED_REQUEST, AAD_OPEN, payload))
        return _sign1(_PROTECTED_REQUEST, payload, signature)

    @classmethod
    def from_bytes(cls, raw: bytes) -> OpenRequest:
        """Parses a request and checks that the device key in it signed it.

        Raises:
            MessageFormatError: not of the form, or too long.
            SignatureRefused: the signature does not hold.
        """
        if len(raw) > REQUEST_SIZE_MAX:
            raise MessageFormatError(f"a request has at most {REQUEST_SIZE_MAX} bytes")
        protected, payload, signature = _split_sign1(raw)
        if protected != _PROTECTED_REQUEST:
            raise MessageFormatError("protected header is not {1: -8}")
        values = codec.load_map(payload, "opening request")
        request = codec.parsed(lambda: cls(*(codec.need(values, key, _REQUEST_NAMES[key]) for key in range(1, 8))))  # type: ignore[arg-type]
        if not PublicKey(request.device_key).holds(signature, _signed_bytes(protected, AAD_OPEN, payload)):
            raise SignatureRefused("the opening is not signed by the device key in it")
        return request


_REQUEST_NAMES = {
    1: "device id",
    2: "device key",
    3: "share",
    4: "nonce",
    5: "product id",
    6: "platform id",
    7: "key set version",
}


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """The server's answer to an opening; parsed, and believed only after `verify`.

    Attributes:
        session_id: 8 bytes.
        share: X25519 public value, fresh.
        key_id: of the online key that signed it.
        references: key sets that the device lacks, oldest first; outside the signature.
    """

    session_id: bytes
    share: bytes
    key_id: bytes
    references: tuple[KeySetReference, ...]
    _payload: bytes
    _signature: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> OpenAnswer:
        """Parses the form.

        Raises:
            MessageFormatError: anything else.
        """
        if len(raw) > ANSWER_SIZE_MAX:
            raise MessageFormatError(f"an answer has at most {ANSWER_SIZE_MAX} bytes")
        return codec.parsed(lambda: cls._from_value(codec.loads(raw)))

    @classmethod
    def _from_value(cls, value: object) -> OpenAnswer:
        sign1, references = codec.check_list(value, "answer", 2)
        if type(sign1) is not bytes or type(references) is not list:
            raise ValueOutOfRange("answer is not a COSE_Sign1 and an array of references")
        protected, payload, signature = _split_sign1(sign1)
        if len(protected) != 13 or protected[:5] != _PROTECTED_ANSWER_HEAD:
            raise ValueOutOfRange("protected header is not {1: -8, 4: key id}")
        values = codec.load_map(payload, "answer")
        parsed_references = tuple(KeySetReference.from_value(item) for item in references)
        check_references(parsed_references)
        return cls(
            codec.check_bytes(codec.need(values, 1, "session id"), "session id", SESSION_ID_SIZE),
            codec.check_bytes(codec.need(values, 2, "share"), "share", SHARE_SIZE),
            protected[5:],
            parsed_references,
            payload,
            signature,
        )

    def verify(self, request_digest: bytes, online_keys: Iterable[PublicKey]) -> None:
        """Checks that one of the online keys answered this very request.

        Raises:
            UnknownOnlineKey: the answer names none of them.
            SignatureRefused: the signature does not hold.
        """
        key = next((key for key in online_keys if key.key_id == self.key_id), None)
        if key is None:
            raise UnknownOnlineKey("the answer is signed by a key that is in none of the device's key sets")
        signed = _signed_bytes(_protected_answer(self.key_id), AAD_OPENED + request_digest, self._payload)
        if not key.holds(self._signature, signed):
            raise SignatureRefused("the answer is not the online key's answer to this request")


def sign_answer(
    signer: Signer, request_digest: bytes, session_id: bytes, share: bytes, references: Sequence[KeySetReference] = ()
) -> bytes:
    """The bytes of an answer.

    Raises:
        ValueOutOfRange: a size, or the references.
    """
    codec.check_bytes(session_id, "session id", SESSION_ID_SIZE)
    codec.check_bytes(share, "share", SHARE_SIZE)
    check_references(references)
    protected = _protected_answer(signer.key_id)
    payload = codec.dumps({1: session_id, 2: share})
    signature = signer.sign(_signed_bytes(protected, AAD_OPENED + request_digest, payload))
    return codec.dumps([_sign1(protected, payload, signature), [reference.to_value() for reference in references]])


def opening_digest(request: bytes) -> bytes:
    """SHA-256 of the request's bytes: names the opening, and salts the session key."""
    return hashlib.sha256(request).digest()


def _protected_answer(key_id: bytes) -> bytes:
    return _PROTECTED_ANSWER_HEAD + key_id


def _sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    return codec.dumps([protected, {}, payload, signature])


def _split_sign1(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and signature of an untagged COSE_Sign1 (RFC 9052 section 4.2)."""
    value = codec.loads(raw)
    if type(value) is list and len(value) == 4:
        protected, unprotected, payload, signature = value
        if (
            type(protected) is bytes
            and unprotected == {}
            and type(payload) is bytes
            and type(signature) is bytes
            and len(signature) == SIGNATURE_SIZE
        ):
            return protected, payload, signature
    raise MessageFormatError("not a COSE_Sign1 with an empty unprotected header and its payload attached")


def _signed_bytes(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """The Sig_structure (RFC 9052 section 4.4)."""
    return codec.dumps(["Signature1", protected, external_aad, payload])
