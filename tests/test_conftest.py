# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from muster.build.driver import source_root

TESTS = """\
import pytest

@pytest.mark.full
def test_long() -> None: ...

def test_short() -> None: ...
"""


@pytest.mark.parametrize(
    ("arguments", "told"), [([], "1 passed, 1 deselected"), (["--full"], "2 passed")], ids=["normal", "full"]
)
def test_long_tests_run_only_when_asked_for(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full: long\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_two.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path), *arguments]
    environment = {"PYTHONPATH": str(source_root()), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told in done.stdout.splitlines()[-1]
