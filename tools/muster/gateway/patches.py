# SPDX-License-Identifier: Apache-2.0
"""Patches and key sets for devices: fetched whole, checked, and kept as long as there is room."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

from muster.gateway.port import PatchRequest
from muster.gateway.server import DeviceServer, ServerSilent
from muster.layout import SLOT_SIZE

PATCH_SIZE_MAX = 2 * SLOT_SIZE
"""No coder makes a patch that is twice as long as the longest image."""
CACHE_SIZE = 16 * 1024 * 1024


class PatchSource:
    """Pieces of whole patches. Two devices that want the same patch at the same time cause one fetch.

    Args:
        cache_size: bytes of patches that are kept; the one not wanted for longest goes first.
    """

    def __init__(self, server: DeviceServer, cache_size: int = CACHE_SIZE) -> None:
        self._server = server
        self._cache_size = cache_size
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._cached = 0
        self._fetches: dict[bytes, asyncio.Task[bytes | None]] = {}

    async def piece(self, request: PatchRequest) -> tuple[bytes, int]:
        """The wanted bytes, and the length of the whole; no bytes behind its end, or when the server has none.

        Raises:
            ServerSilent: the patch cannot be had now, or not with the right bytes.
        """
        whole = await self._whole(request.digest)
        if whole is None:
            return b"", 0
        return whole[request.offset : request.offset + request.length], len(whole)

    async def close(self) -> None:
        """Ends what is being fetched."""
        for task in self._fetches.values():
            task.cancel()
        await asyncio.gather(*self._fetches.values(), return_exceptions=True)

    async def _whole(self, digest: bytes) -> bytes | None:
        found = self._cache.get(digest)
        if found is not None:
            self._cache.move_to_end(digest)
            return found
        task = self._fetches.get(digest)
        if task is None:
            task = asyncio.create_task(self._fetch(digest))
            self._fetches[digest] = task
            task.add_done_callback(lambda done: self._forget(digest, done))
        # Who waits may give up; the others still want it.
        return await asyncio.shield(task)

    def _forget(self, digest: bytes, task: asyncio.Task[bytes | None]) -> None:
        del self._fetches[digest]
        if not task.cancelled():
            task.exception()  # whoever waited has been told; nobody may have waited to the end

    async def _fetch(self, digest: bytes) -> bytes | None:
        whole = await self._server.fetch(digest, PATCH_SIZE_MAX)
        if whole is None:
            return None
        if hashlib.sha256(whole).digest() != digest:
            raise ServerSilent("what the server gives as a patch has another digest")
        self._keep(digest, whole)
        return whole

    def _keep(self, digest: bytes, whole: bytes) -> None:
        self._cache[digest] = whole
        self._cached += len(whole)
        while self._cached > self._cache_size and self._cache:
            _, gone = self._cache.popitem(last=False)
            self._cached -= len(gone)
