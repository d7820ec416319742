# SPDX-License-Identifier: Apache-2.0
"""Keeps patches within a budget: those that were not offered for longest make room, and are made again when needed."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, func, select

from ota_server.releases import store
from ota_server.releases.models import StoredPatch
from ota_server.rollouts.models import GOING_ON, attempts
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.worker import Worker

EVERY_S = 60.0
FILES_MAX = 1000
"""Removed at one look; the others at the next."""

_logger = logging.getLogger("ota_server.evictor")


class Evictor(Worker):
    """Looks at all patches. Any number of processes may: what two of them evict is evicted once.

    A patch that an open attempt names stays, whatever the budget.

    Args:
        served: where patches are.
        budget: bytes of patches that are kept.
    """

    def __init__(self, database: Database, served: BlobStore, budget: int) -> None:
        super().__init__("evictor", EVERY_S)
        self._database = database
        self._served = served
        self._budget = budget

    def do_next(self) -> bool:
        """Makes room, and removes files. Never says that there is more: what is too much now stays so for a while."""
        with self._database.read() as connection:
            kept = store.kept_patches(connection)
            is_over = sum(patch.size or 0 for patch in kept) > self._budget
            # Of a million attempts: this is looked at by readers, and only when there is need.
            open_ids, newest = _open(connection) if is_over else (frozenset(), 0)
        if is_over:
            chosen = self._choose(kept, open_ids)
            count = self._database.write(lambda connection: _evict(connection, chosen, newest))
            _logger.info("%d patches made room", count)
        self._remove_files()
        return False

    def _choose(self, kept: list[StoredPatch], open_ids: frozenset[int]) -> list[StoredPatch]:
        total = sum(patch.size or 0 for patch in kept)
        chosen = []
        for patch in kept:
            if total <= self._budget:
                break
            if patch.id not in open_ids:
                chosen.append(patch)
                total -= patch.size or 0
        if total > self._budget:
            _logger.warning("patches in use take %d bytes, the budget is %d: raise --patch-budget", total, self._budget)
        return chosen

    def _remove_files(self) -> None:
        """After the commit that evicts; one that was killed in between is done here the next time."""
        with self._database.read() as connection:
            files = store.evicted_files(connection, FILES_MAX)
        if not files:
            return
        for digest in files:
            # Asked before each: to remove many takes long, and meanwhile a patch may have been made again.
            with self._database.read() as connection:
                is_offered = store.is_file_offered(connection, digest)
            if not is_offered:
                self._served.remove(digest)
        self._database.write(lambda connection: store.forget_files(connection, files))


def _open(connection: Connection) -> tuple[frozenset[int], int]:
    """The patches that open attempts name, and the newest attempt."""
    rows = connection.execute(select(attempts.c.patch_id).where(attempts.c.status.in_(GOING_ON)).distinct())
    newest = connection.execute(select(func.coalesce(func.max(attempts.c.id), 0))).scalar_one()
    return frozenset(rows.scalars()), newest


def _evict(connection: Connection, chosen: list[StoredPatch], newest: int) -> int:
    later = frozenset(connection.execute(select(attempts.c.patch_id).where(attempts.c.id > newest)).scalars())
    evicted = [patch for patch in chosen if patch.id not in later]
    for patch in evicted:
        store.evict_patch(connection, patch.id)
    return len(evicted)
