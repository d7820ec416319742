# SPDX-License-Identifier: Apache-2.0
"""A fleet after an outage, second by second: the server's own calendar, and devices that back off as the agent does.

Run: python tests/benchmarks/herd.py [--devices 1000000] [--check-ins-per-second 4000]
It takes no server and no clock. What is modelled: a server takes so many check-ins a second, refuses the next ones,
five times as many, with a pause, and does not answer the rest.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ota_server.devices.calendar import Calendar

INTERVAL_S = 300
BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 5, 3600
TIMEOUT_S = 5
REFUSED_SHARE = 5
"""How many times as many a server refuses as it takes."""
WATCHED_S = 2 * 3600


@dataclass(frozen=True)
class Outcome:
    """What came after an outage.

    Attributes:
        peak: most that came in one second, and `peak_later`: from the first interval after the last one was back.
        taken: most that were taken in one second.
        unanswered: how often a device got no answer.
        back_s: when the last device was back.
    """

    peak: int
    peak_later: int
    taken: int
    unanswered: int
    back_s: int


def back_off_s(failures: int, chance: random.Random) -> float:
    """firmware/agent/src/check_in.c, back_off."""
    pause_s = min(BACK_OFF_FIRST_S << min(failures, 10), BACK_OFF_MAX_S)
    return pause_s * (1 + chance.random() / 4)


def after_outage(devices: int, outage_s: int, chance: random.Random) -> list[tuple[float, int]]:
    """When each device comes first after the end of an outage, and how often it has failed before."""
    first = []
    for _ in range(devices):
        at_s, failures = chance.random() * INTERVAL_S - outage_s, 0
        while at_s < 0:
            at_s += back_off_s(failures, chance)
            failures += 1
        first.append((at_s, failures))
    return first


def all_at_once(devices: int, chance: random.Random) -> list[tuple[float, int]]:
    """Their power comes back at one moment: the first opening comes in 1 to 1.25 s."""
    return [(1 + chance.random() / 4, 0) for _ in range(devices)]


def simulate(
    first: Iterable[tuple[float, int]], per_s: int, is_spread: bool, chance: random.Random, watched_s: int = WATCHED_S
) -> Outcome:
    """Plays it. Without `is_spread` a server only refuses, and devices come at their intervals."""
    calendar = Calendar(per_s)
    due: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for at_s, failures in first:
        due[int(at_s)].append((at_s, failures, False))
    came: Counter[int] = Counter()
    most_taken = unanswered = back_s = 0
    away = sum(len(devices) for devices in due.values())
    for now_s in range(watched_s):
        if not away and now_s > back_s + 2 * INTERVAL_S:
            break
        taken = refused = 0
        for at_s, failures, was_back in sorted(due.pop(now_s, ())):
            came[now_s] += 1
            if taken < per_s:
                taken += 1
                if not was_back:
                    back_s = now_s
                    away -= 1
                own_s = INTERVAL_S * (0.9 + 0.2 * chance.random()) if not was_back else INTERVAL_S
                wait_s = float(calendar.place(now_s, int(own_s))) if is_spread else own_s
                failures, was_back = 0, True
            elif refused < REFUSED_SHARE * per_s:
                refused += 1
                asked_s = calendar.place(now_s, BACK_OFF_FIRST_S) + chance.random()
                wait_s = asked_s if is_spread else back_off_s(failures, chance)
                failures += 1
            else:
                unanswered += 1
                wait_s = TIMEOUT_S + back_off_s(failures, chance)
                failures += 1
            next_s = max(at_s + wait_s, now_s + 1.0)
            due[int(next_s)].append((next_s, failures, was_back))
        most_taken = max(most_taken, taken)
    later = [count for second, count in came.items() if second > back_s + INTERVAL_S]
    return Outcome(max(came.values()), max(later, default=0), most_taken, unanswered, back_s)


def rows(devices: int, per_s: int) -> Iterator[str]:
    """Those of the table in docs/howto/watch.md."""
    for name, outage_s in (("an outage of an hour", 3600), ("an outage of a minute", 60), ("power is back", None)):
        for is_spread in (True, False):
            chance = random.Random(1)
            first = all_at_once(devices, chance) if outage_s is None else after_outage(devices, outage_s, chance)
            found = simulate(first, per_s, is_spread, chance)
            how = "calendar" if is_spread else "refused only"
            minutes = f"{found.back_s / 60:.1f} min"
            yield f"| {name} | {how} | {found.peak:,} | {found.peak_later:,} | {minutes} | {found.unanswered:,} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--check-ins-per-second", type=int, default=4000, dest="per_s")
    given = parser.parse_args()
    for row in rows(given.devices, given.per_s):
        print(row, flush=True)


if __name__ == "__main__":
    main()
