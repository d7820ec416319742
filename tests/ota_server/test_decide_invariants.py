# SPDX-License-Identifier: Apache-2.0
"""What must hold of every decision, whatever the plan and the device."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ota_server.rollouts.cohort import Cohort, ReachingStage, draw_of, is_within
from ota_server.rollouts.decide import Plan, RuleName, RunningRollout, decide, trace
from ota_server.rollouts.facts import DeviceFacts
from tests.ota_server.test_cohort import COHORTS, DEVICES
from tests.ota_server.test_decide import RELEASED, target

STAGES = st.lists(st.builds(ReachingStage, COHORTS, st.sampled_from([1, 30, 70, 100])), min_size=1, max_size=4)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Up to three rollouts over any cohorts, releases, and images with any security counters."""
    counters = draw(st.lists(st.integers(0, 5), min_size=5, max_size=5))
    targets = {(version, 6): target(version, counters[version - 1]) for version in range(1, 6)}
    rollouts = []
    for number in range(draw(st.integers(0, 3)), 0, -1):
        stages, version = draw(STAGES), draw(st.integers(1, 5))
        reached = draw(st.integers(0, len(stages) - 1))
        rollouts.append(RunningRollout(number, version, reached, stages, bytes([number]), {6: targets[version, 6]}))
    return Plan(1, rollouts, draw(st.none() | st.integers(1, 5)), targets, draw(RELEASED))


@st.composite
def any_device(draw: st.DrawFn) -> DeviceFacts:
    """A device that nothing holds back more often than not."""
    return replace(
        draw(DEVICES),
        is_trusted=draw(st.sampled_from([True, True, True, False])),
        development=draw(st.sampled_from([False, False, False, True])),
        locked_version=draw(st.none() | st.integers(1, 6)),
        identity=draw(st.none() | st.integers(1, 5).map(lambda number: bytes([number]) * 8)),
        boot_state=draw(st.sampled_from([0, 0, 0, None, 2])),
        is_busy=draw(st.sampled_from([False, False, False, True])),
        blocked=draw(st.frozensets(st.integers(1, 5).map(lambda number: bytes([number]) * 16), max_size=1)),
    )


def is_reached(rollout: RunningRollout, facts: DeviceFacts) -> bool:
    draw = draw_of(rollout.salt, facts.device_id)
    stages = rollout.stages[: rollout.stage + 1]
    return any(one.cohort.matches(facts, rollout.salt) and is_within(draw, one.percent) for one in stages)


def deciding(facts: DeviceFacts, plan: Plan) -> tuple[RuleName, int | None]:
    """Which rule decides, by the order of precedence alone."""
    is_known = facts.identity is not None and facts.platform_id is not None
    if not facts.is_trusted or not is_known or facts.boot_state or facts.is_busy:
        return RuleName.HELD_BACK, None
    if facts.development:
        return RuleName.DEVELOPMENT, None
    if facts.locked_version is not None:
        return RuleName.LOCK, None
    for rollout in plan.rollouts:
        if is_reached(rollout, facts):
            return RuleName.ROLLOUT, rollout.id
    if facts.groups & plan.groups.keys():
        return RuleName.GROUP_RELEASE, None
    return (RuleName.NOTHING if plan.default_version is None else RuleName.DEFAULT_RELEASE), None


@given(facts=any_device(), plan=plans())
def test_the_first_rule_that_is_about_a_device_decides_and_the_trace_agrees(facts: DeviceFacts, plan: Plan) -> None:
    ruling, traced = decide(facts, plan), trace(facts, plan)
    assert (ruling.rule, ruling.rollout_id) == deciding(facts, plan)
    assert traced.winner == ruling
    assert [one.rollout_id for one in traced.rulings if one.rollout_id is not None] == [one.id for one in plan.rollouts]


@given(facts=any_device(), plan=plans())
def test_no_rule_offers_what_a_device_must_not_get(facts: DeviceFacts, plan: Plan) -> None:
    for ruling in trace(facts, plan).rulings:
        if ruling.target is not None:
            assert facts.security_counter is not None
            assert ruling.target.security_counter >= facts.security_counter
            assert ruling.target.platform_id == facts.platform_id
            assert ruling.target.identity[:16] not in facts.blocked
            if ruling.rule is not RuleName.LOCK:
                assert facts.product_version is None or ruling.target.version >= facts.product_version


@given(facts=any_device(), plan=plans())
def test_nobody_is_offered_anything_by_a_rollout_that_they_are_outside_of(facts: DeviceFacts, plan: Plan) -> None:
    ruling = decide(facts, plan)
    for rollout in plan.rollouts:
        if ruling.rollout_id == rollout.id:
            assert is_reached(rollout, facts)
        if not any(one.cohort.matches(facts, rollout.salt) for one in rollout.stages):
            assert rollout.reached_in(facts) is None
            assert decide(facts, replace(plan, rollouts=[rollout])).rollout_id is None


@given(facts=any_device(), stages=STAGES)
def test_going_on_loses_no_device(facts: DeviceFacts, stages: list[ReachingStage]) -> None:
    plan = Plan(1, (), None, {})
    rollouts = [RunningRollout(1, 2, number, stages, b"salt", {}) for number in range(len(stages))]
    reached = [one.applies(facts, plan) for one in rollouts]
    assert reached == sorted(reached)
    assert reached[-1] == (rollouts[0].reached_in(facts) is not None)


@given(facts=any_device(), cohort=COHORTS, percent=st.integers(1, 99))
def test_a_larger_share_of_a_cohort_keeps_everyone(facts: DeviceFacts, cohort: Cohort, percent: int) -> None:
    plan = Plan(1, (), None, {})
    small, large = (
        RunningRollout(1, 2, 0, [ReachingStage(cohort, share)], b"salt", {}) for share in (percent, percent + 1)
    )
    assert small.applies(facts, plan) <= large.applies(facts, plan)
