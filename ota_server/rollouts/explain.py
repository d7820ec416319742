# SPDX-License-Identifier: Apache-2.0
"""Why a device runs what it runs: the decision that its next check-in would meet, with what each rule says."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.devices.models import Device
from ota_server.products.models import Product
from ota_server.rollouts import offers, store
from ota_server.rollouts.decide import Trace, trace
from ota_server.rollouts.models import AttemptStatus
from ota_server.rollouts.plan import AT_WORK, WAITING, load_plan


def explain(connection: Connection, product: Product, device: Device, keyset_version: int, now_ms: int) -> Trace:
    """What would be decided now."""
    attempt = None
    if device.open_attempt is not None:
        attempt = store.attempt_of(connection, device.id, device.open_attempt)
    is_busy = attempt is not None and attempt.status in (AttemptStatus.STAGED, AttemptStatus.TRIAL)
    plan = load_plan(connection, product, keyset_version, (*AT_WORK, *WAITING))
    return trace(offers.load_facts(connection, device, plan, is_busy, now_ms), plan)
