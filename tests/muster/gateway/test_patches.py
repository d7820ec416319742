# SPDX-License-Identifier: Apache-2.0
"""Patches are fetched whole and once, checked, and kept while there is room."""

from __future__ import annotations

import asyncio

import pytest

from muster.gateway import PatchRequest, PatchSource, ServerSilent
from tests.muster.gateway.servers import FakeServer

PATCH = bytes(range(256)) * 10


def test_pieces_come_from_one_fetch() -> None:
    async def run() -> None:
        server = FakeServer()
        digest = server.add(PATCH)
        source = PatchSource(server)
        assert await source.piece(PatchRequest(digest, 0, 1020)) == (PATCH[:1020], len(PATCH))
        assert await source.piece(PatchRequest(digest, 2040, 1020)) == (PATCH[2040:], len(PATCH))
        assert await source.piece(PatchRequest(digest, 5000, 1020)) == (b"", len(PATCH))
        assert server.asked == [digest]

    asyncio.run(run())


def test_two_devices_at_once_cause_one_fetch_and_one_may_give_up() -> None:
    async def run() -> None:
        server = FakeServer()
        digest = server.add(PATCH)
        server.gate.clear()
        source = PatchSource(server)
        first, second = (asyncio.create_task(source.piece(PatchRequest(digest, 0, 10))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        server.gate.set()
        assert await second == (PATCH[:10], len(PATCH))
        assert first.cancelled()
        assert server.asked == [digest]

    asyncio.run(run())


def test_a_patch_with_other_bytes_never_reaches_a_device() -> None:
    async def run() -> None:
        server = FakeServer()
        digest = server.add(PATCH)
        server.blobs[digest] = PATCH[:-1] + b"x"
        source = PatchSource(server)
        with pytest.raises(ServerSilent, match="another digest"):
            await source.piece(PatchRequest(digest, 0, 10))
        server.blobs[digest] = PATCH
        assert await source.piece(PatchRequest(digest, 0, 10)) == (PATCH[:10], len(PATCH))

    asyncio.run(run())


def test_a_patch_that_the_server_does_not_have_has_no_bytes() -> None:
    async def run() -> None:
        assert await PatchSource(FakeServer()).piece(PatchRequest(bytes(32), 0, 10)) == (b"", 0)

    asyncio.run(run())


def test_the_cache_is_bounded_and_drops_what_was_not_wanted_for_longest() -> None:
    async def run() -> None:
        server = FakeServer()
        first, second, third = (server.add(bytes([number]) * 100) for number in range(3))
        source = PatchSource(server, cache_size=250)
        for digest in (first, second, first, third):
            await source.piece(PatchRequest(digest, 0, 10))
        assert server.asked == [first, second, third]
        await source.piece(PatchRequest(first, 0, 10))
        await source.piece(PatchRequest(second, 0, 10))
        assert server.asked == [first, second, third, second]

    asyncio.run(run())


def test_a_patch_larger_than_the_cache_is_served_all_the_same() -> None:
    async def run() -> None:
        server = FakeServer()
        digest = server.add(PATCH)
        source = PatchSource(server, cache_size=10)
        assert await source.piece(PatchRequest(digest, 0, 10)) == (PATCH[:10], len(PATCH))

    asyncio.run(run())


def test_closing_ends_a_fetch_under_way() -> None:
    async def run() -> None:
        server = FakeServer()
        server.gate.clear()
        source = PatchSource(server)
        waiting = asyncio.create_task(source.piece(PatchRequest(server.add(PATCH), 0, 10)))
        await asyncio.sleep(0)
        await source.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
