# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys (RFC 8032) and their files (PEM, PKCS #8: RFC 5958, RFC 8410)."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from muster.errors import FileFault, KeyFormatError
from muster.signing.cose import KEY_ID_SIZE

PUBLIC_KEY_SIZE = 32
SEED_SIZE = 32


@dataclass(frozen=True, slots=True, order=True)
class PublicKey:
    """An Ed25519 public key: 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_KEY_SIZE:
            raise KeyFormatError(f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes, not {len(self.raw)}")

    @property
    def key_id(self) -> bytes:
        """The first 8 bytes of the SHA-256 of the key."""
        return hashlib.sha256(self.raw).digest()[:KEY_ID_SIZE]

    @property
    def fingerprint(self) -> str:
        """What a person compares: the SHA-256 of the key, hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Parses 64 hexadecimal digits, or a PEM `PUBLIC KEY`.

        Raises:
            KeyFormatError: neither.
        """
        if re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
            return cls(bytes.fromhex(text.strip()))
        try:
            key = serialization.load_pem_public_key(text.encode())
        except ValueError as error:
            raise KeyFormatError("neither 64 hexadecimal digits nor a PEM public key") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyFormatError("not an Ed25519 public key")
        return cls(key.public_bytes_raw())


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An Ed25519 private key: its 32-byte seed, which no text form shows."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_SIZE:
            raise KeyFormatError(f"an Ed25519 seed has {SEED_SIZE} bytes, not {len(self.seed)}")

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self._key().public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return self._key().sign(message)

    def to_pem(self) -> bytes:
        """PKCS #8 in PEM, not encrypted."""
        return self._key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> PrivateKey:
        """Parses an unencrypted PKCS #8 PEM.

        Raises:
            KeyFormatError: anything else.
        """
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyFormatError("not an unencrypted PEM private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFormatError("not an Ed25519 private key")
        return cls(key.private_bytes_raw())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def read_private_key(path: Path) -> PrivateKey:
    """Reads a key file.

    Raises:
        FileFault: it cannot be read.
        KeyFormatError: it is no Ed25519 private key in PEM.
    """
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot read the key {path}: {error.strerror}") from error
    try:
        return PrivateKey.from_pem(pem)
    except KeyFormatError as error:
        raise KeyFormatError(f"{path}: {error}") from error


def write_private_key(path: Path, key: PrivateKey) -> None:
    """Writes a key file with mode 0600, whole or not at all; never over an existing file.

    Two processes may do this at the same time: one of them wins.

    Raises:
        FileFault: the file exists already, or cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(key.to_pem())
                file.flush()
                os.fsync(file.fileno())
            # A hard link fails where the name is taken, so nobody ever sees half a key or loses one.
            os.link(scratch, path)
        finally:
            scratch.unlink()
    except FileExistsError as error:
        raise FileFault(f"the key {path} exists already") from error
    except OSError as error:
        raise FileFault(f"cannot write the key {path}: {error.strerror}") from error
