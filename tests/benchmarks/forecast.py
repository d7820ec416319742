# SPDX-License-Identifier: Apache-2.0
"""Forecasts against what happened, on fleets with habits that the forecast's model does not have.

python tests/benchmarks/forecast.py [FLEETS [DEVICES]]
"""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.rollouts import forecast  # noqa: E402
from ota_server.rollouts.fleet_scan import RolloutScan  # noqa: E402
from ota_server.rollouts.forecast import Interval  # noqa: E402
from ota_server.telemetry.habits import HOUR_MS  # noqa: E402
from tests.ota_server.rollouts.traces import happen, make_trace, setting_of  # noqa: E402

TIME_OFF, BYTES_OFF = 0.2, 0.02
FIRST = 200
"""The first fleet's seed: the model was made while looking at those below."""
COVERED = 0.8
"""Four of five outcomes are to lie in the intervals."""


def hours(ms: int | None) -> str:
    return "never" if ms is None else f"{ms / HOUR_MS:.1f}"


def is_in(interval: Interval, value: int | None) -> bool:
    """Whether an interval has a value; None is later than all."""
    if value is None:
        return interval.late is None
    is_late_enough = interval.early is not None and interval.early <= value
    return is_late_enough and (interval.late is None or value <= interval.late)


def main(fleets: int, count: int) -> bool:
    """Prints a table; whether the forecasts are near, or their intervals hold what happened as often as they say."""
    near = near_bytes = inside = inside_bytes = 0
    print(f"{fleets} fleets of {count:,} devices; hours to the last gate, and bytes until then")
    print(f"{'':14}{'happened':>10}{'likely':>10}{'off':>8}{'interval':>18}{'bytes off':>12}")
    for seed in range(FIRST, FIRST + fleets):
        trace = make_trace(seed, count, is_dark=seed % 2 == 1)
        happened, setting = happen(trace, seed), setting_of(trace, seed)
        scan = RolloutScan(trace.begin_ms, 0, count, setting.scans, 0, 0, count, {}, 0, 0, setting.lost_per_day)
        found = forecast.make(setting, scan).stages[-1]
        after = Interval(*(None if end is None else end - trace.begin_ms for end in found.ends_ms.values))
        ended = happened.ended_ms[-1]
        is_near = ended is not None and after.likely is not None and abs(after.likely / ended - 1) <= TIME_OFF
        off = None if ended is None or after.likely is None else after.likely / ended - 1
        bytes_off = None if found.bytes_sent.likely is None else found.bytes_sent.likely / happened.bytes_sent - 1
        near += is_near
        near_bytes += bytes_off is not None and abs(bytes_off) <= BYTES_OFF
        inside += is_in(after, ended)
        inside_bytes += is_in(found.bytes_sent, happened.bytes_sent)
        name = f"fleet {seed}{', dark' if trace.dark else ''}"
        shown = "-" if off is None else f"{off:+.0%}"
        shown_bytes = "-" if bytes_off is None else f"{bytes_off:+.1%}"
        span = f"{hours(after.early)} to {hours(after.late)}"
        print(f"{name:14}{hours(ended):>10}{hours(after.likely):>10}{shown:>8}{span:>18}{shown_bytes:>12}", flush=True)
    print(f"time within {TIME_OFF:.0%}: {near} of {fleets}; bytes within {BYTES_OFF:.0%}: {near_bytes} of {fleets}")
    print(f"in their intervals: {inside} times, {inside_bytes} amounts of bytes of {fleets}")
    return inside >= COVERED * fleets and inside_bytes >= COVERED * fleets


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(not main(*[*given, *(20, 3000)[len(given) :]]))
