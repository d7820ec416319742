# SPDX-License-Identifier: Apache-2.0
"""What pages say of figures: a number, how it has changed, and its week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ota_server.figures.models import Hour

DAY = 24
WEEK = 7 * DAY

Value = Callable[[Hour], int]


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure over the last week.

    Attributes:
        now: what is said.
        before: the same a week earlier; None when nothing was noted then.
        points: (hour, value), oldest first; hours in which nothing was noted are missing.
    """

    now: int
    before: int | None
    points: Sequence[tuple[int, int]]

    @property
    def change(self) -> int | None:
        return None if self.before is None else self.now - self.before


def standing(now: int, hours: Sequence[Hour], value: Value, hour: int) -> Trend:
    """Of what there is, and was at the end of each hour. `hours`: the last eight days, oldest first."""
    points = [*((one.hour, value(one)) for one in hours if hour - WEEK <= one.hour < hour), (hour, now)]
    before = [value(one) for one in hours if hour - WEEK - DAY < one.hour <= hour - WEEK]
    return Trend(now, before[-1] if before else None, points)


def coming(hours: Sequence[Hour], value: Value, hour: int) -> Trend:
    """Of what comes: the sum of 24 hours, against those of the week before."""
    points = [(one.hour, value(one)) for one in hours if hour - WEEK < one.hour <= hour]
    now = sum(number for at, number in points if at > hour - DAY)
    earlier = [value(one) for one in hours if hour - WEEK - DAY < one.hour <= hour - WEEK]
    return Trend(now, sum(earlier) if earlier else None, points)


def together(trends: Sequence[Trend]) -> Trend:
    """The sum of figures; what was not noted of one counts as nothing."""
    points: Counter[int] = Counter()
    for trend in trends:
        points.update(dict(trend.points))
    before = [trend.before for trend in trends if trend.before is not None]
    return Trend(sum(trend.now for trend in trends), sum(before) if before else None, sorted(points.items()))
