# SPDX-License-Identifier: Apache-2.0
"""The decision: precedence, refusals and its trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.rollouts.cohort import Everyone, ReachingStage, draw_of, is_within
from ota_server.rollouts.decide import Plan, RuleName, RunningRollout, decide, trace
from ota_server.rollouts.facts import DeviceFacts, Target


def target(version: int, counter: int = 0) -> Target:
    return Target(version, bytes([version]) * 32, version, 6, counter, 0, 9, 1, 5000)


TARGETS = {(version, 6): target(version) for version in (1, 2, 3, 4)}
FACTS = DeviceFacts(
    device_id=24 * "a",
    is_trusted=True,
    development=False,
    locked_version=None,
    platform_id=6,
    identity=bytes([1]) * 8,
    product_version=1,
    hardware_revision=1,
    security_counter=0,
    bootloader_version=1,
    keyset_version=1,
    boot_state=0,
    is_busy=False,
    blocked=frozenset(),
)


def rollout(number: int, version: int, *percents: int, stage: int = 0) -> RunningRollout:
    stages = tuple(ReachingStage(Everyone(), percent) for percent in percents or (100,))
    return RunningRollout(number, version, stage, stages, b"salt", {6: TARGETS[version, 6]})


PLAN = Plan(1, (rollout(2, 3), rollout(1, 2)), 2, TARGETS)


def offered(facts: DeviceFacts, plan: Plan = PLAN) -> int | None:
    target = decide(facts, plan).target
    return None if target is None else target.version


def test_precedence_is_development_then_lock_then_rollout_then_group_then_default_then_nothing() -> None:
    everything = replace(FACTS, development=True, locked_version=4)
    assert offered(everything) is None
    assert offered(replace(everything, development=False)) == 4
    assert offered(FACTS) == 3, "the newest rollout"
    assert offered(FACTS, replace(PLAN, rollouts=(rollout(2, 3, 0), rollout(1, 2)))) == 2
    grouped, released = replace(FACTS, groups=frozenset({"beta", "old", "none"})), {"old": 3, "beta": 4, "other": 1}
    assert offered(grouped, replace(PLAN, groups=released)) == 3, "the newest rollout"
    assert offered(grouped, replace(PLAN, rollouts=(), groups=released)) == 4, "the highest version of its groups"
    assert offered(FACTS, replace(PLAN, rollouts=(), groups=released)) == 2
    assert offered(FACTS, replace(PLAN, rollouts=())) == 2
    assert offered(FACTS, replace(PLAN, rollouts=(), default_version=None)) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_trusted": False}, "Quarantined"),
        ({"identity": None}, "not said yet"),
        ({"platform_id": None}, "not said yet"),
        ({"boot_state": 2}, "On trial 2"),
        ({"is_busy": True}, "staged an image"),
        ({"keyset_version": 2}, "newer than this server's 1"),
        ({"development": True}, "development device"),
        ({"platform_id": 8}, "no image for its platform"),
        ({"security_counter": 1}, "is below its own, 1"),
        ({"hardware_revision": 10}, "it is 10"),
        ({"bootloader_version": 0}, "needs bootloader 1"),
        ({"security_counter": None}, "has not told security counter"),
        ({"identity": bytes([3]) * 8}, "it runs it"),
        ({"product_version": 4}, "only a lock or a roll-back goes back"),
        ({"blocked": frozenset({bytes([3]) * 16})}, "failed on it"),
        ({"locked_version": 9}, "no image for its platform"),
    ],
)
def test_nothing_is_offered_and_it_says_why(change: dict[str, object], why: str) -> None:
    ruling = decide(replace(FACTS, **change), PLAN)  # type: ignore[arg-type]  # fields by name
    assert ruling.target is None
    assert why in ruling.why
    assert ruling.remedy


def test_a_lock_goes_back_but_never_below_the_security_counter() -> None:
    runs_three = replace(FACTS, identity=bytes([3]) * 8, product_version=3, locked_version=1)
    assert offered(runs_three) == 1
    assert offered(replace(runs_three, security_counter=1)) is None


def test_the_first_rule_that_applies_decides_even_when_it_refuses() -> None:
    only_two_would_do = replace(FACTS, blocked=frozenset({bytes([3]) * 16}))
    assert offered(only_two_would_do) is None


FACTS_STRATEGY = st.builds(
    DeviceFacts,
    device_id=st.just(24 * "a"),
    is_trusted=st.booleans(),
    development=st.booleans(),
    locked_version=st.none() | st.integers(1, 5),
    platform_id=st.none() | st.sampled_from([6, 8]),
    identity=st.none() | st.integers(1, 5).map(lambda number: bytes([number]) * 8),
    product_version=st.none() | st.integers(1, 5),
    hardware_revision=st.none() | st.integers(0, 12),
    security_counter=st.none() | st.integers(0, 3),
    bootloader_version=st.none() | st.integers(0, 2),
    keyset_version=st.none() | st.integers(0, 3),
    boot_state=st.none() | st.integers(0, 3),
    is_busy=st.booleans(),
    blocked=st.frozensets(st.integers(1, 5).map(lambda number: bytes([number]) * 16)),
    groups=st.frozensets(st.sampled_from("abc")),
)
RELEASED = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5))


@given(facts=FACTS_STRATEGY, released=RELEASED, default=st.none() | st.integers(1, 5))
def test_a_group_release_is_the_highest_of_the_devices_groups_and_nothing_else(
    facts: DeviceFacts, released: dict[str, int], default: int | None
) -> None:
    plan = Plan(1, (), default, TARGETS, released)
    own = [version for name, version in released.items() if name in facts.groups]
    decision = decide(facts, plan)
    if facts.locked_version is None and own:
        assert decision == decide(facts, replace(plan, default_version=None)), "the default does not count"
        assert decision.target is None or decision.target.version == max(own)
    if not own:
        assert decision == decide(facts, replace(plan, groups={})), "releases to other groups do not count"
    if decision.target is not None and facts.locked_version is None and facts.product_version is not None:
        assert decision.target.version >= facts.product_version, "only a lock goes back"


@given(
    facts=FACTS_STRATEGY,
    counters=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    percent=st.sampled_from([0, 100]),
    released=RELEASED,
)
def test_no_facts_lead_to_an_offer_that_breaks_a_rule(
    facts: DeviceFacts, counters: list[int], percent: int, released: dict[str, int]
) -> None:
    targets = {(version, 6): target(version, counters[version - 1]) for version in (1, 2, 3, 4)}
    running = RunningRollout(1, 3, 0, (ReachingStage(Everyone(), percent),), b"", {6: targets[3, 6]})
    decision = decide(facts, Plan(1, (running,), 4, targets, released))
    if decision.target is not None:
        assert facts.is_trusted
        assert not facts.development
        assert not facts.is_busy
        assert not facts.boot_state
        assert facts.security_counter is not None
        assert decision.target.security_counter >= facts.security_counter
        assert decision.target.platform_id == facts.platform_id
        assert decision.target.identity[:16] not in facts.blocked
        assert decision.target.identity[:8] != facts.identity
        if facts.locked_version is not None:
            assert decision.target.version == facts.locked_version


@given(
    facts=FACTS_STRATEGY,
    counters=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    version=st.integers(1, 4),
    undoes=st.integers(1, 5),
)
def test_going_back_is_for_who_runs_the_undone_version_and_never_below_its_counter(
    facts: DeviceFacts, counters: list[int], version: int, undoes: int
) -> None:
    targets = {(number, 6): target(number, counters[number - 1]) for number in (1, 2, 3, 4)}
    stages = (ReachingStage(Everyone(), 100),)
    back = RunningRollout(1, version, 0, stages, b"", {6: targets[version, 6]}, undoes=undoes)
    ruling = decide(facts, Plan(1, (back,), 4, targets))
    if ruling.rollout_id is not None:
        assert facts.product_version == undoes
    if ruling.target is not None:
        assert facts.security_counter is not None
        assert ruling.target.security_counter >= facts.security_counter
        is_back = facts.product_version is not None and ruling.target.version < facts.product_version
        assert not is_back or ruling.rollout_id is not None or facts.locked_version is not None


@given(st.binary(max_size=16), st.text("0123456789abcdef", min_size=24, max_size=24), st.integers(0, 99))
def test_a_growing_share_keeps_every_device(salt: bytes, device_id: str, percent: int) -> None:
    draw = draw_of(salt, device_id)
    assert is_within(draw, percent) <= is_within(draw, percent + 1)
    assert is_within(draw, 100)
    assert not is_within(draw, 0)


def test_shares_are_close_to_their_percentage() -> None:
    draws = [draw_of(b"salt", f"{number:024x}") for number in range(4000)]
    for percent in (1, 10, 50, 90):
        share = sum(is_within(draw, percent) for draw in draws) / 40
        assert abs(share - percent) < 2.5


PLANS = st.builds(
    lambda rollouts, released, default: Plan(1, tuple(rollouts), default, TARGETS, released),
    st.lists(
        st.builds(
            lambda number, version, percents, stage: rollout(number, version, *percents, stage=stage % len(percents)),
            st.integers(1, 9),
            st.integers(1, 4),
            st.lists(st.integers(0, 100), min_size=1, max_size=4),
            st.integers(0, 3),
        ),
        max_size=3,
    ),
    RELEASED,
    st.none() | st.integers(1, 5),
)


@given(facts=FACTS_STRATEGY, plan=PLANS)
def test_the_trace_agrees_with_the_check_in_and_says_something_of_every_rule(facts: DeviceFacts, plan: Plan) -> None:
    traced = trace(facts, plan)
    assert traced.winner == decide(facts, plan)
    names = [one.rule for one in traced.rulings]
    assert names == sorted(names, key=list(RuleName).index)
    assert set(RuleName) - {RuleName.ROLLOUT} <= set(names)
    assert [one.rollout_id for one in traced.rulings if one.rollout_id is not None] == [one.id for one in plan.rollouts]
    for ruling in traced.rulings:
        assert ruling.why.endswith(".")
        is_given = ruling.applies and ruling.target is not None
        assert bool(ruling.remedy) != is_given or ruling.rule is RuleName.HELD_BACK


@given(facts=FACTS_STRATEGY, percents=st.lists(st.integers(0, 100), min_size=2, max_size=5))
def test_a_stage_further_on_loses_no_device(facts: DeviceFacts, percents: list[int]) -> None:
    reached = [rollout(1, 3, *percents, stage=stage).applies(facts, PLAN) for stage in range(len(percents))]
    assert reached == sorted(reached), "once in, always in, whatever the shares of later stages"


def test_a_trace_says_what_each_rule_would_give_and_what_would_have_to_change() -> None:
    plan = replace(PLAN, rollouts=(rollout(3, 4, 0, 100), rollout(2, 3)))
    told = {one.rollout_id or one.rule: one for one in trace(FACTS, plan).rulings}
    assert (told[3].applies, told[2].applies) == (False, True)
    assert told[3].why == "Rollout 3 of version 4, stage 1, has not reached this device."
    assert told[3].remedy == "Stage 2 reaches it: 100 % of all devices."
    assert told[3].target == TARGETS[4, 6]
    assert told[2].why == "Rollout 2 of version 3, stage 1: version 3 is offered."
    assert told[RuleName.DEFAULT_RELEASE].target == TARGETS[2, 6]
    assert told[RuleName.LOCK].remedy == "Lock it to a version."
    assert trace(FACTS, plan).winner.rollout_id == 2
