# SPDX-License-Identifier: Apache-2.0
"""The benchmark of pages runs, and looks at every page."""

from __future__ import annotations

import re

import pytest

from tests.benchmarks import million_rollout, pages
from tests.ota_server.organizations.route_table import PAGES


def test_every_page_is_measured_and_small(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(million_rollout, "ROUNDS", 1)
    monkeypatch.setattr(pages, "RELEASES", 3)
    monkeypatch.setattr(pages, "CUSTOMERS", 60)
    pages.main(60, "SQLite")
    rows = {line[:58].strip(): line[58:].split() for line in capsys.readouterr().out.splitlines()[2:]}
    looked = {name for name in PAGES if re.fullmatch(r"GET /products/(?!.*/live/)[^.]*", name)}
    assert looked | set(pages.MORE) <= set(rows)
    assert all(int(row[3].replace(",", "")) < pages.BYTES_MAX for row in rows.values())
