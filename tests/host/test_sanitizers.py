# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.library import SANITIZERS_VARIABLE

CORE_TESTS = Path(__file__).parents[1] / "firmware" / "core"


@pytest.mark.full
def test_core_tests_pass_under_the_address_sanitizer() -> None:
    """Its library must be loaded before Python, so all tests of the core run once more in a process that does."""
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": asan.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself leaks by its nature
        "PYTHONMALLOC": "malloc",  # so that each buffer has its own guarded place
        SANITIZERS_VARIABLE: "address,undefined",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(CORE_TESTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
