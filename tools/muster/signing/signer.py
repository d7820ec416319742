# SPDX-License-Identifier: Apache-2.0
"""Whoever can sign: a key is named by a URI, and callers do not know where it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from muster.errors import UnknownSigner
from muster.image.image import Image
from muster.signing.cose import AAD_MANIFEST, CoseSign1, signed_bytes
from muster.signing.keys import PrivateKey, PublicKey, read_private_key


class Signer(Protocol):
    """One Ed25519 key that can sign; the key itself may never be seen."""

    @property
    def public_key(self) -> PublicKey: ...

    @property
    def key_id(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature over `message`."""


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a private key in memory."""

    key: PrivateKey

    @property
    def public_key(self) -> PublicKey:
        return self.key.public_key

    @property
    def key_id(self) -> bytes:
        return self.key.public_key.key_id

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


def signer_from_uri(uri: str) -> Signer:
    """The signer that `file:/path/to/key.pem`, or a bare path, names.

    Raises:
        UnknownSigner: another scheme.
        FileFault, KeyFormatError: the file cannot be read or is no key.
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
    if match is None:
        return _file_signer(f"file:{uri}")
    make = _SCHEMES.get(match.group(1).lower())
    if make is None:
        known = ", ".join(f"{scheme}:" for scheme in sorted(_SCHEMES))
        raise UnknownSigner(f"no signer for {match.group(1)}: (known: {known})")
    return make(uri)


def sign_detached(signer: Signer, external_aad: bytes, payload: bytes) -> CoseSign1:
    """A COSE_Sign1 by `signer` over a detached payload."""
    return CoseSign1(signer.key_id, signer.sign(signed_bytes(signer.key_id, external_aad, payload)))


def sign_image(image: Image, *signers: Signer) -> Image:
    """The image with one more signature by each signer; one by the same key is replaced.

    Raises:
        ValueOutOfRange: there would be more than four signatures.
    """
    payload = image.manifest.to_bytes()
    return image.with_signatures([sign_detached(signer, AAD_MANIFEST, payload) for signer in signers])


def _file_signer(uri: str) -> Signer:
    parts = urlsplit(uri) if uri.startswith("file://") else None
    path = unquote(parts.path) if parts is not None else uri.removeprefix("file:")
    return KeySigner(read_private_key(Path(path)))


_SCHEMES: dict[str, Callable[[str], Signer]] = {"file": _file_signer}
