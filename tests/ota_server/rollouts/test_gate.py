# SPDX-License-Identifier: Apache-2.0
"""Gates: what is one, and what it says of a rollout's counters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.errors import Invalid
from ota_server.organizations.roles import Role
from ota_server.rollouts.gate import APPROVERS, COUNT_MAX, PEOPLE_MAX, RATE_MAX, RATE_MIN, SOAK_MAX_S, Approval, Gate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=5,
)
RATES = st.none() | st.floats(RATE_MIN, RATE_MAX)
GATES = st.builds(
    Gate,
    min_confirmed=st.integers(1, COUNT_MAX),
    soak_s=st.integers(0, SOAK_MAX_S),
    max_failures=st.none() | st.integers(0, COUNT_MAX),
    max_failure_rate=RATES,
    max_revert_rate=RATES,
    max_crash_rate=RATES,
    worse_than_before=st.booleans(),
    approval=st.none() | st.builds(Approval, role=st.sampled_from(APPROVERS), people=st.integers(1, PEOPLE_MAX)),
)


@given(GATES)
def test_gate_is_read_as_it_was_written(gate: Gate) -> None:
    assert Gate.from_json(json.loads(json.dumps(gate.to_json()))) == gate


@given(JSON | st.dictionaries(st.sampled_from([*Gate().to_json(), "x"]), JSON, max_size=4))
def test_anything_else_is_refused_or_a_gate(value: Any) -> None:
    try:
        gate = Gate.from_json(value)
    except Invalid:
        return
    assert Gate.from_json(gate.to_json()) == gate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "a gate is an object"),
        ({"max_failure": 3}, "not max_failure"),
        ({"min_confirmed": 0}, "min_confirmed is a whole number from 1 to"),
        ({"min_confirmed": True}, "min_confirmed is a whole number"),
        ({"soak_s": 1.5}, "soak_s is a whole number from 0 to 7776000"),
        ({"max_failures": -1}, "max_failures is a whole number from 0"),
        ({"max_failures": "3"}, "max_failures is a whole number"),
        ({"max_failure_rate": 2}, "max_failure_rate is a share from 0.0001 to 0.9999, such as 0.02 for 2 %"),
        ({"approval": {}}, "an approval says by whom: role, people or both"),
        ({"approval": {"role": []}}, "role is"),
        ({"approval": {"role": "support"}}, "role is administrator or developer"),
        ({"approval": {"people": 11}}, "people is a whole number from 1 to 10"),
        ({"approval": {"by": "ana"}}, "approval has role, people; not by"),
        ({"worse_than_before": 2}, "worse_than_before is true or false"),
        ({"max_crash_rate": float("nan")}, "max_crash_rate is a share"),
        ({"max_revert_rate": "0.1"}, "max_revert_rate is a share"),
    ],
)
def test_error_says_what_a_field_may_be(value: object, text: str) -> None:
    with pytest.raises(Invalid, match=text):
        Gate.from_json(value)


@pytest.mark.parametrize(
    ("value", "max_failures"),
    [
        ({}, 0),
        ({"max_crash_rate": 0.1}, None),
        ({"worse_than_before": True}, None),
        ({"max_crash_rate": 0.1, "max_failures": 4}, 4),
    ],
)
def test_failures_are_counted_against_0_unless_a_limit_is_given(value: object, max_failures: int | None) -> None:
    assert Gate.from_json(value).max_failures == max_failures


def test_approval_is_given_by_its_role_and_those_above() -> None:
    approval = Gate.from_json({"approval": {"role": "administrator", "people": 2}}).approval
    assert approval is not None
    assert [role for role in Role if approval.may_give(role)] == [Role.ADMINISTRATOR]
    assert [role for role in Role if Approval().may_give(role)] == [Role.ADMINISTRATOR, Role.DEVELOPER]
    assert not Approval().may_give(None)
    assert (approval.in_words(), Approval().in_words()) == ("2 people (administrator)", "1 person (developer or above)")
