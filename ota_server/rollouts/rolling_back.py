# SPDX-License-Identifier: Apache-2.0
"""Brings the devices that run a version back to an earlier one, where their security counters let them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from muster.layout import IDENTITY_PREFIX_SIZE
from ota_server.devices import groups
from ota_server.devices.models import DeviceStatus, devices
from ota_server.errors import Conflict, Invalid
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.releases import service as releases
from ota_server.rollouts import service, store
from ota_server.rollouts.decide import refusal
from ota_server.rollouts.facts import DeviceFacts, Target
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.models import Rollout, RolloutStatus
from ota_server.rollouts.plan import targets_of
from ota_server.rollouts.schedule import Schedule
from ota_server.rollouts.service import NewStage

SAMPLE = 10
_ASKED = (
    devices.c.platform_id,
    devices.c.security_counter,
    devices.c.hardware_revision,
    devices.c.bootloader_version,
    devices.c.development,
    devices.c.locked_version,
)
"""What decides whether a device can go back; all that run the version are grouped by it."""


@dataclass(frozen=True, slots=True)
class Staying:
    """Devices that run the version and cannot go back, and some of their ids."""

    why: str
    count: int
    sample: Sequence[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """What going back would do.

    Attributes:
        going: devices that can go back.
        staying: those that cannot, by reason, most first.
    """

    going: int
    staying: Sequence[Staying]


def preview(connection: Connection, product: Product, rollout_id: int, version: int) -> Preview:
    """Who of all that run a rollout's version can go back to an earlier one. Raises NotFound, Invalid, Conflict."""
    undone = _check(connection, product, rollout_id, version)
    targets = {platform: one for (of, platform), one in targets_of(connection, product.id).items() if of == version}
    # Such texts hold whole identities in hexadecimal: one is nowhere a part of two others.
    prefixes = [target.identity[:IDENTITY_PREFIX_SIZE].hex() for target in targets.values()]
    has_failed = case((or_(*(devices.c.blocked.contains(prefix) for prefix in prefixes)), 1), else_=0)
    runs_it = and_(
        devices.c.product_id == product.id,
        devices.c.product_version == undone.version,
        devices.c.status == DeviceStatus.ACTIVE,
    )
    # Below a name of its own: PostgreSQL takes two expressions with parameters for different ones.
    asked = select(*_ASKED, has_failed.label("has_failed")).where(runs_it).subquery()
    rows = connection.execute(select(*asked.c, func.count().label("alike")).group_by(*asked.c)).all()
    going, reasons = 0, dict[str, list[Any]]()
    for row in rows:
        why = _why_not(row, targets)
        if why is None:
            going += row.alike
        else:
            reasons.setdefault(why, []).append(row)
    staying = []
    for why, found in reasons.items():
        alike = or_(
            *(
                and_(*(column.is_not_distinct_from(row[number]) for number, column in enumerate((*_ASKED, has_failed))))
                for row in found
            )
        )
        query = select(devices.c.device_id).where(runs_it, alike).order_by(devices.c.device_id).limit(SAMPLE)
        staying.append(Staying(why, sum(row.alike for row in found), connection.execute(query).scalars().all()))
    return Preview(going, sorted(staying, key=lambda one: (-one.count, one.why)))


def roll_back(
    connection: Connection,
    product: Product,
    rollout_id: int,
    version: int,
    by: str,
    now_ms: int,
    stages: Sequence[NewStage] = (),
    schedule: Schedule | None = None,
) -> Rollout:
    """Starts a rollout that brings every device which runs a rollout's version back to an earlier one.

    Nothing else brings that version out any more: its rollouts are aborted, and where it was the default or the release
    of a group, the earlier one is.

    Raises:
        NotFound: no such rollout or version.
        Invalid: the version is not earlier; stages have no legal value.
        Conflict: the rollout was never started, or the version is killed.
    """
    undone = _check(connection, product, rollout_id, version)
    # As it is in this write, not as it was when the request arrived.
    product = products.get(connection, product.id) or product
    for rollout in store.of_product(connection, product.id):
        is_out = rollout.status not in (RolloutStatus.DRAFT, RolloutStatus.ABORTED, RolloutStatus.COMPLETED)
        if rollout.version == undone.version and is_out:
            service.abort(connection, product, rollout.id, f"{by}, who goes back to version {version}", now_ms)
            service.note(connection, rollout, "abort", f"{by} goes back to version {version}", now_ms)
    if product.default_version == undone.version:
        products.set_default_version(connection, product.id, version)
    groups.replace_released(connection, product.id, undone.version, version)
    made = service.create(
        connection,
        product,
        version,
        list(stages) or [NewStage(100, Gate())],
        by,
        now_ms,
        f"Back from version {undone.version} to {version}",
        os.urandom(service.SALT_SIZE),
        schedule,
        undone.version,
    )
    return service.start(connection, product, made.id, now_ms)


def _check(connection: Connection, product: Product, rollout_id: int, version: int) -> Rollout:
    undone = service.get(connection, product, rollout_id)
    releases.check_alive(releases.find(connection, product, version))
    if version >= undone.version:
        raise Invalid(f"version {version} is not earlier than {undone.version}", "version")
    if undone.started_ms is None:
        raise Conflict(f"rollout {undone.id} was never started: nothing of it is to be undone")
    return undone


def _why_not(row: Any, targets: dict[int, Target]) -> str | None:
    """`row`: what is asked of devices that are alike."""
    if row.development:
        return "for development: nothing is offered automatically."
    if row.locked_version is not None:
        return f"locked to version {row.locked_version}."
    target = targets.get(row.platform_id)
    if target is None:
        return "the earlier version has no image for its platform."
    failed = {target.identity[:IDENTITY_PREFIX_SIZE]} if row.has_failed else set()
    facts = DeviceFacts(
        device_id="",
        is_trusted=True,
        development=False,
        locked_version=None,
        platform_id=row.platform_id,
        identity=None,
        product_version=None,
        hardware_revision=row.hardware_revision,
        security_counter=row.security_counter,
        bootloader_version=row.bootloader_version,
        keyset_version=None,
        boot_state=None,
        is_busy=False,
        blocked=frozenset(failed),
    )
    refused = refusal(facts, target)
    return None if refused is None else refused.why
