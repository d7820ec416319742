# SPDX-License-Identifier: Apache-2.0
"""The benchmark of check-ins runs to its end, whatever row fails, and says which goals hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.errors import EnvironmentFault
from tests.benchmarks import check_ins, goosebit
from tests.benchmarks.check_ins import CHECK_IN, POLL, Row, goals


def test_rows_are_measured_beside_one_that_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise EnvironmentFault("no network")

    monkeypatch.setattr(goosebit, "install", fail)
    monkeypatch.setattr(check_ins, "WARM_UP_S", 0.1)
    assert not check_ins.main(["--seconds", "0.3", "--devices", "200", "--openings", "10", "--databases", "SQLite"])
    shown = capsys.readouterr().out
    assert "check-in, 200 devices, SQLite: " in shown
    assert "opening, SQLite: " in shown
    assert "FAILED gooseBit poll, SQLite: EnvironmentFault: no network" in shown
    assert "NOT SHOWN" in shown


def test_goals_hold_at_their_bounds_and_not_beyond() -> None:
    few = Row(CHECK_IN, "SQLite", 1000, 3300.0, 10.0, 99.0, 100.0, 0.0, 20.0)
    many = replace(few, devices=1_000_000, server_us=129.0)
    peer = replace(few, what=POLL, per_s=110.0)

    def held(*rows: Row) -> list[bool | None]:
        return [holds for _, holds in goals(list(rows), "SQLite")]

    assert held(few, many, peer) == [True, True, True, True]
    assert held(few, replace(many, per_s=3299.0, p99_ms=100.0, server_us=130.0), replace(peer, per_s=111.0)) == [
        False,
        False,
        False,
        False,
    ]
    assert held(few) == [True, True, None, None]
