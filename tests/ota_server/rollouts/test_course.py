# SPDX-License-Identifier: Apache-2.0
"""A rollout's counters over time: sums are kept, points rise in time and are few, whatever the clock did."""

from __future__ import annotations

from sqlalchemy import Connection

from ota_server.rollouts import course
from ota_server.rollouts.course import MINUTE_MS, POINTS_MAX
from tests.ota_server.conftest import Server

DAY = 24 * 60


def test_course_of_any_length_has_few_points_that_rise_to_the_counters(photons: Server) -> None:
    rollout = photons.rollout(2)
    start_ms = photons.clock.now_ms()
    # Before the start: the clock was set back; far behind the end: a late device of a completed rollout.
    minutes = [-90, *range(0, 3 * DAY, 7), 90 * DAY]

    def add(connection: Connection) -> None:
        for minute in minutes:
            at_ms = start_ms + minute * MINUTE_MS
            course.add(connection, rollout, at_ms, {"offered": 2, "crashed": 5})
            course.add(connection, rollout, at_ms, {"confirmed": 1})

    photons.services.database.write(add)
    for length in (1, 60, DAY, 3 * DAY, 89 * DAY, 500 * DAY):
        last_ms = start_ms + length * MINUTE_MS
        with photons.services.database.read() as connection:
            points = course.course(connection, rollout, start_ms, last_ms)
            assert course.total(connection, rollout)["offered"] == 2 * len(minutes)
        times = [point.at_ms for point in points]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (start_ms, last_ms)
        assert len(set(times)) <= POINTS_MAX + 3
        assert (points[-1].offered, points[-1].confirmed) == (2 * len(minutes), len(minutes))
        assert points[-1].pending == len(minutes)
