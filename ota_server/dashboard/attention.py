# SPDX-License-Identifier: Apache-2.0
"""What needs somebody's attention in a product, most urgent first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.devices import search as devices_search
from ota_server.devices import store as devices
from ota_server.devices.models import DeviceStatus
from ota_server.devices.search import Search
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import counts
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import OutcomeKind, Rollout, RolloutStatus
from ota_server.rollouts.outcomes import reason_text
from ota_server.webhooks import store as webhooks
from ota_server.webhooks.models import Webhook

REASONS_SHOWN = 3
"""Of one rollout."""
_WATCHED = (RolloutStatus.RUNNING, RolloutStatus.PAUSED)
_TROUBLES = {OutcomeKind.REVERTED: "reverted", OutcomeKind.FAILED: "failed"}


class Urgency(IntEnum):
    """What comes first."""

    PAUSED = 1
    TROUBLE = 2
    UNSIGNED = 3
    QUARANTINED = 4
    WEBHOOK = 5


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to look at.

    Attributes:
        state: as `render.STATES` names it.
        href: where it is dealt with; `act` says what is done there.
    """

    urgency: Urgency
    product: Product
    state: str
    text: str
    href: str
    act: str


def attention(connection: Connection, product: Product, release_threshold: int) -> list[Matter]:
    """`release_threshold`: signatures that a release needs."""
    watched = [one for one in rollouts.of_product(connection, product.id) if one.status in _WATCHED]
    found = [matter for rollout in watched for matter in _of_rollout(connection, product, rollout)]
    found += _unsigned(connection, product, {one.version for one in watched}, release_threshold)
    found += _quarantined(connection, product)
    found += _webhooks(connection, product)
    return sorted(found, key=lambda matter: matter.urgency)


def _of_rollout(connection: Connection, product: Product, rollout: Rollout) -> list[Matter]:
    base = f"/products/{product.slug}/rollouts/{rollout.id}"
    found = []
    if rollout.status is RolloutStatus.PAUSED:
        found.append(Matter(Urgency.PAUSED, product, "paused", f"{rollout.name}: {rollout.reason}", base, "Decide"))
    troubles = [one for one in counts.reasons(connection, rollout.id) if one[0] in _TROUBLES][:REASONS_SHOWN]
    for kind, number, count in troubles:
        times = "once" if count == 1 else f"{count:,} times"
        text = f"{rollout.name} {_TROUBLES[kind]} {times}: {reason_text(number)}."
        href = f"{base}/devices?reason={kind.value}.{number}"
        found.append(Matter(Urgency.TROUBLE, product, kind.value, text, href, "See the devices"))
    return found


def _unsigned(connection: Connection, product: Product, rolled: set[int], threshold: int) -> list[Matter]:
    """Releases that are rolled out, and the newest one, as far as they lack signatures."""
    images = [one for one in releases.images_of_product(connection, product.id) if one.release_id is not None]
    wanted = rolled | {max((one.version for one in images), default=0)}
    found = []
    for image in images:
        signed = len(json.loads(image.signers)["release"])
        if image.version in wanted and image.killed_ms is None and signed < threshold:
            name = f"Version {image.version} for {platform_name(image.platform_id)}"
            text = f"{name} has {signed} of {threshold} release signatures: only devices for development take it."
            href = f"/products/{product.slug}/releases/{image.version}"
            found.append(Matter(Urgency.UNSIGNED, product, "unsigned", text, href, "See who can sign it"))
    return found


def _quarantined(connection: Connection, product: Product) -> list[Matter]:
    count = devices.count_quarantined(connection, product.id)
    if not count:
        return []
    asked = Search(status=DeviceStatus.QUARANTINED, per_page=1)
    some = devices_search.next_of_product(connection, product.id, asked, None)
    why = " ".join(one.quarantine_reason for one in some)
    text = f"{count:,} quarantined device{'' if count == 1 else 's'}: no firmware until approved. {why}"
    base = f"/products/{product.slug}/devices"
    href, act = f"{base}?state=quarantined", "Look at them"
    if count == 1 and some:
        href, act = f"{base}/{some[0].device_id}", "Look at it"
    return [Matter(Urgency.QUARANTINED, product, "quarantined", text, href, act)]


def _webhooks(connection: Connection, product: Product) -> list[Matter]:
    found = []
    for hook in webhooks.of_owner(connection, product.organization_id, product.id):
        text = _hook_text(hook)
        if text:
            href = f"/products/{product.slug}/webhooks/{hook.id}"
            found.append(Matter(Urgency.WEBHOOK, product, "failed", text, href, "See its deliveries"))
    return found


def _hook_text(hook: Webhook) -> str:
    if hook.off_reason:
        return f"The webhook for {hook.event} is switched off: {hook.off_reason}."
    if hook.failures:
        return f"The webhook for {hook.event} fails: {hook.failures} in a row."
    return ""
