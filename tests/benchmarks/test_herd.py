# SPDX-License-Identifier: Apache-2.0
"""A fleet that comes at once is spread by the server's calendar, and comes in a wave again without it."""

from __future__ import annotations

import random

import pytest

from tests.benchmarks.herd import INTERVAL_S, Outcome, after_outage, all_at_once, simulate

DEVICES, PER_S = 6000, 24
"""As a million devices on a server that takes 4,000 a second."""


def outcome(outage_s: int | None, is_spread: bool, devices: int = DEVICES, per_s: int = PER_S) -> Outcome:
    chance = random.Random(7)
    first = all_at_once(devices, chance) if outage_s is None else after_outage(devices, outage_s, chance)
    return simulate(first, per_s, is_spread, chance, watched_s=4000)


def test_after_an_hour_nobody_is_turned_away_for_long() -> None:
    found = outcome(3600, is_spread=True)
    assert found.unanswered == 0
    assert found.back_s <= 3600, "their own back-off is the longest wait"
    assert found.peak <= 2 * PER_S


@pytest.mark.parametrize("outage_s", [60, None], ids=["a minute", "power"])
def test_a_wave_comes_once(outage_s: int | None) -> None:
    found = outcome(outage_s, is_spread=True)
    assert found.peak > 2 * PER_S, "there is a wave"
    assert found.back_s <= 2 * INTERVAL_S
    assert found.peak_later <= PER_S


def test_without_the_calendar_some_stay_away_much_longer() -> None:
    assert outcome(None, is_spread=False).back_s > 3 * outcome(None, is_spread=True).back_s


@pytest.mark.full
@pytest.mark.parametrize("outage_s", [3600, 60, None], ids=["an hour", "a minute", "power"])
def test_a_million_devices_are_back_within_the_hour_and_come_spread_from_then_on(outage_s: int | None) -> None:
    found = outcome(outage_s, True, 1_000_000, 4000)
    assert found.back_s <= 3600
    assert found.taken <= 4000
    assert found.peak_later <= 4000
