# SPDX-License-Identifier: Apache-2.0
"""Blobs: immutable bytes, named by their SHA-256, in folders of files."""

from __future__ import annotations

import hashlib
import logging
import os
from functools import lru_cache
from pathlib import Path

from ota_server.errors import Unavailable

CACHED_BLOBS = 64
"""Served blobs kept in memory: a gateway fetches one in some hundred ranges."""

_logger = logging.getLogger("ota_server.storage")


class BlobStore:
    """One folder of blobs.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._cached = lru_cache(maxsize=CACHED_BLOBS)(self._read)

    def put(self, raw: bytes) -> bytes:
        """Keeps bytes on disk, whole or not at all, and returns their digest. Keeping them twice changes nothing.

        Raises:
            Unavailable: the disk is full, or fails.
        """
        digest = hashlib.sha256(raw).digest()
        path = self._path(digest)
        if path.exists():
            return digest
        scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            path.parent.mkdir(exist_ok=True)
            with scratch.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            # cut: before the rename the name does not exist; after it the bytes are whole.
            scratch.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            _logger.error("bytes could not be kept: %s", error.strerror)
            raise Unavailable("the server cannot keep files now: come back later") from error
        return digest

    def get(self, digest: bytes) -> bytes | None:
        """The bytes, or None when there is no such blob."""
        try:
            return self._cached(digest)
        except FileNotFoundError:
            return None

    def size_of(self, digest: bytes) -> int:
        """0 for a blob that is not there."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return 0

    def check(self) -> None:
        """Raises OSError when nothing can be kept now."""
        scratch = self._folder / f".check.{os.urandom(6).hex()}"
        try:
            scratch.write_bytes(bytes(1))
        finally:
            scratch.unlink(missing_ok=True)

    def _read(self, digest: bytes) -> bytes:
        return self._path(digest).read_bytes()

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
