# SPDX-License-Identifier: Apache-2.0
"""Loads the plan of a product, and keeps it while nothing changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from ota_server.devices import groups
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.releases.models import StoredImage
from ota_server.rollouts import cohorts, store
from ota_server.rollouts.cohort import ReachingStage
from ota_server.rollouts.decide import Pace, Plan, RunningRollout
from ota_server.rollouts.facts import Target
from ota_server.rollouts.models import Rollout, RolloutStatus
from ota_server.rollouts.schedule import Priority

AT_WORK = (RolloutStatus.RUNNING,)
WAITING = (RolloutStatus.PAUSED, RolloutStatus.SCHEDULED)
COMPLETED_MAX = 20
"""Completed rollouts that devices may come late to."""


class PlanCache:
    """Plans by product; used by the writer thread only. A product's `plan_token` says whether one still holds."""

    def __init__(self, keyset_version: int) -> None:
        self._keyset_version = keyset_version
        self._plans: dict[int, tuple[bytes, Plan]] = {}

    def get(self, connection: Connection, product: Product) -> Plan:
        held = self._plans.get(product.id)
        if held is not None and held[0] == product.plan_token:
            return held[1]
        plan = load_plan(connection, product, self._keyset_version)
        self._plans[product.id] = (product.plan_token, plan)
        return plan


def load_plan(
    connection: Connection, product: Product, keyset_version: int, statuses: Collection[RolloutStatus] = AT_WORK
) -> Plan:
    """Reads a plan from the database. `statuses`: of the rollouts that traces shall tell of."""
    targets = targets_of(connection, product.id)
    released = groups.released(connection, product.id)
    brought_out = {*released.values(), product.default_version}
    running = [
        rule_of(connection, rollout, targets)
        for rollout in store.deciding_of(connection, product.id, statuses)
        if rollout.undoes is None or rollout.undoes not in brought_out
    ]
    # The sort is stable: the newest stay first among equals.
    running.sort(key=lambda one: one.pace is None or one.pace.schedule.priority is not Priority.SECURITY)
    # Who comes late to what reached every device gets it as the product's default.
    late = store.completed_above(connection, product.id, product.default_version or 0, COMPLETED_MAX)
    running += [rule for rollout in late if not (rule := rule_of(connection, rollout, targets)).reaches_all]
    completed = None
    if product.default_version is not None:
        completed = store.completed_of(connection, product.id, product.default_version)
    return Plan(
        keyset_version,
        running,
        product.default_version,
        targets,
        released,
        None if completed is None else _pace_of(completed),
        product.time_zone,
    )


def targets_of(connection: Connection, product_id: int) -> dict[tuple[int, int], Target]:
    """Every image of a product's releases, by version and platform id."""
    return {
        (image.version, image.platform_id): target_of(image)
        for image in releases.images_of_product(connection, product_id)
    }


def rule_of(connection: Connection, rollout: Rollout, targets: Mapping[tuple[int, int], Target]) -> RunningRollout:
    """A rollout as the decision sees it, whatever its state."""
    stages = [
        ReachingStage(cohorts.resolve(connection, rollout.product_id, item.cohort), item.percent)
        for item in store.stages_of(connection, rollout.id)
    ]
    by_platform = {
        platform_id: target for (version, platform_id), target in targets.items() if version == rollout.version
    }
    return RunningRollout(
        id=rollout.id,
        version=rollout.version,
        stage=rollout.stage,
        stages=stages,
        salt=rollout.salt,
        targets=by_platform,
        pace=_pace_of(rollout),
        status=rollout.status,
        undoes=rollout.undoes,
    )


def _pace_of(rollout: Rollout) -> Pace | None:
    return None if rollout.schedule.is_plain else Pace(rollout.id, rollout.schedule)


def target_of(image: StoredImage) -> Target:
    """An image as the decision sees it."""
    return Target(
        image_id=image.id,
        identity=image.identity,
        version=image.version,
        platform_id=image.platform_id,
        security_counter=image.security_counter,
        hardware_lowest=image.hardware_lowest,
        hardware_highest=image.hardware_highest,
        min_bootloader=image.min_bootloader,
        size=image.size,
        is_killed=image.killed_ms is not None,
    )
