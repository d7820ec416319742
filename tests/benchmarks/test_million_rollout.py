# SPDX-License-Identifier: Apache-2.0
"""The benchmark of a rollout to many devices runs, and sees the pause within one check-in."""

from __future__ import annotations

import pytest

from tests.benchmarks import million_rollout


def test_every_point_of_a_rollout_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(million_rollout, "ROUNDS", 1)
    monkeypatch.setattr(million_rollout, "POINTS", (10, 100))
    million_rollout.main(200, "SQLite")
    rows = [line[:44].strip() for line in capsys.readouterr().out.splitlines()]
    looked = ["look at all devices, in the background", "of it on a processor, whoever did it"]
    points = [f"{what} at {percent} %" for percent in (10, 100) for what in ("page", "counts", "all rollouts")]
    assert rows == ["SQLite, 200 devices", "start", *looked, "pause", *points]
