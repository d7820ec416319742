# SPDX-License-Identifier: Apache-2.0
"""After how many devices a gate pauses a rollout that fails more often than its limit, and how often it errs.

python tests/benchmarks/gate_test.py [ROLLOUTS]

Each rollout is looked at after each device. Beside the gate's test are two that are not used: one made for a single
look, looked at after every device all the same, and Wald's test of the limit against twice the limit.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from ota_server.rollouts.sequential import ALPHA, ENOUGH, evidence  # noqa: E402

LIMITS = (0.005, 0.01, 0.02, 0.05)
TIMES = (1, 2, 5, 10)
DEVICES = 10_000
ROLLOUTS = 1000


def at_once(failures: int, devices: int, limit: float) -> bool:
    """For one look: more failures than the limit makes with a probability of alpha, by the normal distribution."""
    return failures > devices * limit + NormalDist().inv_cdf(1 - ALPHA) * math.sqrt(devices * limit * (1 - limit))


def wald(failures: int, devices: int, limit: float) -> bool:
    """The likelihood ratio of twice the limit."""
    return failures * math.log(2) + (devices - failures) * math.log((1 - 2 * limit) / (1 - limit)) >= math.log(ENOUGH)


TESTS: dict[str, Callable[[int, int, float], bool]] = {
    "gate": lambda failures, devices, limit: evidence(failures, devices, limit) >= ENOUGH,
    "one look": at_once,
    "twice the limit": wald,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of rollouts with one rate.

    Attributes:
        paused: their share.
        median, most: devices until 50 and 90 % of all were paused; None: fewer were.
    """

    test: str
    limit: float
    times: int
    paused: float
    median: int | None
    most: int | None


def simulate(test: str, limit: float, times: int, rollouts: int, devices: int) -> Row:
    """Plays rollouts whose devices fail `times` as often as the limit allows."""
    rng = random.Random(f"{test} {limit} {times}")
    found = sorted(_pauses(TESTS[test], limit, limit * times, devices, rng) for _ in range(rollouts))
    median, most = (found[min(int(rollouts * share), rollouts - 1)] for share in (0.5, 0.9))
    return Row(
        test,
        limit,
        times,
        sum(one <= devices for one in found) / rollouts,
        median if median <= devices else None,
        most if most <= devices else None,
    )


def _pauses(
    test: Callable[[int, int, float], bool], limit: float, rate: float, devices: int, rng: random.Random
) -> int:
    """After how many devices; one more than there are: never."""
    failures = device = 0
    while True:
        # Between two failures nothing can pause it.
        device += 1 + int(math.log(1 - rng.random()) / math.log(1 - rate))
        if device > devices:
            return devices + 1
        failures += 1
        if test(failures, device, limit):
            return device


def main(rollouts: int = ROLLOUTS, devices: int = DEVICES) -> list[Row]:
    """Prints the table; returns its rows."""
    print(f"{rollouts} rollouts of up to {devices} devices each, alpha {ALPHA:.0%}")
    print(f"{'test':<16}{'limit':>7}{'rate':>7}{'paused':>9}{'median after':>14}{'90 % after':>12}")
    rows = []
    for test in TESTS:
        for limit in LIMITS:
            for times in TIMES:
                row = simulate(test, limit, times, rollouts, devices)
                median, most = (str(one) if one is not None else "-" for one in (row.median, row.most))
                print(f"{test:<16}{limit:>7.1%}{limit * times:>7.1%}{row.paused:>9.1%}{median:>14}{most:>12}")
                rows.append(row)
    return rows


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
