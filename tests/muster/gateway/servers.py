# SPDX-License-Identifier: Apache-2.0
"""Servers for gateways under test."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from muster.gateway import Exchange, Reply, ServerSilent


@dataclass
class FakeServer:
    """Answers an exchange with its own bytes turned round, and knows some blobs.

    Attributes:
        gate: while it is clear, nothing is answered.
        status: of every reply.
        asked: what came, in order.
    """

    status: int = 200
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    is_silent: bool = False
    asked: list[object] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def add(self, blob: bytes) -> bytes:
        """Keeps a blob; returns its digest."""
        digest = hashlib.sha256(blob).digest()
        self.blobs[digest] = blob
        return digest

    async def exchange(self, exchange: Exchange) -> Reply:
        self.asked.append(exchange)
        await self.gate.wait()
        return Reply(0) if self.is_silent else Reply(self.status, exchange.body[::-1])

    async def fetch(self, digest: bytes, size_max: int) -> bytes | None:
        self.asked.append(digest)
        await self.gate.wait()
        if self.is_silent:
            raise ServerSilent("the server is silent")
        return self.blobs.get(digest)
