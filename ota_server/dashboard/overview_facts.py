# SPDX-License-Identifier: Apache-2.0
"""What the first page of a product shows: plain facts for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.customers import store as customers
from ota_server.dashboard.rollout_facts import BAR_WIDTH, RolloutFacts, rollout_facts
from ota_server.devices import search as devices_search
from ota_server.devices import store as devices
from ota_server.devices.models import Device, DeviceStatus
from ota_server.devices.search import Search
from ota_server.figures import series
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS, Hour
from ota_server.figures.series import Trend
from ota_server.products.models import Product
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import RolloutStatus

SHOWN_STATUSES = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.SCHEDULED, RolloutStatus.DRAFT)
WAITING_SHOWN = 20
FINISHED_SHOWN = 3


@dataclass(frozen=True, slots=True)
class VersionRow:
    """How many trusted devices run a version on a platform."""

    version: int | None
    platform: str
    count: int
    width: float


@dataclass(frozen=True, slots=True)
class Tile:
    """An answer to one question.

    Attributes:
        words: what it counts.
        href: where the proof is.
        trend: its last week, and what stands there large.
        line: the points of the week in 100 x 20, as an SVG polyline has them; nothing where there are less than two.
    """

    question: str
    words: str
    href: str
    trend: Trend
    line: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    tiles: list[Tile]
    total: int
    quarantined: int
    versions: list[VersionRow]
    rollouts: list[RolloutFacts]
    waiting_devices: list[Device]


def overview(connection: Connection, product: Product, now_ms: int) -> Overview:
    """Reads the first page."""
    counted = devices.versions(connection, product.id)
    total = sum(count for _, _, count in counted)
    every = rollouts.of_product(connection, product.id)
    open_ones = [item for item in every if item.status in SHOWN_STATUSES]
    closed = [item for item in every if item.status not in SHOWN_STATUSES][:FINISHED_SHOWN]
    shown = [rollout_facts(connection, item, now_ms) for item in (*open_ones, *closed)]
    waiting = Search(status=DeviceStatus.QUARANTINED, per_page=WAITING_SHOWN)
    return Overview(
        tiles=_tiles(connection, product, counted, now_ms),
        total=total,
        quarantined=devices.count_quarantined(connection, product.id),
        versions=[
            VersionRow(
                version,
                platform_name(platform) if platform is not None else "unknown board",
                count,
                BAR_WIDTH * count / max(total, 1),
            )
            for version, platform, count in counted
        ],
        rollouts=shown,
        waiting_devices=devices_search.of_product(connection, product.id, waiting)[0],
    )


def _tiles(
    connection: Connection, product: Product, counted: list[tuple[int | None, int | None, int]], now_ms: int
) -> list[Tile]:
    """The five questions."""
    hour, base = now_ms // HOUR_MS, f"/products/{product.slug}"
    hours = figures.of_product(connection, product.id, hour - series.WEEK - series.DAY)
    total = sum(count for _, _, count in counted)
    newest = max((version for version, _, _ in counted if version is not None), default=None)
    on_newest = sum(count for version, _, count in counted if version == newest) if newest is not None else 0
    online = devices.count_online(connection, product.id, now_ms)
    active = customers.active_since(connection, product.id, now_ms - figures.ACTIVE_MS)
    everybody = customers.count(connection, product.id)

    def tile(question: str, words: str, href: str, trend: Trend) -> Tile:
        return Tile(question, words, href, trend, _polyline(trend, hour))

    events = series.coming(hours, lambda one: one.events, hour)
    wrong = series.coming(hours, _wrong, hour)
    return [
        tile(
            "How many are online?",
            f"of {total:,} trusted devices",
            f"{base}/devices",
            series.standing(online, hours, lambda one: one.online, hour),
        ),
        tile(
            "Who uses theirs?",
            f"of {everybody:,} customers, in 30 days",
            f"{base}/customers",
            series.standing(active, hours, lambda one: one.active_customers, hour),
        ),
        tile("How are they used?", "events in 24 hours", f"{base}/log?kind=event", events),
        tile(
            "What runs where?",
            "have told no version yet" if newest is None else f"run version {newest}, the newest seen",
            "#versions",
            series.standing(on_newest, hours, lambda one: one.by_version.get(newest, 0), hour),
        ),
        tile("What goes wrong?", "crashes, failures and errors in 24 hours", f"{base}/log?level=error", wrong),
    ]


def _wrong(hour: Hour) -> int:
    return hour.crashes + hour.failures + hour.errors


def _polyline(trend: Trend, hour: int) -> str:
    """A week in 100 x 20; the zero line is its lower edge."""
    if len(trend.points) < 2:
        return ""
    most = max(max(value for _, value in trend.points), 1)
    return " ".join(
        f"{100 * (at - hour + series.WEEK) / series.WEEK:.1f},{19 - 18 * value / most:.1f}"
        for at, value in trend.points
    )
