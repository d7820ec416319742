# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from muster.cli.completion import VARIABLE
from muster.cli.main import main

MUSTER = Path(sys.executable).parent / "muster"


def _answers(shell: str, **asked: str) -> str:
    """What `muster` says when a shell asks it."""
    environment = {**os.environ, VARIABLE: f"{shell}_complete", **asked}
    return subprocess.run([MUSTER], env=environment, capture_output=True, text=True, check=True).stdout


def test_bash_completes_commands_subcommands_and_values() -> None:
    script = f"""
        eval "$({MUSTER} completion bash)"
        for line in "muster rol" "muster org re" "muster completion z"; do
            COMPREPLY=(); COMP_WORDS=($line); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _muster_completion {MUSTER}
            echo "${{COMPREPLY[@]}}"
        done
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["rollout", "rename", "zsh"]


def test_zsh_is_answered() -> None:
    assert _answers("zsh", COMP_WORDS="muster rol", COMP_CWORD="1").splitlines()[:2] == ["plain", "rollout"]


def test_fish_is_answered() -> None:
    assert _answers("fish", COMP_WORDS="muster rol", COMP_CWORD="rol").split("\t")[0] == "plain,rollout"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_asks_muster(shell: str) -> None:
    printed = CliRunner().invoke(main, ["completion", shell], prog_name="muster")
    assert printed.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in printed.output
