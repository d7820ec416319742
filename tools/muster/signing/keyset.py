# SPDX-License-Identifier: Apache-2.0
"""Key sets: which keys a device believes (docs/spec/boot.md section 3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muster import cbor
from muster.errors import FormatError, KeySetFormatError, KeySetRefused, ValueOutOfRange
from muster.signing.cose import AAD_KEYSET, CoseSign1, signed_bytes
from muster.signing.keys import PublicKey
from muster.signing.signer import Signer, sign_detached
from muster.status import OtaStatus

KEYSET_SIZE_MAX = 2028
FORMAT_VERSION = 1

RELEASE_KEYS_MAX = 8
ONLINE_KEYS_MAX = 2
DEVELOPMENT_KEYS_MAX = 4
ROOT_KEYS_MAX = 3


@dataclass(frozen=True, slots=True)
class RootKeys:
    """Root keys and how many of them must sign: from an identity page, or from a key set for the next one.

    Attributes:
        threshold: 1 to the number of keys.
        keys: one to three.

    Raises:
        ValueOutOfRange: threshold or number of keys have no legal value.
    """

    threshold: int
    keys: tuple[PublicKey, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= ROOT_KEYS_MAX:
            raise ValueOutOfRange(f"there are 1 to {ROOT_KEYS_MAX} root keys, not {len(self.keys)}")
        if not 1 <= self.threshold <= len(self.keys):
            raise ValueOutOfRange(f"root threshold {self.threshold} is not in 1..{len(self.keys)}")


@dataclass(frozen=True, slots=True)
class KeySetContent:
    """What the roots sign. In every tuple the keys rise and no two are equal.

    Attributes:
        version: u32, at least 1; a set follows only one with a lower version.
        release_threshold: how many release keys must sign an image.
        release_keys: one to eight.
        online_keys: none to two.
        development_keys: none to four.
        roots: the roots that sign the next key set.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    version: int
    release_threshold: int
    release_keys: tuple[PublicKey, ...]
    online_keys: tuple[PublicKey, ...]
    development_keys: tuple[PublicKey, ...]
    roots: RootKeys

    def __post_init__(self) -> None:
        if not 1 <= self.version <= 0xFFFF_FFFF:
            raise ValueOutOfRange(f"key set version {self.version} is not in 1..{0xFFFF_FFFF}")
        _check_keys("release", self.release_keys, 1, RELEASE_KEYS_MAX)
        _check_keys("online", self.online_keys, 0, ONLINE_KEYS_MAX)
        _check_keys("development", self.development_keys, 0, DEVELOPMENT_KEYS_MAX)
        _check_keys("root", self.roots.keys, 1, ROOT_KEYS_MAX)
        if not 1 <= self.release_threshold <= len(self.release_keys):
            raise ValueOutOfRange(f"release threshold {self.release_threshold} is not in 1..{len(self.release_keys)}")

    def to_bytes(self) -> bytes:
        """The payload: the one accepted encoding."""
        return cbor.dumps(
            {
                1: FORMAT_VERSION,
                2: self.version,
                3: self.release_threshold,
                4: [key.raw for key in self.release_keys],
                5: [key.raw for key in self.online_keys],
                6: [key.raw for key in self.development_keys],
                7: self.roots.threshold,
                8: [key.raw for key in self.roots.keys],
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> KeySetContent:
        """Parses the one accepted encoding.

        Raises:
            KeySetFormatError: anything else (status ERR_KEYSET).
        """
        try:
            value = cbor.loads(raw)
            if not isinstance(value, dict) or list(value) != list(range(1, 9)) or value[1] != FORMAT_VERSION:
                raise KeySetFormatError("not a map of the keys 1 to 8 in format 1")
            return cls(
                version=_int(value[2]),
                release_threshold=_int(value[3]),
                release_keys=_keys(value[4]),
                online_keys=_keys(value[5]),
                development_keys=_keys(value[6]),
                roots=RootKeys(_int(value[7]), _keys(value[8])),
            )
        except (FormatError, ValueOutOfRange) as error:
            raise KeySetFormatError(f"key set: {error}") from error


@dataclass(frozen=True, slots=True)
class KeySet:
    """A key set with its signatures, which are *not* verified yet: see `check_successor`.

    Attributes:
        content: what is signed.
        signatures: one to three, key ids rising.

    Raises:
        ValueOutOfRange: the signatures are too many or out of order, or the set is longer than 2,028 bytes.
    """

    content: KeySetContent
    signatures: tuple[CoseSign1, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.signatures) <= ROOT_KEYS_MAX:
            raise ValueOutOfRange(f"a key set has 1 to {ROOT_KEYS_MAX} signatures, not {len(self.signatures)}")
        key_ids = [signature.key_id for signature in self.signatures]
        if any(first >= second for first, second in itertools.pairwise(key_ids)):
            raise ValueOutOfRange("the key ids of the signatures do not rise")
        if len(self.to_bytes()) > KEYSET_SIZE_MAX:
            raise ValueOutOfRange(f"a key set has at most {KEYSET_SIZE_MAX} bytes")

    @classmethod
    def signed(cls, content: KeySetContent, signers: Iterable[Signer]) -> KeySet:
        """Signs a content by root keys; one signature by each signer."""
        payload = content.to_bytes()
        signatures = {signer.key_id: sign_detached(signer, AAD_KEYSET, payload) for signer in signers}
        return cls(content, tuple(signatures[key_id] for key_id in sorted(signatures)))

    def to_bytes(self) -> bytes:
        """The one accepted encoding."""
        return cbor.dumps([self.content.to_bytes(), [signature.to_value() for signature in self.signatures]])

    @classmethod
    def from_bytes(cls, raw: bytes) -> KeySet:
        """Parses the one accepted encoding.

        Raises:
            KeySetFormatError: anything else (status ERR_KEYSET).
        """
        if len(raw) > KEYSET_SIZE_MAX:
            raise KeySetFormatError(f"a key set has at most {KEYSET_SIZE_MAX} bytes, not {len(raw)}")
        try:
            value = cbor.loads(raw)
            if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], list):
                raise KeySetFormatError("not an array of payload and signatures")
            if not isinstance(value[0], bytes):
                raise KeySetFormatError("the payload is not a byte string")
            signatures = tuple(CoseSign1.from_value(item) for item in value[1])
            return cls(KeySetContent.from_bytes(value[0]), signatures)
        except (FormatError, ValueOutOfRange) as error:
            raise KeySetFormatError(f"key set: {error}") from error


def check_successor(new: KeySet, current_version: int, roots: RootKeys) -> None:
    """Checks that a key set follows the current one.

    `roots` are the current set's, or the identity page's where there is no current set (`current_version` 0).

    Raises:
        KeySetRefused: not newer (ERR_KEYSET_OLD), a root's signature does not hold (ERR_SIGNATURE), or too few of
            them (ERR_SIGNERS).
    """
    if new.content.version <= current_version:
        raise KeySetRefused(
            f"key set version {new.content.version} is not above {current_version}", OtaStatus.ERR_KEYSET_OLD
        )
    payload = new.content.to_bytes()
    known = {key.key_id: key for key in roots.keys}
    valid = 0
    for signature in new.signatures:
        key = known.get(signature.key_id)
        if key is None:
            continue
        if not key.holds(signature.signature, signed_bytes(signature.key_id, AAD_KEYSET, payload)):
            raise KeySetRefused(
                f"the signature by root {signature.key_id.hex()} does not hold", OtaStatus.ERR_SIGNATURE
            )
        valid += 1
    if valid < roots.threshold:
        raise KeySetRefused(f"{valid} of {roots.threshold} root signatures", OtaStatus.ERR_SIGNERS)


def accept_chain(roots: RootKeys, chain: Sequence[KeySet]) -> KeySet:
    """Follows key sets from an identity page's roots on; returns the last one.

    Raises:
        KeySetRefused: one of them does not follow the one before, or the chain is empty.
    """
    current: KeySet | None = None
    for keyset in chain:
        if current is None:
            check_successor(keyset, 0, roots)
        else:
            check_successor(keyset, current.content.version, current.content.roots)
        current = keyset
    if current is None:
        raise KeySetRefused("there is no key set", OtaStatus.ERR_KEYSET)
    return current


def sorted_keys(keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Keys in the order that a key set holds them, each once."""
    return tuple(sorted(set(keys)))


def _check_keys(name: str, keys: tuple[PublicKey, ...], fewest: int, most: int) -> None:
    if not fewest <= len(keys) <= most:
        raise ValueOutOfRange(f"there are {fewest} to {most} {name} keys, not {len(keys)}")
    if any(first >= second for first, second in itertools.pairwise(keys)):
        raise ValueOutOfRange(f"the {name} keys do not rise")


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise KeySetFormatError("a number is of another type")
    return value


def _keys(value: object) -> tuple[PublicKey, ...]:
    if not isinstance(value, list) or not all(isinstance(item, bytes) for item in value):
        raise KeySetFormatError("keys are not an array of byte strings")
    return tuple(PublicKey(item) for item in value)
