# SPDX-License-Identifier: Apache-2.0
"""Blobs: immutable bytes, named by their SHA-256, in a folder of files or in an S3 bucket."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ota_server.errors import Unavailable
from ota_server.storage.files import write_whole

CACHE_SIZE = 64 * 1024 * 1024
"""Bytes of blobs in memory: a gateway fetches a patch in some hundred ranges."""
CACHED_MAX = 2 * 1024 * 1024
"""Larger ones, such as ELF files, are fetched once and not kept in memory."""
_LOADERS = 16

_logger = logging.getLogger("ota_server.storage")


class Shelf(Protocol):
    """Where bytes lie under names. Of what is written under a name all is there, or nothing."""

    def write(self, name: str, raw: bytes) -> None:
        """Keeps bytes; they are there when it returns. Raises Unavailable."""

    def read(self, name: str) -> bytes | None:
        """The bytes, or None. Raises OSError, Unavailable."""

    def size_of(self, name: str) -> int | None:
        """How many there are, or None. Raises OSError, Unavailable."""

    def remove(self, name: str) -> None:
        """Removes what is there. Raises OSError, Unavailable."""


class _Watched:
    """A shelf whose failures are counted."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.failures: Counter[str] = Counter(read=0, written=0, removed=0)

    def write(self, name: str, raw: bytes) -> None:
        with self._counted("written"):
            self._shelf.write(name, raw)

    def read(self, name: str) -> bytes | None:
        with self._counted("read"):
            return self._shelf.read(name)

    def size_of(self, name: str) -> int | None:
        with self._counted("read"):
            return self._shelf.size_of(name)

    def remove(self, name: str) -> None:
        with self._counted("removed"):
            self._shelf.remove(name)

    @contextmanager
    def _counted(self, work: str) -> Iterator[None]:
        try:
            yield
        except (OSError, Unavailable):
            self.failures[work] += 1
            raise


class BlobStore:
    """Blobs on one shelf, those used last in memory as well. Used by any thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = _Watched(shelf)
        self._lock = threading.Lock()
        self._cached: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached_size = 0
        self._loading = [threading.Lock() for _ in range(_LOADERS)]

    @property
    def failures(self) -> Counter[str]:
        """How often the shelf could not be read, written or removed from."""
        return self._shelf.failures

    def put(self, raw: bytes) -> bytes:
        """Keeps bytes, whole or not at all, and returns their digest. Keeping them twice changes nothing.

        Raises:
            Unavailable: the disk is full, or it or the bucket fails.
        """
        digest = hashlib.sha256(raw).digest()
        name = _name(digest)
        if self._shelf.size_of(name) != len(raw):
            self._shelf.write(name, raw)
        return digest

    def get(self, digest: bytes) -> bytes | None:
        """The bytes, or None when there is no such blob, or it is damaged."""
        # Of many that ask for the same at once, one fetches it.
        with self._loading[digest[0] % _LOADERS]:
            with self._lock:
                raw = self._cached.get(digest)
                if raw is not None:
                    self._cached.move_to_end(digest)
                    return raw
            raw = self._shelf.read(_name(digest))
            if raw is None or hashlib.sha256(raw).digest() != digest:
                return None
            self._cache(digest, raw)
            return raw

    def size_of(self, digest: bytes) -> int:
        """0 for a blob that is not there."""
        return self._shelf.size_of(_name(digest)) or 0

    def remove(self, digest: bytes) -> None:
        """Removes a blob that nothing names any more; other processes may have it in memory for a while."""
        with self._lock:
            self._cached_size -= len(self._cached.pop(digest, b""))
        self._shelf.remove(_name(digest))

    def check(self) -> None:
        """Raises OSError or Unavailable when nothing can be kept now."""
        name = f".check.{os.urandom(6).hex()}"
        try:
            self._shelf.write(name, bytes(1))
        finally:
            self._shelf.remove(name)

    def _cache(self, digest: bytes, raw: bytes) -> None:
        if len(raw) > CACHED_MAX:
            return
        with self._lock:
            self._cached[digest] = raw
            self._cached_size += len(raw)
            while self._cached_size > CACHE_SIZE:
                self._cached_size -= len(self._cached.popitem(last=False)[1])


class FolderShelf:
    """A folder of files.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, raw: bytes) -> None:
        path = self._folder / name
        try:
            # Not the folder itself: one that is gone was a disk that is not there.
            if path.parent != self._folder:
                path.parent.mkdir(exist_ok=True)
            write_whole(path, raw)
        except OSError as error:
            _logger.error("bytes could not be kept: %s", error.strerror)
            raise Unavailable("the server cannot keep files now: come back later") from error

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def size_of(self, name: str) -> int | None:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


def _name(digest: bytes) -> str:
    name = digest.hex()
    return f"{name[:2]}/{name}"
