# SPDX-License-Identifier: Apache-2.0
"""What the first page of a product shows: plain facts for the templates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import platform_name
from ota_server.customers import store as customers
from ota_server.dashboard.attention import Matter, attention
from ota_server.dashboard.rollout_facts import BAR_WIDTH, RolloutFacts, rollout_facts
from ota_server.figures import series, standing
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS, Hour
from ota_server.figures.series import Trend
from ota_server.figures.standing import Standing
from ota_server.organizations.models import Organization
from ota_server.products.models import Product
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.models import RolloutStatus

SHOWN_STATUSES = (RolloutStatus.RUNNING, RolloutStatus.PAUSED, RolloutStatus.SCHEDULED, RolloutStatus.DRAFT)
UNDER_WAY = (RolloutStatus.RUNNING, RolloutStatus.PAUSED)
FINISHED_SHOWN = 3
PRODUCTS_SHOWN = 50
"""Of one organization, on its page."""
ROLLOUTS_SHOWN = 10
"""Of one product, on its organization's page."""
COURSE_STEP = 6
COURSE_VERSIONS = 4


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
class Answers:
    """The five questions' figures: of a product, or of several together.

    Attributes:
        total: trusted devices. customers: all there are.
        newest: devices on the newest version that any of them runs. version: which that is; None for none, or several.
    """

    total: int
    customers: int
    version: int | None
    online: Trend
    active: Trend
    events: Trend
    newest: Trend
    wrong: Trend


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page. `counted_ms`: when its devices were counted; None: for this page."""

    tiles: list[Tile]
    total: int
    versions: list[VersionRow]
    course: Course
    rollouts: list[RolloutFacts]
    matters: list[Matter]
    counted_ms: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """Versions over time, newest first; `other` are all that have no column of their own.

    Attributes:
        points: (time, devices by version as in `versions`, others), oldest first.
    """

    versions: list[int | None]
    points: list[tuple[int, list[int], int]]


@dataclass(frozen=True, slots=True)
class ProductLine:
    """A product in its organization's list."""

    product: Product
    answers: Answers
    running: int
    matters: int


@dataclass(frozen=True, slots=True)
class OrganizationOverview:
    """The first page of an organization.

    Attributes:
        rollouts: those that are under way, with their products.
        counted_ms: when the devices of a product were counted, the longest ago; None: for this page.
    """

    tiles: list[Tile]
    products: list[ProductLine]
    rollouts: list[tuple[Product, RolloutFacts]]
    matters: list[Matter]
    counted_ms: int | None


def overview(connection: Connection, product: Product, threshold: int, now_ms: int) -> Overview:
    """Reads the first page. `threshold`: signatures that a release needs."""
    stood = standing.of_product(connection, product.id, now_ms)
    total = sum(count for _, _, count in stood.versions)
    every = rollouts.of_product(connection, product.id)
    open_ones = [item for item in every if item.status in SHOWN_STATUSES]
    closed = [item for item in every if item.status not in SHOWN_STATUSES][:FINISHED_SHOWN]
    shown = [rollout_facts(connection, item, now_ms) for item in (*open_ones, *closed)]
    hours = _hours(connection, product, now_ms)
    return Overview(
        tiles=_tiles(_answers(connection, product, stood, hours, now_ms), f"/products/{product.slug}", now_ms),
        total=total,
        versions=[
            VersionRow(
                version,
                platform_name(platform) if platform is not None else "unknown board",
                count,
                BAR_WIDTH * count / max(total, 1),
            )
            for version, platform, count in stood.versions
        ],
        course=_course(hours),
        rollouts=shown,
        matters=attention(connection, product, threshold),
        counted_ms=stood.counted_ms,
    )


def organization_overview(
    connection: Connection, organization: Organization, products: list[Product], threshold: int, now_ms: int
) -> OrganizationOverview:
    """Reads the first page of an organization, with these of its products."""
    lines, under_way, matters = [], [], []
    counted_ms: int | None = None
    for product in products:
        stood = standing.of_product(connection, product.id, now_ms)
        if stood.counted_ms is not None:
            counted_ms = min(stood.counted_ms, now_ms if counted_ms is None else counted_ms)
        answers = _answers(connection, product, stood, _hours(connection, product, now_ms), now_ms)
        running = [one for one in rollouts.of_product(connection, product.id) if one.status in UNDER_WAY]
        under_way += [(product, rollout_facts(connection, one, now_ms)) for one in running[:ROLLOUTS_SHOWN]]
        own = attention(connection, product, threshold)
        matters += own
        lines.append(ProductLine(product, answers, len(running), len(own)))
    return OrganizationOverview(
        tiles=_tiles(_sum([line.answers for line in lines]), f"/organizations/{organization.slug}#products", now_ms),
        products=lines,
        rollouts=under_way,
        matters=sorted(matters, key=lambda matter: matter.urgency),
        counted_ms=counted_ms,
    )


def _hours(connection: Connection, product: Product, now_ms: int) -> list[Hour]:
    return figures.of_product(connection, product.id, now_ms // HOUR_MS - series.WEEK - series.DAY)


def _answers(connection: Connection, product: Product, stood: Standing, hours: list[Hour], now_ms: int) -> Answers:
    """`stood`: the product's devices; `hours`: of the last eight days."""
    counted = stood.versions
    hour = now_ms // HOUR_MS
    newest = max((version for version, _, _ in counted if version is not None), default=None)
    on_newest = sum(count for version, _, count in counted if version == newest) if newest is not None else 0
    active = customers.active_since(connection, product.id, now_ms - figures.ACTIVE_MS)
    return Answers(
        total=sum(count for _, _, count in counted),
        customers=customers.count(connection, product.id),
        version=newest,
        online=series.standing(stood.online, hours, lambda one: one.online, hour),
        active=series.standing(active, hours, lambda one: one.active_customers, hour),
        events=series.coming(hours, lambda one: one.events, hour),
        newest=series.standing(on_newest, hours, lambda one: one.by_version.get(newest, 0), hour),
        wrong=series.coming(hours, _wrong, hour),
    )


def _sum(answers: list[Answers]) -> Answers:
    return Answers(
        total=sum(one.total for one in answers),
        customers=sum(one.customers for one in answers),
        version=answers[0].version if len(answers) == 1 else None,
        online=series.together([one.online for one in answers]),
        active=series.together([one.active for one in answers]),
        events=series.together([one.events for one in answers]),
        newest=series.together([one.newest for one in answers]),
        wrong=series.together([one.wrong for one in answers]),
    )


def _tiles(answers: Answers, base: str, now_ms: int) -> list[Tile]:
    """The five questions. `base`: a product's address, whose pages are the proof; or the one place for all."""
    is_one = base.startswith("/products/")

    def tile(question: str, words: str, path: str, trend: Trend) -> Tile:
        return Tile(question, words, f"{base}{path}" if is_one else base, trend, _polyline(trend, now_ms // HOUR_MS))

    running = f"run version {answers.version}, the newest seen"
    if answers.version is None:
        running = "have told no version yet" if is_one else "run their product's newest version"
    wrong = "crashes, failures and errors in 24 hours"
    return [
        tile("How many are online?", f"of {answers.total:,} trusted devices", "/devices", answers.online),
        tile("Who uses theirs?", f"of {answers.customers:,} customers, in 30 days", "/customers", answers.active),
        tile("How are they used?", "events in 24 hours", "/log?kind=event", answers.events),
        tile("What runs where?", running, "#versions", answers.newest),
        tile("What goes wrong?", wrong, "/log?level=error", answers.wrong),
    ]


def _course(hours: list[Hour]) -> Course:
    """The last week's versions, of every COURSE_STEP hours."""
    shown = [one for one in hours if one.hour % COURSE_STEP == 0][-series.WEEK // COURSE_STEP :]
    counts = [(one.hour * HOUR_MS, one.by_version) for one in shown]
    most: Counter[int | None] = Counter()
    for _, by_version in counts:
        most |= Counter(by_version)
    versions = sorted((one for one, _ in most.most_common(COURSE_VERSIONS)), key=lambda one: -1 if one is None else one)
    return Course(
        versions,
        [
            (
                at_ms,
                [by_version.get(one, 0) for one in versions],
                sum(count for one, count in by_version.items() if one not in versions),
            )
            for at_ms, by_version in counts
        ],
    )


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
