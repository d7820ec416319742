# SPDX-License-Identifier: Apache-2.0
"""Where a rollout's devices stand, from its counts and the last scan: no device is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.rollouts import counts, store
from ota_server.rollouts.models import AttemptStatus, Rollout


@dataclass(frozen=True, slots=True)
class Progress:
    """A rollout's devices, each counted once: those of all its stages, and those that it skips are left out.

    Attributes:
        confirmed, trial, downloading, offered, reverted, failed: by the device's latest attempt. `downloading` holds
            staged images too; `failed` also attempts that ended without contact, interrupted or stopped for good.
        retrying: the last attempt was interrupted, without contact or stopped, and another one may follow.
        waiting: not offered anything yet, though heard.
        not_seen: neither online nor heard since the rollout began.
        already: ran the version without this rollout.
        scanned_ms: when devices were looked at, for the three before; None: not yet, and they are 0.
        bytes_sent, bytes_saved: see `AttemptCounts`.
    """

    confirmed: int
    trial: int
    downloading: int
    offered: int
    retrying: int
    reverted: int
    failed: int
    waiting: int
    not_seen: int
    already: int
    scanned_ms: int | None
    bytes_sent: int
    bytes_saved: int


def progress(connection: Connection, rollout: Rollout) -> Progress:
    """Where the rollout's devices stand now."""
    counted, scan = counts.get(connection, rollout.id), store.scan_of(connection, rollout.id)
    count = counted.of
    waiting, not_seen = (0, 0) if scan is None else scan.to_come(counted)
    # A third NO_CONTACT is `failed` among the counters and `no_contact` among the attempts.
    retrying = count(AttemptStatus.INTERRUPTED, AttemptStatus.NO_CONTACT, AttemptStatus.STOPPED)
    escalated = min(retrying, max(rollout.failed - count(AttemptStatus.FAILED), 0))
    return Progress(
        confirmed=count(AttemptStatus.CONFIRMED),
        trial=count(AttemptStatus.TRIAL),
        downloading=count(AttemptStatus.DOWNLOADING, AttemptStatus.STAGED),
        offered=count(AttemptStatus.OFFERED),
        retrying=retrying - escalated,
        reverted=count(AttemptStatus.REVERTED),
        failed=count(AttemptStatus.FAILED) + escalated,
        waiting=waiting,
        not_seen=not_seen,
        already=0 if scan is None else scan.already,
        scanned_ms=None if scan is None else scan.at_ms,
        bytes_sent=counted.bytes_sent,
        bytes_saved=counted.bytes_saved,
    )


def not_offered(connection: Connection, rollout: Rollout) -> int:
    """How many devices of its stages were never offered it, as far as was looked."""
    scan = store.scan_of(connection, rollout.id)
    return 0 if scan is None else sum(scan.to_come(counts.get(connection, rollout.id)))
