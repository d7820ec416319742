# SPDX-License-Identifier: Apache-2.0
"""Tables for spreadsheets (CSV, RFC 4180)."""

from __future__ import annotations

import csv
import io

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run: such a one is written with ' before it."""


def csv_row(*cells: str) -> str:
    """One line, every cell in quotes."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow(f"'{one}" if _looks_run(one) else one for one in cells)
    return out.getvalue()


def plain_cell(cell: str) -> str:
    """What a cell that `csv_row` wrote holds."""
    return cell[1:] if cell.startswith("'") and _looks_run(cell) else cell


def _looks_run(cell: str) -> bool:
    """Behind any number of ' too, so that taking one away undoes adding one."""
    return cell.lstrip("'").startswith(_FORMULA)
