# SPDX-License-Identifier: Apache-2.0
"""Forecasts are near what happens to fleets of other habits than the model has, or say how unsure they are."""

from __future__ import annotations

import pytest

from tests.benchmarks import forecast


@pytest.mark.parametrize(
    ("fleets", "devices"), [(5, 300), pytest.param(40, 1000, marks=pytest.mark.full)], ids=["some", "many"]
)
def test_what_happens_lies_in_the_intervals_of_forecasts(fleets: int, devices: int) -> None:
    assert forecast.main(fleets, devices)
