# SPDX-License-Identifier: Apache-2.0
"""Takes a version out of use everywhere, at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.devices import groups
from ota_server.devices import store as devices
from ota_server.errors import Conflict
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.releases import service as releases
from ota_server.releases import store
from ota_server.releases.models import Release
from ota_server.rollouts import service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import ROLLOUT_MOVES, RolloutStatus


@dataclass(frozen=True, slots=True)
class Killed:
    """What killing a version ended, and what is left of it.

    Attributes:
        aborted: numbers of rollouts.
        was_default: the product has no default any more.
        groups: those that have no release any more.
        locked: devices that are locked to it, and get nothing until they are not.
        running: devices that run it, and go on.
    """

    aborted: Sequence[int]
    was_default: bool
    groups: Sequence[str]
    locked: int
    running: int


def kill(connection: Connection, product: Product, version: int, by: str, now_ms: int) -> Killed:
    """Has a version offered to nobody any more: its rollouts are aborted, and nothing is released in its place.

    Offers that are not staged are withdrawn at the devices' next check-ins, held ones at once.

    Raises:
        NotFound: no such version.
        Conflict: it is killed.
    """
    found = releases.find(connection, product, version)
    if found.killed_ms is not None:
        raise Conflict(f"version {version} is killed already")
    # As it is in this write, not as it was when the request arrived.
    product = products.get(connection, product.id) or product
    ended = [
        item
        for item in rollouts.of_product(connection, product.id)
        if item.version == version and RolloutStatus.ABORTED in ROLLOUT_MOVES[item.status]
    ]
    for rollout in ended:
        service.abort(connection, product, rollout.id, f"{by}, who killed version {version}", now_ms)
        service.note(connection, rollout, "abort", f"version {version} was killed by {by}", now_ms)
    in_groups = sorted(
        name for name, released in groups.released(connection, product.id).items() if released == version
    )
    if in_groups:
        groups.set_released(connection, product, version, [])
    was_default = product.default_version == version
    if was_default:
        products.set_default_version(connection, product.id, None)
    store.change_release(connection, found.id, {"killed_ms": now_ms})
    products.plan_changed(connection, product.id)
    running, locked = devices.count_with_version(connection, product.id, version)
    return Killed([rollout.id for rollout in ended], was_default, in_groups, locked, running)


def revive(connection: Connection, product: Product, version: int) -> Release:
    """Lets a killed version be offered again; what killing it has ended stays ended. Raises NotFound, Conflict."""
    found = releases.find(connection, product, version)
    if found.killed_ms is None:
        raise Conflict(f"version {version} is not killed")
    store.change_release(connection, found.id, {"killed_ms": None})
    products.plan_changed(connection, product.id)
    return releases.find(connection, product, version)
