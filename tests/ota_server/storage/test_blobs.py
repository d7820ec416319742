# SPDX-License-Identifier: Apache-2.0
"""Blobs are whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ota_server.storage.blobs import BlobStore


def test_blob_is_named_by_its_digest_and_kept_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.put(b"patch")
    assert digest == hashlib.sha256(b"patch").digest()
    assert store.put(b"patch") == digest
    assert store.get(digest) == b"patch"
    assert store.get(bytes(32)) is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [digest.hex()]
