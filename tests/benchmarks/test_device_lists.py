# SPDX-License-Identifier: Apache-2.0
"""The benchmark of device lists runs, and finds what it has put there."""

from __future__ import annotations

import pytest

from tests.benchmarks import device_lists


def test_every_list_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_lists, "ROUNDS", 1)
    device_lists.main(1000)
    rows = {line[:30].strip(): line[30:].split()[0] for line in capsys.readouterr().out.splitlines()[2:-1]}
    assert list(rows) == list(device_lists.LISTS)
    assert (rows["first page"], rows["group of 1,000"], rows["quarantined"], rows["name of nobody"]) == (
        "1,000",
        "10",
        "1",
        "0",
    )
