# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the gates' test runs; the gate errs less than a test that is made for one look, and sees as much."""

from __future__ import annotations

import pytest

from ota_server.rollouts.sequential import ALPHA
from tests.benchmarks import gate_test


def test_every_test_is_measured_at_every_rate(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {(row.test, row.limit, row.times): row for row in gate_test.main(rollouts=20, devices=500)}
    assert len(rows) == len(gate_test.TESTS) * len(gate_test.LIMITS) * len(gate_test.TIMES)
    assert len(capsys.readouterr().out.splitlines()) == len(rows) + 2
    assert rows["gate", 0.05, 10].paused == 1
    assert (rows["gate", 0.05, 10].median or 500) < (rows["gate", 0.05, 5].median or 500)


def test_one_look_errs_when_it_is_repeated() -> None:
    gate, one_look = (gate_test.simulate(test, 0.05, 1, 200, 2000) for test in ("gate", "one look"))
    assert gate.paused <= 3 * ALPHA < one_look.paused
