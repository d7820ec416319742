# SPDX-License-Identifier: Apache-2.0
"""The benchmark of previews runs, and finds what it has put there."""

from __future__ import annotations

import pytest

from tests.benchmarks import cohort_preview


@pytest.mark.full
def test_every_cohort_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_preview, "ROUNDS", 1)
    cohort_preview.main(1000)
    rows = {line[:30].strip(): line[30:].split()[0] for line in capsys.readouterr().out.splitlines()[2:]}
    assert list(rows) == list(cohort_preview.COHORTS)
    assert (rows["all"], rows["a tag"], rows["two countries, not a tag"]) == ("1,000", "100", "300")
