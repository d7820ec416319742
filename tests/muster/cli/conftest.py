# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import main
from tests.vectors import fixed

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def key_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Development keys of this test alone."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("MUSTER_KEYS", str(folder))
    return folder


@pytest.fixture
def run() -> Run:
    """Runs `muster` with some arguments; `code` is the exit code it must have."""

    def invoke(*args: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


@pytest.fixture
def run_json(run: Run) -> RunJson:
    """Runs `muster ... --json` and parses what it prints."""

    def invoke(*args: object) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(run(*args, "--json").stdout)
        return facts

    return invoke


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    """An unsigned image."""
    path = tmp_path / "image.bin"
    path.write_bytes(fixed.small_image().raw)
    return path
