# SPDX-License-Identifier: Apache-2.0
"""Rules for webhooks."""

from __future__ import annotations

import re
import secrets

from sqlalchemy import Connection

from ota_server.errors import Conflict, Invalid, NotFound
from ota_server.organizations.models import Organization
from ota_server.products.models import Product
from ota_server.telemetry.events import NAME_MAX
from ota_server.webhooks import queue, store
from ota_server.webhooks.hook import Hook
from ota_server.webhooks.models import Webhook

WEBHOOKS_MAX = 50
"""Of a product, and of an organization as a whole."""

Owner = Product | Organization


def create(connection: Connection, owner: Owner, event: str, device_id: str | None, hook: Hook, now_ms: int) -> Webhook:
    """Makes a webhook, with a secret that it signs with.

    Raises:
        Invalid: a field has no legal value.
        Conflict: the owner has too many.
    """
    if not 1 <= len(event) <= NAME_MAX or not event.isprintable():
        raise Invalid(f"event is how names of events begin: 1 to {NAME_MAX} printable characters", "event")
    if device_id is not None and not re.fullmatch(r"[0-9a-f]{24}", device_id):
        raise Invalid("a device's id has 24 lower-case hexadecimal digits", "deviceId")
    if len(list_all(connection, owner)) >= WEBHOOKS_MAX:
        raise Conflict(f"there are {WEBHOOKS_MAX} webhooks already: remove some first")
    organization_id, product_id = _whose(owner)
    return store.add(
        connection,
        {
            "organization_id": organization_id,
            "product_id": product_id,
            "event": event,
            "device_id": device_id,
            "content": hook.to_json(),
            "secret": secrets.token_hex(24),
            "created_ms": now_ms,
            "failures": 0,
            "off_reason": "",
        },
    )


def list_all(connection: Connection, owner: Owner) -> list[Webhook]:
    """The webhooks of a product, or those of an organization as a whole."""
    return store.of_owner(connection, *_whose(owner))


def find(connection: Connection, owner: Owner, webhook_id: str) -> Webhook:
    """Raises NotFound."""
    found = next((one for one in list_all(connection, owner) if str(one.id) == webhook_id), None)
    if found is None:
        raise NotFound(f"there is no webhook {webhook_id[:20]}")
    return found


def remove(connection: Connection, owner: Owner, webhook_id: str) -> None:
    """With what waits for it. Raises NotFound."""
    store.remove(connection, find(connection, owner, webhook_id).id)


def switch_on(connection: Connection, owner: Owner, webhook_id: str) -> Webhook:
    """Lets a webhook that failed too often try again. Raises NotFound."""
    found = find(connection, owner, webhook_id)
    store.change(connection, found.id, {"failures": 0, "off_reason": ""})
    return find(connection, owner, webhook_id)


def send_test(connection: Connection, owner: Owner, webhook_id: str, now_ms: int) -> None:
    """Lets a webhook deliver an event that was never published. Raises NotFound, Conflict."""
    found = find(connection, owner, webhook_id)
    if found.off_reason:
        raise Conflict("this webhook is off: switch it on first")
    queue.enqueue_test(connection, found, now_ms)


def _whose(owner: Owner) -> tuple[int, int | None]:
    return (owner.organization_id, owner.id) if isinstance(owner, Product) else (owner.id, None)
