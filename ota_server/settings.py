# SPDX-License-Identifier: Apache-2.0
"""What a server is started with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from sqlalchemy.engine import URL

from muster.errors import FileFault, ValueOutOfRange
from muster.keystore import ONLINE, KeyStore
from muster.signing.keys import SEED_SIZE, PrivateKey, read_private_key, write_private_key
from muster.signing.keyset import KeySet
from ota_server.accounts.policy import SignUpPolicy
from ota_server.mail.smtp import SmtpSettings
from ota_server.storage.blobs import BlobStore, FolderShelf
from ota_server.storage.engine import sqlite_url
from ota_server.storage.files import write_whole
from ota_server.storage.restore import TokenFile, TokenPlace
from ota_server.storage.s3 import Bucket, S3Shelf, S3Token

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DEFAULT_PATCH_BUDGET = 10**10
CONNECTIONS_MAX, ADDRESS_CONNECTIONS_MAX = 4000, 200
CHECK_INS_PER_S = 2000
TOKEN_MIN, TOKEN_MAX = 16, 200


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things lie and what is allowed.

    Attributes:
        data_dir: blobs and, unless given otherwise, database, online key and key sets; made when missing.
        online_key: PEM file of the key that opens sessions; None for `online.pem` in the data folder.
        keysets: key set files to be added to those in the data folder's `keysets`, which are all kept.
        is_secure_cookie: whether the sign-in cookie is for HTTPS only.
        request_timeout_s: how long a device's request may take to arrive.
        hold_max_s: how long a check-in is held at most; devices ask for up to 25 s, proxies may allow less.
        call_timeout_s: how long whoever calls a device waits for its answer.
        hook_networks: private networks that webhooks may reach.
        keep_telemetry_days: how long logs and events are kept.
        password_clients: OAuth clients that may ask for people's passwords (the password grant).
        public_url: where people reach the server, for links in mails; without a slash at its end.
        smtp: the mail server; None: no mail is sent.
        sign_up: who may make an account by themselves.
        database_url: a PostgreSQL database; None for SQLite in the data folder.
        connections_max: connections at once; beyond it the one that has been idle longest goes.
        address_connections_max: connections from one address; a proxy on this machine is none.
        check_ins_per_s: how many devices this process asks to come in one second.
        metrics_token: what opens `/metrics`; None: it is for this machine only.
        bucket: where blobs lie; None: in the data folder.
        patch_budget: bytes of patches that are kept; above it those that were not offered for longest make room.
        is_working: whether the server does its jobs itself; not where `muster worker` does them.
    """

    data_dir: Path
    online_key: Path | None = None
    keysets: tuple[Path, ...] = field(default=())
    is_secure_cookie: bool = False
    request_timeout_s: float = 10.0
    hold_max_s: float = 25.0
    call_timeout_s: float = 20.0
    hook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    keep_telemetry_days: int = 90
    password_clients: tuple[str, ...] = ()
    public_url: str = ""
    smtp: SmtpSettings | None = None
    sign_up: SignUpPolicy = field(default_factory=SignUpPolicy)
    database_url: URL | None = None
    connections_max: int = CONNECTIONS_MAX
    address_connections_max: int = ADDRESS_CONNECTIONS_MAX
    check_ins_per_s: int = CHECK_INS_PER_S
    metrics_token: str | None = field(default=None, repr=False)
    bucket: Bucket | None = None
    patch_budget: int = DEFAULT_PATCH_BUDGET
    is_working: bool = True

    def __post_init__(self) -> None:
        """Raises ValueOutOfRange."""
        if self.smtp is not None and not re.fullmatch(r"https?://[^\s/?#@]+", self.public_url):
            raise ValueOutOfRange("mails hold links: say where people reach the server, as https://muster.example.com")

    @property
    def database_path(self) -> Path:
        """Of SQLite."""
        return self.data_dir / "muster.sqlite3"

    @property
    def database(self) -> URL:
        return self.database_url or sqlite_url(self.database_path)

    @property
    def online_key_path(self) -> Path:
        return self.online_key or self.data_dir / "online.pem"

    @property
    def kept_dir(self) -> Path:
        """Images and ELF files: never given to devices."""
        return self.data_dir / "blobs" / "kept"

    @property
    def served_dir(self) -> Path:
        """Patches and key sets: whoever knows a digest may fetch it."""
        return self.data_dir / "blobs" / "served"

    @property
    def keyset_dir(self) -> Path:
        return self.data_dir / "keysets"

    def open_blobs(self) -> tuple[BlobStore, BlobStore]:
        """Those that are kept, and those that are served."""
        if self.bucket is None:
            return BlobStore(FolderShelf(self.kept_dir)), BlobStore(FolderShelf(self.served_dir))
        return BlobStore(S3Shelf(self.bucket, "kept")), BlobStore(S3Shelf(self.bucket, "served"))

    @property
    def token_place(self) -> TokenPlace:
        """Where servers find the outer half of the stop token: all of them, if they share a bucket."""
        return TokenFile(self.data_dir) if self.bucket is None else S3Token(self.bucket)

    def may_use_development_keys(self) -> bool:
        """Whether neither keys nor a key set were given, and no key set before: a start may have been cut short."""
        return self.online_key is None and not self.keysets and not list(self.keyset_dir.glob("*.cbor"))

    def read_online_key(self) -> PrivateKey:
        """Raises FileFault, KeyFormatError."""
        return read_private_key(self.online_key_path)

    def read_keysets(self) -> list[KeySet]:
        """Every key set, lowest version first.

        Raises:
            FileFault: a file cannot be read, or there is none.
            KeySetFormatError: a file is no key set.
        """
        keysets = [_read_keyset(path) for path in sorted(self.keyset_dir.glob("*.cbor"))]
        if not keysets:
            raise FileFault("there is no key set: give one with --keyset FILE")
        return sorted(keysets, key=lambda keyset: keyset.content.version)


def read_token(path: Path) -> str:
    """The first line of a file. Raises FileFault, ValueOutOfRange."""
    try:
        token = path.read_text().split("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFault(f"cannot read the token in {path}") from error
    if not (TOKEN_MIN <= len(token) <= TOKEN_MAX and token.isascii() and token.isprintable()):
        raise ValueOutOfRange(f"the token in {path} has {TOKEN_MIN} to {TOKEN_MAX} printable ASCII characters")
    return token


def make_data_folder(settings: Settings) -> None:
    """Raises FileFault."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.keyset_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise FileFault(f"cannot make the data folder {settings.data_dir}: {error.strerror}") from error


def prepare(settings: Settings) -> None:
    """Makes the data folder, keeps the key sets that were given, and makes the online key unless one was given.

    Raises:
        FileFault: a file cannot be read or written.
        KeySetFormatError: a file is no key set.
    """
    make_data_folder(settings)
    if settings.online_key is None and not settings.online_key_path.exists():
        write_private_key(settings.online_key_path, PrivateKey(os.urandom(SEED_SIZE)))
    for path in settings.keysets:
        keyset = _read_keyset(path)
        _keep_keyset(settings.keyset_dir / f"{keyset.content.version:010d}.cbor", keyset)


def use_development_keys(settings: Settings, keystore: KeyStore) -> bool:
    """Copies online key and key set of a folder of development keys into the data folder.

    Returns:
        False when another online key is there: nothing has changed.

    Raises:
        FileFault: a file cannot be read or written.
    """
    make_data_folder(settings)
    online = keystore.keys[ONLINE]
    if not settings.online_key_path.exists():
        write_private_key(settings.online_key_path, online)
    elif settings.read_online_key().public_key != online.public_key:
        return False
    # cut: the key without its key set; the next start finds that it is this key, and goes on here.
    _keep_keyset(settings.keyset_dir / f"{1:010d}.cbor", keystore.keyset())
    return True


def _keep_keyset(path: Path, keyset: KeySet) -> None:
    try:
        write_whole(path, keyset.to_bytes())
    except OSError as error:
        raise FileFault(f"cannot keep the key set {path}: {error.strerror}") from error


def _read_keyset(path: Path) -> KeySet:
    try:
        return KeySet.from_bytes(path.read_bytes())
    except OSError as error:
        raise FileFault(f"cannot read the key set {path}: {error.strerror}") from error
