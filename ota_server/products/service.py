# SPDX-License-Identifier: Apache-2.0
"""Rules for products."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from muster.layout import ID_MAX
from ota_server.errors import Conflict, Invalid
from ota_server.products import store
from ota_server.products.models import (
    DEFAULT_INTERVAL_S,
    DEFAULT_PATCH_WAIT,
    DEFAULT_QUARANTINE_MAX,
    PATCH_WAIT_MAX,
    Claiming,
    Product,
    Reprogrammers,
)
from ota_server.times import check_time_zone

DESCRIPTION_MAX = 10_000
KEEP_DAYS_MAX = 3650


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What a product is made from; see `Product` for the fields."""

    id: int
    name: str
    slug: str | None = None
    description: str = ""
    auto_approve: bool = False
    check_in_interval_s: int = DEFAULT_INTERVAL_S
    quarantine_max: int = DEFAULT_QUARANTINE_MAX
    claiming: Claiming = Claiming.CODE


def create(connection: Connection, organization_id: int, new: NewProduct, now_ms: int) -> Product:
    """Makes a product of an organization.

    Raises:
        Invalid: a field has no legal value.
        Conflict: id or slug are taken.
    """
    if not 1 <= new.id <= ID_MAX:
        raise Invalid(f"a product id is from 1 to {ID_MAX}", "id")
    slug = new.slug if new.slug is not None else re.sub(r"[^a-z0-9]+", "-", new.name.lower()).strip("-")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,63}", slug):
        raise Invalid("a slug begins with a letter and has lower-case letters, digits and -", "slug")
    if store.is_taken(connection, new.id, slug):
        raise Conflict(f"there is a product with the id {new.id} or the name {slug} already: choose another")
    product = Product(
        id=new.id,
        organization_id=organization_id,
        slug=slug,
        name=new.name.strip(),
        description=new.description,
        auto_approve=new.auto_approve,
        check_in_interval_s=new.check_in_interval_s,
        quarantine_max=new.quarantine_max,
        patch_wait=DEFAULT_PATCH_WAIT,
        default_version=None,
        claiming=new.claiming,
        reprogrammers=Reprogrammers.DEVELOPERS,
        time_zone=None,
        keep_logs_days=None,
        keep_events_days=None,
        plan_token=os.urandom(8),
        created_ms=now_ms,
    )
    _check(product)
    store.add(connection, product)
    return product


def change(connection: Connection, product: Product, changes: Mapping[str, Any]) -> Product:
    """Sets what a team may set; id and slug stay. Raises Invalid."""
    changed = replace(product, **changes)
    changed = replace(changed, name=changed.name.strip())
    _check(changed)
    store.change(connection, changed)
    return changed


def remove(connection: Connection, product: Product) -> None:
    """Removes a product that has neither devices nor releases. Raises Conflict."""
    left = store.what_it_has(connection, product.id)
    if left:
        raise Conflict(f"product {product.slug} has {left}: what devices may run is not forgotten")
    store.remove(connection, product.id)


def _check(product: Product) -> None:
    if not 1 <= len(product.name) <= 100:
        raise Invalid("a name has 1 to 100 characters", "name")
    if len(product.description) > DESCRIPTION_MAX:
        raise Invalid(f"a description has at most {DESCRIPTION_MAX} characters", "description")
    if not 1 <= product.check_in_interval_s <= 86_400:
        raise Invalid("the interval is from 1 to 86400 seconds", "check_in_interval_s")
    if not 0 <= product.quarantine_max <= 100_000:
        raise Invalid("the quarantine holds 0 to 100000 devices", "quarantine_max")
    if not 0 <= product.patch_wait <= PATCH_WAIT_MAX:
        raise Invalid(f"a device waits for its patch for 0 to {PATCH_WAIT_MAX} check-ins", "patch_wait")
    if product.time_zone is not None:
        check_time_zone(product.time_zone, "time_zone")
    for name in ("keep_logs_days", "keep_events_days"):
        days = getattr(product, name)
        if days is not None and not 1 <= days <= KEEP_DAYS_MAX:
            raise Invalid(f"logs and events are kept 1 to {KEEP_DAYS_MAX} days", name)
