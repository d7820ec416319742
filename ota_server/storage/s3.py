# SPDX-License-Identifier: Apache-2.0
"""Blobs in a bucket of S3, or of what speaks its protocol, through obstore.

What fails is tried again, with pauses that grow; what fails for long is Unavailable.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from muster.errors import ValueOutOfRange
from ota_server.errors import Unavailable
from ota_server.storage.restore import TOKEN_FILE

T = TypeVar("T")

TRIES_MAX = 8
FIRST_PAUSE = timedelta(milliseconds=50)
PAUSE_MAX = timedelta(seconds=2)
GIVE_UP_AFTER = timedelta(seconds=20)
REQUEST_TIMEOUT = timedelta(seconds=10)
_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._-]+)*)/?")

_logger = logging.getLogger("ota_server.storage")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where blobs lie.

    Attributes:
        prefix: of every object's key; may be empty.
        endpoint: of what is not Amazon's S3; None: Amazon's.
    """

    name: str
    prefix: str
    endpoint: str | None = None

    @classmethod
    def from_url(cls, text: str, endpoint: str | None = None) -> Bucket:
        """`s3://bucket/prefix`. Raises ValueOutOfRange."""
        match = _URL.fullmatch(text)
        if match is None or ".." in text:
            raise ValueOutOfRange("blobs lie at s3://bucket or s3://bucket/prefix")
        return cls(match.group(1), match.group(2).strip("/"), endpoint)


class S3Shelf:
    """One folder of a bucket. Keys and region are in the environment, as Amazon's tools have them.

    Args:
        folder: its name below the bucket's prefix.
    """

    def __init__(self, bucket: Bucket, folder: str = "") -> None:
        self._store = S3Store(
            bucket.name,
            prefix="/".join(part for part in (bucket.prefix, folder) if part) or None,
            config={} if bucket.endpoint is None else {"endpoint": bucket.endpoint},
            client_options={
                "allow_http": bucket.endpoint is not None and bucket.endpoint.startswith("http://"),
                "timeout": REQUEST_TIMEOUT,
            },
            retry_config={
                "max_retries": TRIES_MAX,
                "retry_timeout": GIVE_UP_AFTER,
                "backoff": {"init_backoff": FIRST_PAUSE, "max_backoff": PAUSE_MAX, "base": 2},
            },
        )

    def write(self, name: str, raw: bytes) -> None:
        _try("written", lambda: obstore.put(self._store, name, raw, use_multipart=False))

    def read(self, name: str) -> bytes | None:
        return _try("read", lambda: obstore.get(self._store, name).bytes().to_bytes())

    def size_of(self, name: str) -> int | None:
        return _try("looked for", lambda: int(obstore.head(self._store, name)["size"]))

    def remove(self, name: str) -> None:
        _try("removed", lambda: obstore.delete(self._store, name))


class S3Token:
    """The outside half of the stop token, beside the blobs: where all servers find it."""

    def __init__(self, bucket: Bucket) -> None:
        self._shelf = S3Shelf(bucket)

    def take_token(self) -> bytes | None:
        token = self._shelf.read(TOKEN_FILE)
        self._shelf.remove(TOKEN_FILE)
        return token

    def keep_token(self, token: bytes) -> None:
        self._shelf.write(TOKEN_FILE, token)


def _try(done: str, work: Callable[[], T]) -> T | None:
    """None when there is no such object. Raises Unavailable."""
    try:
        return work()
    except FileNotFoundError:
        return None
    except BaseError as error:
        # Not the whole text: it holds the object's name, and whoever knows that may fetch it.
        reason = str(error).partition("\n")[0].rpartition(" - ")[2] if " - " in str(error) else ""
        _logger.error("a blob cannot be %s: %s %s", done, type(error).__name__, reason[:70])
        raise Unavailable("files cannot be read or written now: come back later") from error
