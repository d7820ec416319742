# SPDX-License-Identifier: Apache-2.0
"""Cohorts: who belongs to them, and what of JSON they are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.errors import Invalid
from ota_server.rollouts.cohort import (
    DEPTH_MAX,
    Both,
    Cohort,
    Compare,
    Either,
    Everyone,
    InGroup,
    Listed,
    Operator,
    Outside,
    Saved,
    Share,
)
from tests.ota_server.test_decide import FACTS

DAY_MS = 24 * 3600 * 1000
KNOWN = replace(
    FACTS,
    product_version=5,
    first_seen_ms=0,
    now_ms=10 * DAY_MS,
    serial_number="A-0042",
    customer_id=7,
    tags=frozenset({"beta", "indoor"}),
    country="DE",
    groups=frozenset({"office"}),
    health='{"2": 3, "40": -1}',
)


def cohort(**value: object) -> Cohort:
    return Cohort.from_json(value)


@pytest.mark.parametrize(
    ("value", "is_in"),
    [
        ({"all": True}, True),
        ({"devices": [24 * "A"]}, True),
        ({"devices": [24 * "b"]}, False),
        ({"group": "office"}, True),
        ({"group": "lab"}, False),
        ({"percent": 100}, True),
        ({"field": "platform", "is": "photon"}, True),
        ({"field": "platform", "one_of": ["p1", "electron"]}, False),
        ({"field": "version", "at_least": 5}, True),
        ({"field": "version", "above": 5}, False),
        ({"field": "version", "at_most": 5}, True),
        ({"field": "version", "below": 5}, False),
        ({"field": "version", "one_of": [4, 5]}, True),
        ({"field": "hardware_revision", "is": 1}, True),
        ({"field": "days_known", "at_least": 10}, True),
        ({"field": "days_known", "above": 10}, False),
        ({"field": "tag", "is": "beta"}, True),
        ({"field": "tag", "one_of": ["indoor", "other"]}, True),
        ({"field": "tag", "is": "outdoor"}, False),
        ({"field": "country", "one_of": ["DE", "FR"]}, True),
        ({"field": "serial_number", "begins_with": "A-00"}, True),
        ({"field": "serial_number", "begins_with": "B"}, False),
        ({"field": "customer", "is": 7}, True),
        ({"field": "claimed", "is": True}, True),
        ({"field": "health.link_errors", "below": 4}, True),
        ({"field": "health.40", "is": -1}, True),
        ({"and": [{"group": "office"}, {"not": {"field": "country", "is": "DE"}}]}, False),
        ({"or": [{"group": "lab"}, {"field": "country", "is": "DE"}]}, True),
    ],
)
def test_devices_belong_by_what_they_told_and_what_people_set(value: dict[str, object], is_in: bool) -> None:
    found = Cohort.from_json(value)
    assert found.matches(KNOWN, b"salt") is is_in
    assert Outside(found).matches(KNOWN, b"salt") is not is_in


@pytest.mark.parametrize(
    "name", ["version", "hardware_revision", "days_known", "country", "customer", "health.free_stack", "health.9"]
)
def test_what_is_not_known_compares_with_nothing(name: str) -> None:
    unknown = replace(FACTS, product_version=None, hardware_revision=None)
    values: list[object] = ["DE"] if name == "country" else [0]
    found = cohort(field=name, one_of=values)
    assert not found.matches(unknown, b"")
    assert Outside(found).matches(unknown, b"")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "cohort is an object with one of"),
        ({}, "cohort is an object with one of"),
        ({"all": False}, "cohort is an object with one of"),
        ({"all": True, "percent": 1}, "cohort is an object with one of"),
        ({"percent": 0}, "percent: 1 to 100"),
        ({"percent": True}, "percent: 1 to 100"),
        ({"group": "No Name"}, "cohort is an object with one of"),
        ({"devices": []}, "cohort.devices has 1 to 10000 items"),
        ({"devices": ["1234"]}, "cohort.devices: an id has 24 hexadecimal digits"),
        ({"devices": [["x"]]}, "cohort.devices: an id has 24 hexadecimal digits"),
        ({"field": "colour", "is": "red"}, "there is no field 'colour'; there are platform, version"),
        ({"field": "health.nothing", "is": 1}, "there is no field"),
        ({"field": "version", "is": "2"}, "cohort.is is a number"),
        ({"field": "version", "is": 2**70}, "cohort.is is a number"),
        ({"field": "version", "begins_with": 2}, "version is compared by is, one_of, at_least"),
        ({"field": "country", "is": "Germany"}, "'Germany' is none"),
        ({"field": "platform", "is": "argon"}, "'argon' is none"),
        ({"field": "claimed", "is": 1}, "cohort.is is true or false"),
        ({"field": "version", "one_of": 2}, "cohort.one_of is a list"),
        ({"field": "version", "one_of": list(range(200))}, "cohort.one_of has 1 to 100 items"),
        ({"field": "version"}, "field and one comparison"),
        ({"and": []}, "cohort.and has 1 to 100 items"),
        ({"and": [{"all": True}, {"or": [{"not": 3}]}]}, "cohort.and[1].or[0].not is an object"),
    ],
)
def test_what_is_no_cohort_is_refused_with_its_place(value: object, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        Cohort.from_json(value)
    assert why in str(refused.value)
    assert refused.value.field is not None
    assert refused.value.field.startswith("cohort")


def test_a_cohort_is_bounded() -> None:
    deep: dict[str, object] = {"all": True}
    for _ in range(DEPTH_MAX - 1):
        deep = {"not": deep}
    assert Cohort.from_json(deep)
    with pytest.raises(Invalid, match="at most 10 expressions deep"):
        Cohort.from_json({"not": deep})
    ids = [f"{number:024x}" for number in range(10_000)]
    assert Cohort.from_json({"devices": ids})
    with pytest.raises(Invalid, match="too large"):
        Cohort.from_json({"or": [{"devices": ids}, {"devices": [number.replace("0", "f") for number in ids]}]})


def test_it_says_in_words_whom_it_holds() -> None:
    found = cohort(
        **{
            "and": [
                {"or": [{"group": "office"}, {"field": "tag", "is": "beta"}]},
                {"not": {"field": "version", "at_least": 5}},
                {"field": "country", "one_of": ["FR", "DE"]},
            ]
        }
    )
    assert found.in_words() == "(group office or tag is beta) and not version at least 5 and country one of DE, FR"


COMPARISONS = st.one_of(
    st.builds(
        Compare,
        st.sampled_from(["version", "hardware_revision", "security_counter", "days_known", "customer", "health.3"]),
        st.sampled_from([Operator.IS, Operator.AT_LEAST, Operator.AT_MOST, Operator.ABOVE, Operator.BELOW]),
        st.tuples(st.integers(-1, 6)),
    ),
    st.builds(
        Compare,
        st.sampled_from(["version", "health.link_errors"]),
        st.just(Operator.ONE_OF),
        st.sets(st.integers(0, 5), min_size=1, max_size=3).map(lambda found: tuple(sorted(found))),
    ),
    st.builds(Compare, st.just("tag"), st.just(Operator.IS), st.tuples(st.sampled_from(["beta", "in_door", "x"]))),
    st.builds(Compare, st.just("tag"), st.just(Operator.BEGINS_WITH), st.tuples(st.sampled_from(["b", "in_", "x"]))),
    st.builds(Compare, st.just("country"), st.just(Operator.IS), st.tuples(st.sampled_from(["DE", "FR"]))),
    st.builds(Compare, st.just("platform"), st.just(Operator.IS), st.tuples(st.sampled_from(["photon", "p1"]))),
    st.builds(
        Compare,
        st.just("serial_number"),
        st.sampled_from([Operator.IS, Operator.BEGINS_WITH]),
        st.tuples(st.sampled_from(["A", "A%", "a", "A_1"])),
    ),
    st.builds(Compare, st.just("claimed"), st.just(Operator.IS), st.tuples(st.booleans())),
)
IDS = st.integers(0, 20).map(lambda number: f"{number:024x}")
COHORTS: st.SearchStrategy[Cohort] = st.recursive(
    st.one_of(
        st.just(Everyone()),
        st.builds(Listed, st.frozensets(IDS, min_size=1, max_size=5)),
        st.builds(InGroup, st.sampled_from(["a", "b", "c"])),
        st.builds(Share, st.integers(1, 100)),
        COMPARISONS,
    ),
    lambda inner: st.one_of(
        st.builds(Both, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Outside, inner),
    ),
    max_leaves=6,
)
DEVICES = st.builds(
    lambda **changes: replace(FACTS, now_ms=10 * DAY_MS, **changes),
    device_id=IDS,
    platform_id=st.none() | st.sampled_from([6, 8, 99]),
    product_version=st.none() | st.integers(0, 5),
    hardware_revision=st.none() | st.integers(0, 5),
    security_counter=st.none() | st.integers(0, 5),
    first_seen_ms=st.none() | st.integers(0, 12 * DAY_MS),
    serial_number=st.none() | st.sampled_from(["A", "A%1", "A_1", "AB1", "a"]),
    customer_id=st.none() | st.integers(1, 3),
    tags=st.frozensets(st.sampled_from(["beta", "in_door", "in-door", "b"])),
    country=st.none() | st.sampled_from(["DE", "FR"]),
    groups=st.frozensets(st.sampled_from("abc")),
    health=st.sampled_from(["{}", '{"2": 3}', '{"2": 0, "3": -1}', '{"3": 5}']),
)


@given(COHORTS)
def test_what_is_written_is_read_again(found: Cohort) -> None:
    assert Cohort.from_json(found.to_json()) == found
    assert found.in_words()


@given(COHORTS, COHORTS, DEVICES)
def test_not_and_and_or_are_those_of_logic(one: Cohort, other: Cohort, device: object) -> None:
    def is_in(found: Cohort) -> bool:
        return found.matches(device, b"salt")  # type: ignore[arg-type]  # facts

    assert is_in(Outside(one)) is not is_in(one)
    assert is_in(Both((one, other))) == (is_in(one) and is_in(other))
    assert is_in(Outside(Both((one, other)))) == is_in(Either((Outside(one), Outside(other))))
    assert is_in(Both((one, Outside(one)))) is False


def test_a_share_of_a_share_is_their_product() -> None:
    half = Share(50)
    ids = [f"{number:024x}" for number in range(2000)]
    drawn = [half.matches(replace(FACTS, device_id=device_id), b"salt") for device_id in ids]
    again = [half.matches(replace(FACTS, device_id=device_id), b"other") for device_id in ids]
    assert abs(sum(drawn) - 1000) < 120
    assert drawn != again, "each rollout draws anew"


def test_a_saved_cohort_is_what_it_was_when_it_is_resolved() -> None:
    saved = {"near": InGroup("office"), "both": Both((Saved("near"), Share(10)))}
    found = Outside(Either((Saved("both"), Everyone())))

    def lookup(name: str) -> Cohort:
        return saved[name].resolved(lookup)

    assert found.named(Saved) == {"both"}
    resolved = found.resolved(lookup)
    assert resolved == Outside(Either((Both((InGroup("office"), Share(10))), Everyone())))
    assert resolved.named(Saved) == frozenset()
    assert resolved.named(InGroup) == {"office"}
