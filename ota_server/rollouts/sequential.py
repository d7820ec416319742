# SPDX-License-Identifier: Apache-2.0
"""Whether devices fail more often than a limit allows: a test that may be looked at after every report.

*One rate against a limit.* Every device that is offered the image is a trial with a failure or none. Were the rate of
failures q and not the limit p, what was seen would be likelier by the factor (q/p)^k ((1-q)/(1-p))^(n-k). As long as
no device fails with a probability above p, given all before it, each such factor with q > p is a nonnegative
supermartingale that begins at 1, and so is their mean over a fixed grid of q: the *evidence*. By Ville's inequality it
ever reaches 1/alpha with a probability of alpha at most, however often it is looked at and whenever one stops.

A device that was offered the image and has not failed yet counts as one that does not. Evidence rises with every
failure and falls with every device without one, so it is never larger than what it will be once all of them have
reported: late reports, and successes that come later than failures or earlier, cannot raise a false alarm.

*A rate against the one before.* What happened before the rollout is looked at once. Its upper confidence bound
(Chernoff and Hoeffding) takes half of alpha, and is the limit for the other half: together they err with alpha at
most. Without devices to compare with, the bound is 1 and nothing is evidence.

J. Ville, Etude critique de la notion de collectif, 1939.
W. Hoeffding, Probability inequalities for sums of bounded random variables, 1963.
S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, 2021.
I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, 2024.

What was refused, and why: docs/decisions/0012-gate-test.md.
"""

from __future__ import annotations

import math

ALPHA = 0.01
"""A rollout that keeps to a limit is paused for it with this probability at most."""
ENOUGH = 1 / ALPHA
"""So much evidence pauses."""

ODDS_RATIOS = tuple(2 ** (step / 2) for step in range(1, 17))
"""The grid of rates that are held against the limit: its odds times 1.4 to 256."""

_BISECTIONS = 50
_LOG_MAX = 700.0
"""Beyond that it does not fit a float, and is enough anyway."""


def evidence(failures: int, devices: int, limit: float) -> float:
    """How much speaks for a rate above the limit: 1 is nothing, `ENOUGH` is enough.

    Args:
        failures: of them.
        devices: that were offered it.
        limit: above 0; from 1 on nothing is evidence.
    """
    failures = min(failures, devices)
    if limit >= 1:
        return 1.0
    # A rate with `ratio` times the limit's odds: (1-q)/(1-p) is 1 / (1 + p (ratio-1)), and q/p is `ratio` times that.
    logs = [failures * math.log(ratio) - devices * math.log1p(limit * (ratio - 1)) for ratio in ODDS_RATIOS]
    highest = max(logs)
    mean = sum(math.exp(one - highest) for one in logs) / len(logs)
    return math.exp(min(highest + math.log(mean), _LOG_MAX))


def needed_failures(devices: int, limit: float, enough: float = ENOUGH) -> int:
    """How many failures of so many devices would be enough; more than there are devices when none would."""
    lowest, highest = 1, devices + 1
    while lowest < highest:
        middle = (lowest + highest) // 2
        if evidence(middle, devices, limit) >= enough:
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def upper_bound(failures: int, devices: int, alpha: float) -> float:
    """A rate that the true one is above with a probability of alpha at most, for what is looked at once."""
    if devices == 0:
        return 1.0
    rate = min(failures, devices) / devices
    lowest, highest = rate, 1.0
    for _ in range(_BISECTIONS):
        middle = (lowest + highest) / 2
        if devices * _divergence(rate, middle) < -math.log(alpha):
            lowest = middle
        else:
            highest = middle
    return highest


def _divergence(seen: float, other: float) -> float:
    """Of one rate from another (Kullback and Leibler), in nats."""
    terms = ((seen, other), (1 - seen, 1 - other))
    return sum(one * math.log(one / two) if two > 0 else math.inf for one, two in terms if one > 0)
