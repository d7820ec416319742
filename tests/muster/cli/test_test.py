# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from muster.cli.main import main


class Machine:
    """Stands in for the programs: notes what is run, and fails what it is told to fail."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.failing: str | None = None

    def run(self, command: list[str], cwd: Path, check: bool) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, int(self.failing is not None and self.failing in command))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("muster.cli.test.subprocess.run", machine.run)
    return machine


def test_every_check_runs_and_pytest_is_last(machine: Machine) -> None:
    result = CliRunner().invoke(main, ["test", "--full", "-k", "boot", "tests/e2e"])
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("== ")] == [
        "== style",
        "== format",
        "== format of C",
        "== types",
        "== borders",
        "== pytest",
    ]
    assert machine.commands[-1] == [
        sys.executable,
        *("-m", "pytest", "--numprocesses=2", "--full", "-k", "boot", "tests/e2e"),
    ]


@pytest.mark.parametrize("failing", ["check", "format", "--Werror", "mypy", "pytest"])
def test_one_failure_is_enough_and_stops_nothing(machine: Machine, failing: str) -> None:
    machine.failing = failing
    assert CliRunner().invoke(main, ["test"]).exit_code == 1
    assert len(machine.commands) == 6
