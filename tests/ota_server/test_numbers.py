# SPDX-License-Identifier: Apache-2.0
"""What somebody types where a number is asked for is that number, or is refused in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import FormData, QueryParams

from ota_server.dashboard import log_filter
from ota_server.dashboard.forms import midnight, number, share, version_number, whole
from ota_server.dashboard.rollout_form import RolloutForm
from ota_server.errors import Invalid
from ota_server.numbers import ROW_MAX, VERSION_MAX, digits
from ota_server.rollouts.cohort import Everyone

TYPED = st.text() | st.from_regex(r"[-+ ]?[0-9\uff10-\uff19_.,eE]{0,25} ?") | st.integers().map(str)
PARSERS: dict[str, Callable[[str], object]] = {
    "whole": lambda text: whole(text, "x", ROW_MAX),
    "number": lambda text: number(FormData([("x", text)]), "x", ROW_MAX),
    "version": lambda text: version_number(text, "x"),
    "share": lambda text: share(text, "x"),
    "midnight": lambda text: midnight(text, "x"),
    "log filter": lambda text: log_filter.parse(QueryParams({"version": text})),
    "stages": lambda text: RolloutForm.of_fields({"stages": text, "percent1": text}).new_stages(Everyone()),
    "schedule": lambda text: RolloutForm.of_fields({"per_minute": text, "postpone": text, "start": text}).schedule(),
}


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_typed_is_taken_or_refused_with_its_field(name: str) -> None:
    @given(TYPED)
    @example("9" * 5000)
    @example("\uff11\uff12")
    @example("\0")
    def check(text: str) -> None:
        refused = None
        try:
            PARSERS[name](text)
        except Invalid as error:
            refused = error
        assert refused is None or refused.field

    check()


@given(TYPED, st.integers(0, 10**20))
def test_digits_stand_for_the_number_that_they_write(text: str, most: int) -> None:
    found = digits(text, most)
    if found is not None:
        assert found <= most
        assert str(found) == text.lstrip("0") or text.strip("0") == ""


@pytest.mark.parametrize(
    "text", ["99999999999999999999", "70000", "-1", "+1", "1e5", "1 0", "1_0", "1.0", "\uff11\uff12", "", "0x1"]
)
def test_no_version_but_a_number_up_to_65535(text: str) -> None:
    with pytest.raises(Invalid, match=f"a version is a number from 0 to {VERSION_MAX}"):
        version_number(text, "version")


def test_blanks_around_a_number_are_nothing() -> None:
    assert (whole(" 5 ", "x", 9), version_number("065535 ", "x"), digits(" 5 ", 9)) == (5, 65535, None)


@pytest.mark.parametrize("text", ["1", "20261123", "2026-W01-1", "2026-02-30", "0000-01-01", "\uff12026-11-23", "now"])
def test_no_day_but_a_date(text: str) -> None:
    with pytest.raises(Invalid, match="give a date, such as 2026-11-23"):
        midnight(text, "since")


def test_days_begin_at_midnight_and_reach_as_far_as_the_calendar() -> None:
    assert midnight("1970-01-02", "since") == 24 * 3600 * 1000
    assert midnight("9999-12-31", "since") == 253_402_214_400_000
    assert midnight("", "since") is None
