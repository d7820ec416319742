# SPDX-License-Identifier: Apache-2.0
"""What the pages of many devices show: plain facts for the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import PLATFORM_IDS, platform_name
from ota_server.dashboard.device_filter import COLUMNS, STATES, DeviceFilter
from ota_server.dashboard.frame import ROWS_PER_PAGE
from ota_server.devices import claims, finding, groups, walk
from ota_server.devices.models import Device
from ota_server.devices.search import Search
from ota_server.devices.walk import Looked
from ota_server.figures import standing
from ota_server.figures.standing import Standing, Tally
from ota_server.products.models import Product
from ota_server.releases import store as releases
from ota_server.rollouts import cohorts


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One line of the list. `state`: a name in `render.STATES`."""

    device: Device
    platform: str
    state: str
    groups: Sequence[str]
    customer: str


@dataclass(frozen=True, slots=True)
class DeviceList:
    """A page of devices.

    Attributes:
        total: on all pages.
        is_more: there are more than that.
        every: how many there are, where they are counted beside requests.
        stood: the product's devices; `counted_ms` is when those were counted.
        looked: where only some devices were looked at: how far.
    """

    rows: Sequence[DeviceRow]
    total: int
    is_more: bool
    every: int | None = None
    stood: Standing | None = None
    looked: Looked | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a filter and a change can be about in a product."""

    platforms: Sequence[str]
    states: Mapping[str, str]
    groups: Sequence[str]
    cohorts: Sequence[str]
    versions: Sequence[int]
    columns: Mapping[str, str]


def device_list(
    connection: Connection, product: Product, asked: DeviceFilter, page: int, after: int, now_ms: int
) -> DeviceList:
    """Reads a page; `after`: where a look at the devices goes on. Raises Invalid, NotFound."""
    wanted = asked.search(connection, product, now_ms, page, ROWS_PER_PAGE)
    found = finding.find(connection, product.id, wanted, after, walk.for_seconds())
    rows = found.devices
    # What a page does not show is not read.
    in_groups = groups.of_devices(connection, [row.id for row in rows]) if "groups" in asked.column else {}
    owners = claims.owners_of(connection, rows) if "customer" in asked.column else {}
    shown = [
        DeviceRow(
            device=row,
            platform="–" if row.platform_id is None else platform_name(row.platform_id),
            state=state_of(row, now_ms),
            groups=in_groups.get(row.id, []),
            customer=owners[row.customer_id].email if row.customer_id in owners else "–",
        )
        for row in rows
    ]
    if not found.is_more and found.looked is None:
        return DeviceList(shown, found.total, is_more=False)
    stood = standing.of_product(connection, product.id, now_ms)
    every = stood.count(lambda one: _is_like(one, wanted)) if asked.is_tallied else None
    return DeviceList(shown, found.total, found.is_more, every, stood, found.looked)


def choices(connection: Connection, product: Product) -> Choices:
    """Reads what there is."""
    return Choices(
        platforms=[name.value for name in PLATFORM_IDS],
        states=STATES,
        groups=groups.names(connection, product),
        cohorts=[one.name for one in cohorts.of_product(connection, product.id)],
        versions=[release.version for release in releases.releases_of(connection, product.id)],
        columns=COLUMNS,
    )


def _is_like(one: Tally, wanted: Search) -> bool:
    """As far as tallies tell devices apart."""
    return (
        wanted.status in (None, one.status)
        and wanted.version in (None, one.version)
        and wanted.platform_id in (None, one.platform_id)
        and (not wanted.development or one.development)
        and (not wanted.is_locked or one.locked_version is not None)
    )


def state_of(device: Device, now_ms: int) -> str:
    """The one word for a device: trusted ones are online or not."""
    if device.status.value != "active":
        return device.status.value
    return "online" if device.is_online(now_ms) else "offline"
