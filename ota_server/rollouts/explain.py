# SPDX-License-Identifier: Apache-2.0
"""Why a device runs what it runs: the decision that its next check-in would meet, in words."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.devices.models import Device
from ota_server.products.models import Product
from ota_server.rollouts import offers, store
from ota_server.rollouts.decide import Decision, decide
from ota_server.rollouts.models import AttemptStatus
from ota_server.rollouts.plan import load_plan


def explain(connection: Connection, product: Product, device: Device, keyset_version: int) -> Decision:
    """What would be decided now, with its trace."""
    attempt = None
    if device.open_attempt is not None:
        attempt = store.attempt_of(connection, device.id, device.open_attempt)
    is_busy = attempt is not None and attempt.status in (AttemptStatus.STAGED, AttemptStatus.TRIAL)
    plan = load_plan(connection, product, keyset_version)
    return decide(offers.facts_of(connection, device, plan, is_busy), plan)
