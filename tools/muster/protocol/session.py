# SPDX-License-Identifier: Apache-2.0
"""The two ends of a session (docs/spec/device_protocol.md sections 1 and 2).

The server's end is functions: its state is rows of a database, and its rules about them (a counter above the last,
pending and current session) belong to one commit there. The device's end is an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from muster.protocol import opening, seal
from muster.protocol.answer import Answer
from muster.protocol.errors import KeyAgreementRefused, SealRefused, SessionStateError
from muster.protocol.opening import KeySetReference, OpenAnswer, OpenRequest
from muster.protocol.report import Report
from muster.protocol.seal import SealedMessage
from muster.protocol.state import DeviceState, StateMemory
from muster.signing.keys import PrivateKey, PublicKey
from muster.signing.signer import Signer

INFO_SESSION = b"muster.session"
SESSION_KEY_SIZE = 32


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What both ends keep of a session.

    Attributes:
        session_id: 8 bytes.
        key: 32 bytes, secret.
        request_digest: SHA-256 of the opening request.
    """

    session_id: bytes
    key: bytes = field(repr=False)
    request_digest: bytes


def share_of(share_secret: bytes) -> bytes:
    """The X25519 public value of a 32-byte secret (RFC 7748 section 6.1)."""
    return X25519PrivateKey.from_private_bytes(share_secret).public_key().public_bytes_raw()


def derive_key(share_secret: bytes, other_share: bytes, request_digest: bytes, session_id: bytes) -> bytes:
    """The session key: HKDF-SHA-256 (RFC 5869) over the X25519 result.

    Raises:
        KeyAgreementRefused: that result is all zero.
    """
    try:
        shared = X25519PrivateKey.from_private_bytes(share_secret).exchange(
            X25519PublicKey.from_public_bytes(other_share)
        )
    except ValueError as error:
        raise KeyAgreementRefused("the X25519 share is of small order") from error
    return HKDF(SHA256(), SESSION_KEY_SIZE, salt=request_digest, info=INFO_SESSION + session_id).derive(shared)


def accept_opening(
    request: bytes,
    signer: Signer,
    share_secret: bytes,
    session_id: bytes,
    references: Sequence[KeySetReference] = (),
) -> tuple[bytes, SessionKeys]:
    """The server's answer to an opening, and the session it makes.

    Whether this device may open one, and that the same request gets the same answer, is the caller's business.

    Args:
        request: as received; see OpenRequest.from_bytes for who it claims to be.
        signer: the online key.
        share_secret: 32 random bytes, never used before.
        session_id: 8 bytes, never used before.
        references: key sets that the device lacks, oldest first, at most 3.

    Raises:
        MessageFormatError: the request is not of the form.
        SignatureRefused, KeyAgreementRefused: it is not believed.
        ValueOutOfRange: a size, or the references.
    """
    parsed = OpenRequest.from_bytes(request)
    digest = opening.opening_digest(request)
    key = derive_key(share_secret, parsed.share, digest, session_id)
    answer = opening.sign_answer(signer, digest, session_id, share_of(share_secret), references)
    return answer, SessionKeys(session_id, key, digest)


def open_report(session_id: bytes, key: bytes, message: bytes | SealedMessage) -> tuple[int, Report]:
    """Counter and report of a message from a device. Whether the counter is above the last is for the caller's commit.

    Raises:
        MessageFormatError: not of the form.
        SealRefused: it is of another session, or cannot be opened.
    """
    sealed = SealedMessage.from_bytes(message) if isinstance(message, bytes) else message
    if sealed.session_id != session_id:
        raise SealRefused("the message is of another session")
    return sealed.counter, Report.from_bytes(sealed.open(key))


def seal_answer(session_id: bytes, key: bytes, counter: int, answer: Answer) -> bytes:
    """The one answer to the message with this counter.

    Raises:
        ValueOutOfRange: it would be longer than an answer may be.
    """
    return seal.seal_down(session_id, key, counter, answer.to_bytes())


def seal_report(session_id: bytes, key: bytes, counter: int, report: Report) -> bytes:
    """A message as a device makes it.

    Raises:
        ValueOutOfRange: it would be longer than a message may be.
    """
    return seal.seal_up(session_id, key, counter, report.to_bytes())


def open_answer(session_id: bytes, key: bytes, counter: int, message: bytes) -> Answer:
    """The answer to the message with this counter.

    Raises:
        MessageFormatError: not of the form.
        SealRefused: it cannot be opened.
    """
    return Answer.from_bytes(seal.open_down(session_id, key, counter, message))


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who a device is, for its openings: device id (12 bytes), its key, product and platform id (u16)."""

    device_id: bytes
    key: PrivateKey
    product_id: int
    platform_id: int


@dataclass(slots=True)
class DeviceSession:
    """A device's end of a session, as simulators, benchmarks and tests need it."""

    identity: DeviceIdentity
    _memory: StateMemory = field(default_factory=StateMemory)
    _opening: tuple[bytes, bytes] | None = field(default=None, repr=False)  # share secret, request digest
    _keys: SessionKeys | None = None
    _counter: int = 0
    _is_waiting: bool = False

    @property
    def keys(self) -> SessionKeys | None:
        """The session, while there is one."""
        return self._keys

    @property
    def counter(self) -> int:
        """Of the last message; 0 before the first."""
        return self._counter

    def begin(self, keyset_version: int, share_secret: bytes, nonce: bytes) -> bytes:
        """The request that opens a new session; the one before is forgotten.

        Args:
            share_secret: 32 random bytes, never used before.
            nonce: 16 random bytes.
        """
        who = self.identity
        request = OpenRequest(
            who.device_id,
            who.key.public_key.raw,
            share_of(share_secret),
            nonce,
            who.product_id,
            who.platform_id,
            keyset_version,
        ).sign(who.key)
        self.drop()
        self._opening = share_secret, opening.opening_digest(request)
        return request

    def finish(self, answer: bytes | OpenAnswer, online_keys: Iterable[PublicKey]) -> None:
        """Takes the answer to the opening; `online_keys` are those of the current and the previous key set.

        Raises:
            SessionStateError: no opening is under way.
            MessageFormatError: the answer is not of the form.
            UnknownOnlineKey, SignatureRefused, KeyAgreementRefused: it is not believed; a true one may still come.
        """
        if self._opening is None:
            raise SessionStateError("no opening is under way")
        share_secret, digest = self._opening
        parsed = OpenAnswer.from_bytes(answer) if isinstance(answer, bytes) else answer
        parsed.verify(digest, online_keys)
        key = derive_key(share_secret, parsed.share, digest, parsed.session_id)
        self._keys = SessionKeys(parsed.session_id, key, digest)
        self._opening = None

    def seal(self, state: DeviceState, report: Report | None = None) -> bytes:
        """The next message: what is new about the state, and the report's other keys.

        Raises:
            SessionStateError: no session is open, or its counters are used up.
            ValueOutOfRange: it would be longer than a message may be.
        """
        return self.seal_raw(self._memory.fill(report or Report(), state).to_bytes())

    def seal_raw(self, plaintext: bytes) -> bytes:
        """The next message with any plaintext."""
        if self._keys is None or self._counter == seal.COUNTER_MAX:
            raise SessionStateError("no session is open, or its counters are used up")
        message = seal.seal_up(self._keys.session_id, self._keys.key, self._counter + 1, plaintext)
        self._counter += 1
        self._is_waiting = True
        return message

    def open(self, message: bytes) -> Answer:
        """The answer to the last message.

        Raises:
            SessionStateError: none is waited for.
            MessageFormatError, SealRefused: it is not that answer; the true one may still come.
        """
        if self._keys is None or not self._is_waiting:
            raise SessionStateError("no answer is waited for")
        answer = open_answer(self._keys.session_id, self._keys.key, self._counter, message)
        self._is_waiting = False
        self._memory.take_answer()
        return answer

    def drop(self) -> None:
        """Forgets session and opening: after a refusal, or a reset."""
        self._opening = None
        self._keys = None
        self._counter = 0
        self._is_waiting = False
        self._memory = StateMemory()
