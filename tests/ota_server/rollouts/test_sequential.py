# SPDX-License-Identifier: Apache-2.0
"""The test of a rate against a limit: it seldom errs however often it is looked at, and sees what is worse."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.rollouts.sequential import ALPHA, ENOUGH, evidence, needed_failures, upper_bound

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "gates.md"
ROLLOUTS = 1000
DEVICES = 1000
FALSE_ALARMS_MAX = 21
"""Of 1,000 rollouts at the limit 10 may be paused on average; more than 21 come with a probability below 0.001."""

LIMITS = st.floats(0.0001, 0.9999)
COUNTS = st.integers(0, 100_000)


def pauses(rng: random.Random, rate: float, limit: float, devices: int = DEVICES) -> int | None:
    """After how many devices a rollout pauses that is looked at after each one; None: it does not."""
    failures = 0
    for device in range(1, devices + 1):
        if rng.random() < rate:
            failures += 1
            # Between two failures evidence falls: there is nothing to see.
            if evidence(failures, device, limit) >= ENOUGH:
                return device
    return None


@pytest.mark.parametrize("limit", [0.005, 0.02, 0.1])
def test_of_a_thousand_rollouts_at_the_limit_few_are_paused(limit: float) -> None:
    rng = random.Random(f"limit {limit}")
    paused = sum(pauses(rng, limit, limit) is not None for _ in range(ROLLOUTS))
    assert paused <= FALSE_ALARMS_MAX


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=40), st.floats(0.01, 0.5))
def test_late_reports_make_no_more_evidence_than_prompt_ones(devices: list[tuple[bool, int]], limit: float) -> None:
    """Each device fails or does not, and tells of it so many devices later."""
    prompt = late = 1.0
    for now in range(len(devices) + 20):
        offered = devices[: now + 1]
        failures = sum(fails for fails, _ in offered)
        heard = sum(fails and at + delay <= now for at, (fails, delay) in enumerate(offered))
        prompt = max(prompt, evidence(failures, len(offered), limit))
        late = max(late, evidence(heard, len(offered), limit))
    assert late <= prompt * (1 + 1e-9)


@pytest.mark.parametrize(("times", "devices"), [(2, 1000), (5, 100), (10, 40)])
def test_rate_above_the_limit_is_seen_within_so_many_devices(times: int, devices: int) -> None:
    rng = random.Random(times)
    found = sorted(pauses(rng, 0.02 * times, 0.02, 4000) or 4000 for _ in range(101))
    assert found[50] <= devices


@given(COUNTS, COUNTS, LIMITS)
def test_evidence_rises_with_failures_and_falls_with_devices(failures: int, more: int, limit: float) -> None:
    devices = failures + more
    assert evidence(failures, devices, limit) <= evidence(failures + 1, devices + 1, limit) * (1 + 1e-9)
    assert evidence(failures, devices + 1, limit) <= evidence(failures, devices, limit) * (1 + 1e-9)
    assert evidence(0, devices, limit) <= 1


@given(st.integers(0, 40), LIMITS)
def test_evidence_is_1_on_average_after_any_number_of_devices_at_the_limit(devices: int, limit: float) -> None:
    chances = [1.0]
    for _ in range(devices):
        chances = [
            stay * (1 - limit) + fail * limit for stay, fail in zip([*chances, 0.0], [0.0, *chances], strict=True)
        ]
    mean = sum(chance * evidence(failures, devices, limit) for failures, chance in enumerate(chances))
    assert mean == pytest.approx(1)


@given(st.integers(1, 100_000), LIMITS)
def test_needed_failures_are_the_first_that_are_enough(devices: int, limit: float) -> None:
    needed = needed_failures(devices, limit)
    assert needed >= 2, "one device alone says nothing"
    assert needed > devices or evidence(needed, devices, limit) >= ENOUGH
    assert evidence(needed - 1, devices, limit) < ENOUGH


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
def test_rate_is_above_its_bound_as_seldom_as_said(rate: float) -> None:
    rng = random.Random(f"rate {rate}")
    missed = sum(upper_bound(sum(rng.random() < rate for _ in range(200)), 200, ALPHA) < rate for _ in range(ROLLOUTS))
    assert missed <= FALSE_ALARMS_MAX


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0.0001, 0.5))
def test_bound_lies_between_what_was_seen_and_1(failures: int, more: int, alpha: float) -> None:
    devices = failures + more
    bound = upper_bound(failures, devices, alpha)
    assert (failures / devices if devices else 1.0) <= bound <= 1.0


def test_limit_of_1_is_never_exceeded() -> None:
    assert evidence(10, 10, 1.0) == 1


def test_page_has_the_numbers_at_which_a_gate_pauses() -> None:
    rows = re.findall(r"^\| ([0-9.]+) % \| ([0-9 |]+) \|$", PAGE.read_text(), re.MULTILINE)
    told = {float(limit) / 100: [int(number) for number in numbers.split(" | ")] for limit, numbers in rows}
    assert told == {limit: [needed_failures(n, limit) for n in (10, 50, 100, 1000, 10_000)] for limit in told}
    assert len(told) == 4
