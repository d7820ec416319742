# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.errors import ValueOutOfRange
from muster.station import SerialNumbers


def test_list_is_given_out_in_its_order_without_what_is_used() -> None:
    numbers = SerialNumbers.listed(["A1", "", " A2 ", "A3"], ["A2"])
    assert [numbers.next(), numbers.next()] == ["A1", "A3"]
    with pytest.raises(ValueOutOfRange, match="no serial number is left"):
        numbers.next()


@pytest.mark.parametrize("lines", [["A1", "A1"], ["two words"], ["ä"], ["x" * 65]])
def test_bad_list_is_refused_before_any_is_given_out(lines: list[str]) -> None:
    with pytest.raises(ValueOutOfRange, match="line"):
        SerialNumbers.listed(lines, [])


def test_count_goes_on_after_the_highest_that_is_used() -> None:
    numbers = SerialNumbers.counted("SN-", ["SN-00002", "SN-00041", "SN-999999", "XX-00100", "SN-0009x"])
    assert [numbers.next(), numbers.next()] == ["SN-00042", "SN-00043"]
    assert SerialNumbers.counted("SN-", []).next() == "SN-00001"


def test_count_ends() -> None:
    with pytest.raises(ValueOutOfRange, match="no serial number is left"):
        SerialNumbers.counted("SN-", ["SN-99999"]).next()


@pytest.mark.parametrize("prefix", ["a b", "x" * 60])
def test_bad_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueOutOfRange):
        SerialNumbers.counted(prefix, [])


def test_units_may_have_none() -> None:
    numbers = SerialNumbers.none()
    assert [numbers.next(), numbers.next()] == ["", ""]
