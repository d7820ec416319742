# SPDX-License-Identifier: Apache-2.0
"""Looks at every device of products with rollouts, in the background, a page at a time.

Nothing else looks at all devices: what a start or a page needs to know of them comes from here, with its age.
Of several processes one looks: whoever takes the product's row in `fleet_scans` first.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, update

from ota_server.clock import Clock
from ota_server.devices import groups
from ota_server.devices import store as devices
from ota_server.devices.models import Device, DeviceStatus
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import counts, forecast, store
from ota_server.rollouts.decide import RunningRollout
from ota_server.rollouts.facts import facts_of
from ota_server.rollouts.fleet_scan import Looked, RolloutScan, Tally
from ota_server.rollouts.models import OPEN, RolloutStatus, fleet_scans, rollout_scans, rollouts
from ota_server.rollouts.plan import load_plan, rule_of
from ota_server.rollouts.schedule import Priority
from ota_server.storage.database import Database
from ota_server.storage.sql import insert_once
from ota_server.telemetry import habits
from ota_server.telemetry.feed import Feed
from ota_server.worker import Worker

LOOK_EVERY_S = 10.0
AGE_MS = 60_000
"""A scan is made anew when it is older than this, and than `REST` times what it took."""
REST = 30
LEASE_MS = 900_000
"""A process that has not ended its scan by then has died."""
PAGE = 1000
ROLLOUTS_MAX = 20
"""Open rollouts of a product that are looked at, the newest ones."""

_LOST_DAYS = 14
_DAY_MS = 24 * habits.HOUR_MS
_LOST_BELOW = 0.05
"""A device is lost when it is less likely than this that it lives and was just not heard."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A product whose devices are to be looked at, and when that was begun last (0: never)."""

    product: Product
    began_ms: int


class Scanner(Worker):
    """Keeps the scans of all products with open rollouts young.

    Args:
        keyset_version: the server's newest key set: devices that hold a newer one are offered nothing.
        patcher: makes the patches that a scan asks for.
    """

    def __init__(self, database: Database, feed: Feed, clock: Clock, keyset_version: int, patcher: Worker) -> None:
        super().__init__("scanner", LOOK_EVERY_S)
        self._database = database
        self._feed = feed
        self._clock = clock
        self._keyset_version = keyset_version
        self._patcher = patcher
        self._stopped = threading.Event()

    def do_next(self) -> bool:
        """Scans the product that waits longest."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            due = _due(connection, now_ms)
        if due is None:
            return False
        if self._database.write(lambda connection: _take(connection, due, now_ms)):
            self._scan(due.product, now_ms)
        return True

    def stop(self) -> None:
        self._stopped.set()
        super().stop()

    def _scan(self, product: Product, at_ms: int) -> None:
        begin = time.monotonic()
        with self._database.read() as connection:
            tallies, names = _tallies(connection, product, self._keyset_version)
        seen = _Seen(at_ms)
        for page in self._pages(product.id):
            with self._database.read() as connection:
                rows = [device.id for device in page]
                in_groups = groups.of_devices(connection, rows) if names else {}
            for device in page:
                named = names.intersection(in_groups.get(device.id, ()))
                facts = facts_of(device, named, None, False, at_ms, product.time_zone)
                for tally in tallies.values():
                    tally.add(device, facts, at_ms)
                seen.add(device)
        if self._stopped.is_set():
            return
        took_ms = math.ceil(1000 * (time.monotonic() - begin))
        made = {
            rollout_id: self._forecast(rollout_id, tally, Looked(at_ms, took_ms, seen.devices, seen.lost_per_day))
            for rollout_id, tally in tallies.items()
        }

        def keep(connection: Connection) -> None:
            store.end_scan(connection, product.id, math.ceil(1000 * (time.monotonic() - begin)))
            for rollout_id, (found, text) in made.items():
                store.keep_scan(connection, rollout_id, found, text)
                _want_patches(connection, product, rollout_id, found)

        self._database.write(keep)
        self._feed.publish(product.id)
        self._patcher.wake()

    def _forecast(self, rollout_id: int, tally: Tally, seen: Looked) -> tuple[RolloutScan, str]:
        """What was found for a rollout, and the forecast that follows from it."""
        with self._database.read() as connection:
            rollout = store.get(connection, rollout_id)
            assert rollout is not None
            found = tally.found(seen, counts.get(connection, rollout_id))
            setting = forecast.setting_of(connection, rollout, found, self._clock.now_ms())
        return found, forecast.make(setting, found).to_text()

    def _pages(self, product_id: int) -> Iterator[Sequence[Device]]:
        """All devices of a product, by their rows. It rests as long as it works: others want to compute, too."""
        after = 0
        while not self._stopped.is_set():
            begin = time.monotonic()
            with self._database.read() as connection:
                page = devices.page_by_row(connection, product_id, after, PAGE)
            yield page
            if len(page) < PAGE:
                return
            after = page[-1].id
            self._stopped.wait(time.monotonic() - begin)


class _Seen:
    """Counts what does not depend on a rollout."""

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms
        self.devices = 0
        self._lost = 0

    def add(self, device: Device) -> None:
        self.devices += 1
        silent_ms = self._at_ms - (device.last_seen_ms or 0)
        if device.habit is None or device.status is not DeviceStatus.ACTIVE:
            return
        if _DAY_MS <= silent_ms < (_LOST_DAYS + 1) * _DAY_MS:
            assert device.last_seen_ms is not None
            silence = habits.silence(habits.Habit.from_bytes(device.habit), device.last_seen_ms, self._at_ms)
            self._lost += silence < _LOST_BELOW

    @property
    def lost_per_day(self) -> float:
        return self._lost / _LOST_DAYS / max(self.devices, 1)


def _due(connection: Connection, now_ms: int) -> _Due | None:
    scan = fleet_scans.c
    never = rollout_scans.c.rollout_id.is_(None)
    rows = connection.execute(
        select(rollouts.c.product_id, scan.began_ms, scan.took_ms, scan.is_wanted, never)
        .select_from(rollouts)
        .outerjoin(fleet_scans, scan.product_id == rollouts.c.product_id)
        .outerjoin(rollout_scans, rollout_scans.c.rollout_id == rollouts.c.id)
        .where(rollouts.c.status.in_(OPEN))
        .order_by(scan.began_ms)
    )
    for product_id, began_ms, took_ms, is_wanted, is_never in rows:
        if began_ms is None or _is_due(now_ms - began_ms, took_ms, is_wanted or is_never):
            product = products.get(connection, product_id)
            assert product is not None
            return _Due(product, began_ms or 0)
    return None


def _is_due(age_ms: int, took_ms: int | None, is_wanted: bool) -> bool:
    if age_ms < 0:
        return True  # the clock went back
    if took_ms is None:
        return age_ms > LEASE_MS
    return is_wanted or age_ms > max(AGE_MS, REST * took_ms)


def _take(connection: Connection, due: _Due, now_ms: int) -> bool:
    """Whether this process is the one that looks."""
    values = {"began_ms": now_ms, "took_ms": None, "is_wanted": False}
    if due.began_ms == 0 and insert_once(connection, fleet_scans, {"product_id": due.product.id, **values}):
        return True
    where = (fleet_scans.c.product_id == due.product.id, fleet_scans.c.began_ms == due.began_ms)
    return connection.execute(update(fleet_scans).where(*where).values(values)).rowcount == 1


def _tallies(connection: Connection, product: Product, keyset_version: int) -> tuple[dict[int, Tally], frozenset[str]]:
    """A tally for each open rollout, and the groups that decide anything."""
    plan = load_plan(connection, product, keyset_version)
    listed = [rollout for rollout in store.of_product(connection, product.id) if rollout.status in OPEN][:ROLLOUTS_MAX]
    tallies = {}
    rules = [rule_of(connection, rollout, plan.targets) for rollout in listed]
    for rollout, rule in zip(listed, rules, strict=True):
        before = [one for one in plan.rollouts if one.status is RolloutStatus.RUNNING and _rank(one) > _rank(rule)]
        tallies[rollout.id] = Tally(rule, before, plan, rollout.started_ms)
    return tallies, replace(plan, rollouts=rules).named_groups


def _rank(rule: RunningRollout) -> tuple[bool, int]:
    """Of two rollouts that run, the one of the higher rank decides."""
    return rule.pace is not None and rule.pace.schedule.priority is Priority.SECURITY, rule.id


def _want_patches(connection: Connection, product: Product, rollout_id: int, scan: RolloutScan) -> None:
    """Asks for a patch from every base of a running rollout, those of most devices first."""
    rollout = store.get(connection, rollout_id)
    if rollout is None or rollout.status is not RolloutStatus.RUNNING:
        return
    images = releases.images_of_product(connection, product.id)
    targets = {image.platform_id: image.identity for image in images if image.version == rollout.version}
    for base, count in scan.bases:
        found = releases.running_image(connection, product.id, base.platform_id, bytes.fromhex(base.identity))
        if found is not None and base.platform_id in targets:
            target = targets[base.platform_id]
            releases.want_patch(connection, product.id, found.identity, target, scan.at_ms, count)
