# SPDX-License-Identifier: Apache-2.0
"""What a gate says of counters: a pure function."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.rollouts.baseline import Baseline
from ota_server.rollouts.cohort import Everyone
from ota_server.rollouts.gate import Approval, Gate
from ota_server.rollouts.judge import Judgement, Verdict, judge, with_reached
from ota_server.rollouts.models import COUNTERS, Forgiven, Rollout, RolloutStatus, Stage
from ota_server.rollouts.schedule import Schedule

NOW_MS = 1_800_000_000_000
COUNTS = st.integers(0, 300)
BEFORE = Baseline(1, devices=50, heard=10_000, crashed=10, offered=5_000, failures=5, reverted=2)


def rollout(**counters: int) -> Rollout:
    """A running one; counters that are not named are 0."""
    return Rollout(
        id=1,
        product_id=1,
        release_id=1,
        version=2,
        undoes=None,
        name="",
        status=RolloutStatus.RUNNING,
        reason="",
        salt=bytes(16),
        schedule=Schedule(),
        stage=0,
        created_ms=0,
        created_by="",
        started_ms=0,
        ended_ms=None,
        forgiven=Forgiven(),
        **{**dict.fromkeys(COUNTERS, 0), **counters},
    )


def stage(gate: Gate, reached_ms: int | None = None) -> Stage:
    return Stage(1, 0, Everyone(), 100, gate, 0, 0, reached_ms, None)


def look(
    gate: Gate, counted: Rollout, now_ms: int = NOW_MS, approvals: int = 0, before: Baseline | None = None
) -> Judgement:
    return judge(counted, with_reached(counted, stage(gate), now_ms), True, now_ms, approvals, before)


GATES = st.builds(
    Gate,
    min_confirmed=st.integers(1, 300),
    soak_s=st.sampled_from([0, 60]),
    max_failures=st.none() | COUNTS,
    max_failure_rate=st.none() | st.floats(0.001, 0.5),
    max_crash_rate=st.none() | st.floats(0.001, 0.5),
    worse_than_before=st.booleans(),
    approval=st.none() | st.just(Approval(people=2)),
)
ROLLOUTS = st.builds(
    lambda offered, confirmed, reverted, failed, crashed: rollout(
        offered=offered + confirmed + reverted + failed,
        confirmed=confirmed,
        reverted=reverted,
        failed=failed,
        crashed=min(crashed, confirmed),
        crashed_early=min(crashed, confirmed),
    ),
    *(COUNTS for _ in range(5)),
)


@given(GATES, ROLLOUTS, st.integers(0, 2), st.none() | st.just(BEFORE))
def test_too_many_win_over_all_and_a_stage_ends_only_with_everything(
    gate: Gate, counted: Rollout, approvals: int, before: Baseline | None
) -> None:
    found = look(gate, counted, approvals=approvals, before=before)
    needs = ("confirmed", "approvals")
    is_too_much = any(one.count > one.limit for one in found.distances if one.name not in needs)
    is_there = all(one.count >= one.limit for one in found.distances if one.name in needs) and gate.soak_s == 0
    expected = Verdict.PAUSE if is_too_much else Verdict.COMPLETE if is_there else Verdict.WAIT
    assert found.verdict is expected
    assert found.reason.endswith(".")


@given(GATES, ROLLOUTS)
def test_devices_that_are_offered_it_and_say_nothing_pause_nothing(gate: Gate, counted: Rollout) -> None:
    more = replace(counted, offered=counted.offered + 1000)
    if look(gate, counted).verdict is not Verdict.PAUSE:
        assert look(gate, more).verdict is not Verdict.PAUSE


def test_soak_lasts_from_the_confirmed_boots_on() -> None:
    gate, counted = Gate(min_confirmed=5, soak_s=60), rollout(offered=5, confirmed=5)
    reached = with_reached(counted, stage(gate), NOW_MS)
    assert judge(counted, reached, False, NOW_MS + 59_999).verdict is Verdict.WAIT
    assert judge(counted, reached, False, NOW_MS + 60_000).verdict is Verdict.ADVANCE
    assert with_reached(counted, reached, NOW_MS + 1) == reached
    assert with_reached(counted, reached, NOW_MS - 1).reached_ms == NOW_MS - 1


def test_without_a_version_before_nothing_is_worse() -> None:
    gate, counted = Gate(max_failures=None, worse_than_before=True), rollout(offered=9, failed=9, crashed_early=9)
    assert [one.name for one in look(gate, counted).distances] == ["confirmed"]
    nothing_known = replace(BEFORE, heard=0, crashed=0, offered=0, failures=0, reverted=0)
    assert [one.name for one in look(gate, counted, before=nothing_known).distances] == ["confirmed"]
    assert look(gate, counted, before=BEFORE).verdict is Verdict.PAUSE


@pytest.mark.parametrize(
    ("counters", "name"),
    [({"failed": 4}, "failure_rate"), ({"reverted": 4}, "revert_rate"), ({"crashed_early": 4}, "crash_rate")],
)
def test_each_kind_of_trouble_is_held_against_the_version_before(counters: dict[str, int], name: str) -> None:
    gate = Gate(min_confirmed=100, max_failures=None, worse_than_before=True)
    found = look(gate, rollout(offered=50, **counters), before=BEFORE)
    assert found.verdict is Verdict.PAUSE
    assert name in [one.name for one in found.distances if one.count > one.limit]
    assert "with version 1" in found.reason
