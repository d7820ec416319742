# SPDX-License-Identifier: Apache-2.0
"""The native part's way from source to cache."""

from __future__ import annotations

import importlib.util
import multiprocessing
import shutil
from typing import TYPE_CHECKING

import pytest

from muster.emulator import EmulatorUnavailable, library

if TYPE_CHECKING:
    from pathlib import Path


def test_library_is_built_once_into_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = library.build()
    assert path.is_relative_to(tmp_path / "muster" / "emulator")
    first = path.stat()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert library.build() == path
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert list(path.parent.iterdir()) == [path]


def test_missing_compiler_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EmulatorUnavailable, match="apt-get install gcc"):
        library.build()


def test_missing_unicorn_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmulatorUnavailable, match=r"pip install 'muster\[emulator\]'"):
        library.build()


def test_two_processes_may_build_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = {result.get(timeout=60) for result in [pool.apply_async(library.build) for _ in range(2)]}
    assert len(paths) == 1
    assert paths.pop().stat().st_size > 10_000
