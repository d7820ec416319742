# SPDX-License-Identifier: Apache-2.0
"""Looks whether everything is kept that images and patches name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import Connection, select

from ota_server.releases.models import PatchStatus, images, patches
from ota_server.storage.blobs import BlobStore
from ota_server.storage.check import Difference


def check_releases(connection: Connection, kept: BlobStore, served: BlobStore, reads: bool) -> Iterator[Difference]:
    """Every image and patch whose bytes are not there. With `reads` also those whose bytes have changed."""
    query = select(images.c.id, images.c.blob, images.c.elf_blob, images.c.size).order_by(images.c.id)
    for number, blob, elf_blob, size in connection.execute(query):
        yield from _check_blob(f"image {number}", kept, blob, size, reads)
        if elf_blob is not None:
            yield from _check_blob(f"ELF file of image {number}", kept, elf_blob, None, reads)
    ready = select(patches.c.id, patches.c.digest, patches.c.size).where(patches.c.status == PatchStatus.READY)
    for number, digest, size in connection.execute(ready.order_by(patches.c.id)):
        if digest is None or size is None:
            yield Difference(f"patch {number}", "it is ready, and has no digest or size")
        else:
            yield from _check_blob(f"patch {number}", served, digest, size, reads)


def _check_blob(place: str, store: BlobStore, digest: bytes, size: int | None, reads: bool) -> Iterator[Difference]:
    found = store.size_of(digest)
    if found == 0:
        yield Difference(place, f"its bytes {digest.hex()[:16]} are not kept")
    elif size is not None and found != size:
        yield Difference(place, f"its bytes {digest.hex()[:16]} are {found}, not {size}")
    elif reads and hashlib.sha256(store.get(digest) or b"").digest() != digest:
        yield Difference(place, f"its bytes {digest.hex()[:16]} have changed")
