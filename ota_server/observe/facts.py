# SPDX-License-Identifier: Apache-2.0
"""What the database knows of the whole server, read when measures are asked for, and seldom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Table, func, select

from ota_server.devices import store as devices
from ota_server.mail.models import MailStatus, mails
from ota_server.releases.models import PatchStatus, patches
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import Rollout, RolloutStatus
from ota_server.rollouts.models import rollouts as rollouts_table
from ota_server.webhooks.models import DeliveryStatus, deliveries

ROLLOUTS_MAX = 50
"""Running rollouts with measures of their own: the newest ones."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows by their status, devices that are online, and the newest running rollouts."""

    patches: Mapping[str, int]
    mails: Mapping[str, int]
    deliveries: Mapping[str, int]
    rollouts: Mapping[str, int]
    online: int
    running: list[Rollout]


def read_facts(connection: Connection, now_ms: int) -> Facts:
    """One look at the database."""
    return Facts(
        _by_status(connection, patches, PatchStatus),
        _by_status(connection, mails, MailStatus),
        _by_status(connection, deliveries, DeliveryStatus),
        _by_status(connection, rollouts_table, RolloutStatus),
        devices.count_all_online(connection, now_ms),
        rollouts.newest_running(connection, ROLLOUTS_MAX),
    )


def _by_status(connection: Connection, table: Table, statuses: type[StrEnum]) -> Mapping[str, int]:
    """How many rows have each status; every status is there."""
    rows = connection.execute(select(table.c.status, func.count()).group_by(table.c.status))
    return {str(status): 0 for status in statuses} | {str(status): count for status, count in rows}
