# SPDX-License-Identifier: Apache-2.0
"""`muster demo --local`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from muster.keystore import KeyStore


def _demo(key_store: KeyStore, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("muster")), "demo", "--local", *arguments]
    environment = {**os.environ, "MUSTER_KEYS": str(key_store.folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_demo_updates_a_device_of_each_platform_with_its_power_cut(key_store: KeyStore) -> None:
    done = _demo(key_store, "--json")
    assert done.returncode == 0, done.stderr
    devices = json.loads(done.stdout)["devices"]
    assert [device["platform"] for device in devices] == ["photon", "p1", "electron"]
    assert [device["cut_in"] for device in devices] == ["sector erase", "word program", "trial"]
    for device in devices:
        assert (device["version_before"], device["version_after"], device["confirmed"]) == (1, 2, True)
        # The first start, the one after the cut, and the one into the trial: a cut trial begins again.
        assert (device["boots"], device["cuts"], device["reverts"]) == (3, 1, 0)
        assert 0 < device["patch_bytes"] < device["full_bytes"] / 4


def test_demo_prints_a_table_and_keeps_quiet_when_asked(key_store: KeyStore) -> None:
    done = _demo(key_store, "--quiet")
    assert done.returncode == 0, done.stderr
    for word in ("photon", "p1", "electron", "1 -> 2", "all on version 2"):
        assert word in done.stdout
    assert "its power will be cut" not in done.stderr
