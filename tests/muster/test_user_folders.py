# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.user_folders import cache_folder, keys_folder


@pytest.fixture(autouse=True)
def _plain_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MUSTER_KEYS", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_defaults_are_those_of_the_specification() -> None:
    assert keys_folder() == Path("/home/someone/.local/share/muster/keys")
    assert cache_folder("thirdparty") == Path("/home/someone/.cache/muster/thirdparty")


def test_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert keys_folder() == Path("/data/muster/keys")
    assert cache_folder("x") == Path("/cache/muster/x")
    monkeypatch.setenv("MUSTER_KEYS", "/mine")
    assert keys_folder() == Path("/mine")


def test_relative_base_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache_folder("x") == Path("/home/someone/.cache/muster/x")
