# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.csv_text import csv_row, plain_cell


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_every_cell_is_read_as_it_was_written(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_row(*cells), newline=""), strict=True)
    assert [plain_cell(cell) for cell in row] == cells


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1"])
def test_no_cell_begins_as_a_formula(cell: str) -> None:
    assert csv_row(cell).startswith("\"'")
