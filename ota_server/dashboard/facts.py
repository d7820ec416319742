# SPDX-License-Identifier: Apache-2.0
"""What the pages show, read from the database: plain facts for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.customers import store as customers
from ota_server.customers.models import Customer
from ota_server.devices import claims
from ota_server.devices import search as devices_search
from ota_server.devices import service as devices_service
from ota_server.devices import store as devices
from ota_server.devices.models import Device, DeviceStatus
from ota_server.devices.search import Search
from ota_server.figures import series
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS, Hour
from ota_server.figures.series import Trend
from ota_server.products.models import Product
from ota_server.rollouts import counts, forecast
from ota_server.rollouts import service as rollouts_service
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.decide import Trace
from ota_server.rollouts.explain import explain
from ota_server.rollouts.forecast import Forecast
from ota_server.rollouts.models import OPEN, Attempt, OutcomeKind, Rollout, RolloutStatus, Stage
from ota_server.rollouts.outcomes import reason_text
from ota_server.rollouts.progress import progress
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import EventEntry, HistoryLine, LogEntry

BAR_WIDTH = 1000
SHOWN_STATUSES = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.SCHEDULED, RolloutStatus.DRAFT)
WAITING_SHOWN = 20
FINISHED_SHOWN = 3

_BAR = (
    ("confirmed", "confirmed"),
    ("trial", "on trial"),
    ("downloading", "downloading"),
    ("offered", "offered"),
    ("retrying", "trying again"),
    ("waiting", "waiting"),
    ("failed", "failed"),
    ("reverted", "reverted"),
    ("not_seen", "not seen"),
)


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A customer with their devices; `online`: how many of these."""

    email: str
    signs_in_with: str
    active_ms: int | None
    devices: list[Device]
    online: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the truth bar: `start` and `width` of 1,000."""

    state: str
    words: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """A rollout with its bar, its gate in words and what went wrong."""

    rollout: Rollout
    stages: list[Stage]
    gate: str
    can_approve: bool
    segments: list[Segment]
    devices: int
    already: int
    scanned_ms: int | None
    bytes_sent: int
    bytes_saved: int
    forecast: Forecast | None
    reasons: list[tuple[OutcomeKind, str, int]]
    troubles: list[tuple[str, OutcomeKind, str]]

    @property
    def can_pause(self) -> bool:
        return self.rollout.status is RolloutStatus.RUNNING

    @property
    def can_resume(self) -> bool:
        return self.rollout.status is RolloutStatus.PAUSED

    @property
    def can_start(self) -> bool:
        return self.rollout.status is RolloutStatus.DRAFT

    @property
    def can_cancel(self) -> bool:
        return self.rollout.status is RolloutStatus.SCHEDULED


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


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One device."""

    device: Device
    is_online: bool
    fingerprint: str | None
    platform: str
    trace: Trace
    attempts: list[tuple[Attempt, str]]
    history: list[HistoryLine]
    logs: list[LogEntry]
    events: list[EventEntry]
    claimants: list[tuple[Device, str]]


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


def rollout_facts(connection: Connection, rollout: Rollout, now_ms: int) -> RolloutFacts:
    """Reads a rollout."""
    found = progress(connection, rollout)
    numbers = {state: int(getattr(found, state)) for state, _ in _BAR}
    total = sum(numbers.values())
    segments = []
    start = 0.0
    for state, words in _BAR:
        width = BAR_WIDTH * numbers[state] / total if total else 0.0
        segments.append(Segment(state, words, numbers[state], round(start, 1), round(width, 1)))
        start += width
    judgement = None
    if rollout.status is RolloutStatus.RUNNING:
        judgement = rollouts_service.current_judgement(connection, rollout, now_ms)
    return RolloutFacts(
        rollout=rollout,
        stages=rollouts.stages_of(connection, rollout.id),
        gate=rollout.reason if judgement is None else judgement.reason,
        can_approve=judgement is not None and judgement.awaits_approval,
        segments=segments,
        devices=total,
        already=found.already,
        scanned_ms=found.scanned_ms,
        bytes_sent=found.bytes_sent,
        bytes_saved=found.bytes_saved,
        forecast=forecast.latest(connection, rollout) if rollout.status in OPEN else None,
        reasons=[(kind, reason_text(reason), count) for kind, reason, count in counts.reasons(connection, rollout.id)],
        troubles=[
            (device_id, kind, reason_text(reason))
            for device_id, kind, reason in rollouts.troubled_devices(connection, rollout.id)
        ],
    )


def device_page(
    connection: Connection, product: Product, device_id: str, keyset_version: int, now_ms: int
) -> DevicePage:
    """Reads a device. Raises NotFound."""
    device = devices_service.find(connection, product, device_id)
    attempts = rollouts.attempts_of_device(connection, device.id)
    claims = devices_service.claimants(connection, product, device_id)
    return DevicePage(
        device=device,
        is_online=device.is_online(now_ms),
        fingerprint=None if device.public_key is None else devices_service.fingerprint(device.public_key),
        platform=platform_name(device.platform_id) if device.platform_id is not None else "unknown board",
        trace=explain(connection, product, device, keyset_version, now_ms),
        attempts=[(item, "" if item.reason is None else reason_text(item.reason)) for item in attempts],
        history=telemetry.history_of(connection, device.id),
        logs=telemetry.logs_of(connection, device.id, 100),
        events=telemetry.events_of(connection, device.id, 50),
        claimants=[
            (item, devices_service.fingerprint(item.public_key)) for item in claims if item.public_key is not None
        ],
    )


def customers_page(
    connection: Connection, product: Product, search: str, page: int, per_page: int, now_ms: int
) -> tuple[list[CustomerFacts], int, int]:
    """One page of a product's customers by address, how many on all pages, and how many of the product are active."""
    rows, total = customers.of_product(connection, product.id, page, per_page, search)
    owned: dict[int, list[Device]] = {row.id: [] for row in rows}
    for device in claims.own(connection, rows):
        assert device.customer_id is not None, "these are theirs"
        owned[device.customer_id].append(device)
    found = [
        CustomerFacts(
            email=row.email,
            signs_in_with=_signs_in_with(row),
            active_ms=row.active_ms,
            devices=owned[row.id],
            online=sum(device.is_online(now_ms) for device in owned[row.id]),
        )
        for row in rows
    ]
    return found, total, customers.active_since(connection, product.id, now_ms - figures.ACTIVE_MS)


def _signs_in_with(customer: Customer) -> str:
    ways = (("a password", customer.password_hash is not None), ("an account here", customer.account_id is not None))
    return " or ".join(way for way, is_there in ways if is_there) or "your server"
