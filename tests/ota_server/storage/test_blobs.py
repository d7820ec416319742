# SPDX-License-Identifier: Apache-2.0
"""Blobs are whole or not there, in a folder and in a bucket; a bucket that fails now and then is tried again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from muster.errors import ValueOutOfRange
from ota_server.errors import Unavailable
from ota_server.storage import blobs, s3
from ota_server.storage.blobs import BlobStore, FolderShelf, Shelf
from ota_server.storage.s3 import Bucket, S3Shelf, S3Token
from tests.ota_server.s3 import S3Server


@pytest.fixture
def bucket(s3_server: S3Server) -> Iterator[Bucket]:
    yield s3_server.bucket()
    s3_server.failing = 0


@pytest.fixture(params=["folder", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "folder":
        return FolderShelf(tmp_path)
    return S3Shelf(request.getfixturevalue("bucket"), "kept")


def test_blob_is_named_by_its_digest_and_kept_once(shelf: Shelf) -> None:
    store = BlobStore(shelf)
    digest = store.put(b"patch")
    assert digest == hashlib.sha256(b"patch").digest()
    assert store.put(b"patch") == digest
    assert store.get(digest) == BlobStore(shelf).get(digest) == b"patch"
    assert (store.size_of(digest), store.size_of(bytes(32))) == (5, 0)
    assert store.get(bytes(32)) is None
    store.check()


def test_blob_that_was_removed_is_gone_and_may_be_kept_again(shelf: Shelf) -> None:
    store = BlobStore(shelf)
    digest = store.put(b"patch")
    assert store.get(digest) == b"patch"
    for _ in range(2):
        store.remove(digest)
        assert store.get(digest) is None
    assert store.get(store.put(b"patch")) == b"patch"


def test_damaged_blob_is_not_given_out_and_is_mended_when_it_is_kept_again(shelf: Shelf) -> None:
    digest = BlobStore(shelf).put(b"patch")
    shelf.write(f"{digest.hex()[:2]}/{digest.hex()}", b"pat")
    store = BlobStore(shelf)
    assert store.get(digest) is None
    store.put(b"patch")
    assert store.get(digest) == b"patch"


def test_folder_holds_whole_files_only(tmp_path: Path) -> None:
    digest = BlobStore(FolderShelf(tmp_path)).put(b"patch")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [digest.hex()]


def test_memory_holds_what_was_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "CACHE_SIZE", 25)
    monkeypatch.setattr(blobs, "CACHED_MAX", 10)
    store = BlobStore(FolderShelf(tmp_path))
    digests = [store.put(bytes([number]) * 10) for number in range(3)] + [store.put(bytes(11))]
    for digest in digests:
        assert store.get(digest) is not None
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()
    assert [store.get(digest) is not None for digest in digests] == [False, True, True, False]


def test_of_many_that_ask_at_once_one_fetches(s3_server: S3Server, bucket: Bucket) -> None:
    digest = BlobStore(S3Shelf(bucket)).put(bytes(100_000))
    store, before = BlobStore(S3Shelf(bucket)), s3_server.requests
    threads = [threading.Thread(target=store.get, args=(digest,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert s3_server.requests == before + 1


def test_bucket_that_fails_every_other_time_serves_all_the_same(s3_server: S3Server, bucket: Bucket) -> None:
    s3_server.failing = 0.5
    store = BlobStore(S3Shelf(bucket))
    digests = [store.put(bytes([number])) for number in range(10)]
    assert [BlobStore(S3Shelf(bucket)).get(digest) for digest in digests] == [bytes([n]) for n in range(10)]


def test_bucket_that_always_fails_is_unavailable_and_no_name_gets_into_the_log(
    s3_server: S3Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    digest = BlobStore(S3Shelf(bucket)).put(b"patch")
    s3_server.failing = 1
    monkeypatch.setattr(s3, "TRIES_MAX", 1)
    monkeypatch.setattr(s3, "FIRST_PAUSE", timedelta(milliseconds=1))
    store = BlobStore(S3Shelf(bucket))
    uses: list[Callable[[], object]] = [
        lambda: store.get(digest),
        lambda: store.put(b"other"),
        lambda: store.remove(digest),
        store.check,
    ]
    for use in uses:
        with pytest.raises(Unavailable, match="come back later"):
            use()
    assert "a blob cannot be read" in caplog.text
    assert digest.hex() not in caplog.text


def test_stop_token_is_used_once(bucket: Bucket) -> None:
    S3Token(bucket).keep_token(b"token")
    assert [S3Token(bucket).take_token() for _ in range(2)] == [b"token", None]


@pytest.mark.parametrize("text", ["s3://", "s3://a", "https://bucket/x", "s3://Bucket", "s3://bucket/../x", "s3://b b"])
def test_what_is_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(ValueOutOfRange, match="s3://bucket"):
        Bucket.from_url(text)
    assert Bucket.from_url("s3://my-bucket/a/b/") == Bucket("my-bucket", "a/b")
