# SPDX-License-Identifier: Apache-2.0
"""A folder of development keys, made on first use.

It holds one key of every role, so that a new checkout builds, signs and updates without any set-up. Production roots
and release keys belong elsewhere: offline or in a security module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muster.device.identity_page import IdentityPage
from muster.device.provision import development_device_key, development_identity
from muster.errors import FileFault, ValueOutOfRange
from muster.signing.keys import SEED_SIZE, PrivateKey, read_private_key, write_private_key
from muster.signing.keyset import KeySet, KeySetContent, RootKeys, sorted_keys
from muster.signing.signer import KeySigner

DEVELOPMENT = "development"
RELEASE = "release-1"
ONLINE = "online"
ROOTS = ("root-1", "root-2", "root-3")
KEY_NAMES = (DEVELOPMENT, RELEASE, ONLINE, *ROOTS)

ROOT_THRESHOLD = 2

RandomBytes = Callable[[int], bytes]
"""Gives so many random bytes, as `os.urandom` does."""


@dataclass(frozen=True, slots=True)
class KeyStore:
    """The keys of one folder; `open` makes those that are missing.

    Attributes:
        folder: where `<name>.pem` of every key lies.
        keys: each key by its name, one of `KEY_NAMES`.
    """

    folder: Path
    keys: dict[str, PrivateKey]

    @classmethod
    def open(cls, folder: Path, random_bytes: RandomBytes) -> KeyStore:
        """Reads the folder's keys, and makes the missing ones with mode 0600 in a folder with mode 0700.

        Two processes may do this at the same time and then have the same keys.

        Raises:
            FileFault: the folder or a key cannot be read or written.
            KeyFormatError: a file is no Ed25519 key.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise FileFault(f"cannot make the key folder {folder}: {error.strerror}") from error
        return cls(folder, {name: _key(key_path(folder, name), random_bytes) for name in KEY_NAMES})

    def signer(self, name: str) -> KeySigner:
        """The signer of one of `KEY_NAMES`.

        Raises:
            ValueOutOfRange: there is no such key.
        """
        if name not in self.keys:
            raise ValueOutOfRange(f"no key {name} (there are: {', '.join(KEY_NAMES)})")
        return KeySigner(self.keys[name])

    @property
    def roots(self) -> RootKeys:
        """The roots of a development identity page."""
        return RootKeys(ROOT_THRESHOLD, sorted_keys(self.keys[name].public_key for name in ROOTS))

    def keyset(self) -> KeySet:
        """The first key set: one release key, the development key and the online key. Always the same bytes."""
        content = KeySetContent(
            version=1,
            release_threshold=1,
            release_keys=(self.keys[RELEASE].public_key,),
            online_keys=(self.keys[ONLINE].public_key,),
            development_keys=(self.keys[DEVELOPMENT].public_key,),
            roots=self.roots,
        )
        return KeySet.signed(content, [self.signer(name) for name in ROOTS[:ROOT_THRESHOLD]])

    def identity(self, product_id: int, platform_id: int, hardware_revision: int) -> IdentityPage:
        """The development identity of a product on a platform. Always the same bytes."""
        device_key = development_device_key(self.keys[DEVELOPMENT], product_id, platform_id)
        return development_identity(product_id, hardware_revision, self.roots, device_key)


def key_path(folder: Path, name: str) -> Path:
    """Where a key lies in its folder."""
    return folder / f"{name}.pem"


def new_key(path: Path, random_bytes: RandomBytes) -> PrivateKey:
    """Makes a key file.

    Raises:
        FileFault: the file exists already, or cannot be written.
    """
    key = PrivateKey(random_bytes(SEED_SIZE))
    write_private_key(path, key)
    return key


def _key(path: Path, random_bytes: RandomBytes) -> PrivateKey:
    if not path.exists():
        try:
            return new_key(path, random_bytes)
        except FileFault:
            # Another process was faster: then its key is the one.
            if not path.exists():
                raise
    return read_private_key(path)
