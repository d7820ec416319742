# SPDX-License-Identifier: Apache-2.0
"""`muster demo`, as a user runs it: server, gateway and six boards with the real binaries."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from muster.keystore import KeyStore

_MUSTER = str(Path(sys.executable).with_name("muster"))
_DEVICE_FACTS = {
    "id",
    "platform",
    "version_before",
    "version_after",
    "confirmed",
    "patch_bytes",
    "full_bytes",
    "boots",
    "reverts",
    "cuts",
}


def _environment(key_store: KeyStore, folder: Path) -> dict[str, str]:
    return {**os.environ, "MUSTER_KEYS": str(key_store.folder), "TMPDIR": str(folder)}


@contextmanager
def _running(key_store: KeyStore, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [_MUSTER, "demo", *arguments],
        env=_environment(key_store, folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line_with(process: subprocess.Popen[str], word: str) -> str:
    """The first line on stderr with this word."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            return line
    raise AssertionError("".join(said))


def _child(parent: int, verb: str) -> int:
    """The process id of a child that runs this command."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if verb in Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
            return int(child)
    raise AssertionError(f"no child runs {verb}")


def _assert_nothing_is_left(url: str, folder: Path) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url)
    assert list(folder.iterdir()) == []


def test_demo_brings_version_2_to_all_devices_by_patches_in_two_stages(key_store: KeyStore, tmp_path: Path) -> None:
    command = [_MUSTER, "demo", "--json"]
    done = subprocess.run(command, env=_environment(key_store, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert set(facts) == {"devices", "rollout", "seconds"}
    devices = facts["devices"]
    assert [device["platform"] for device in devices] == ["photon"] * 2 + ["p1"] * 2 + ["electron"] * 2
    assert len({device["id"] for device in devices}) == len(devices)
    for device in devices:
        assert set(device) == _DEVICE_FACTS
        assert (device["version_before"], device["version_after"], device["confirmed"]) == (1, 2, True)
        assert 0 < device["patch_bytes"] < device["full_bytes"] / 4
    # The first start and the one into the trial; one more after a cut.
    assert [(device["cuts"], device["boots"]) for device in devices] == [(0, 2), (0, 2), (1, 3), (0, 2), (1, 3), (0, 2)]
    assert [device["reverts"] for device in devices] == [0] * 6
    rollout = facts["rollout"]
    assert (rollout["version"], rollout["status"]) == (2, "completed")
    first, second = rollout["stages"]
    assert [(stage["percent"], stage["gate"]["min_confirmed"]) for stage in (first, second)] == [(50, 3), (100, 6)]
    assert first["ended_at"] <= second["started_at"] <= second["ended_at"]
    counters = rollout["counters"]
    assert (counters["offered"], counters["confirmed"], counters["failed"], counters["reverted"]) == (6, 6, 0, 0)
    for text in ("p1-1: its power was cut while it writes flash", "electron-1: its power was cut during its trial"):
        assert text in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_keep_leaves_the_dashboard_open_until_ctrl_c(key_store: KeyStore, tmp_path: Path) -> None:
    with _running(key_store, tmp_path, "--keep") as process:
        url = _line_with(process, "dashboard   ").split()[-1]
        password = _line_with(process, "sign in as").split()[-1]
        assert password
        with httpx.Client(base_url=url, follow_redirects=True) as client:
            assert "text/html" in client.get("/").headers["content-type"]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    _assert_nothing_is_left(url, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_a_demo_that_is_stopped_leaves_nothing_behind(
    key_store: KeyStore, tmp_path: Path, number: signal.Signals
) -> None:
    with _running(key_store, tmp_path) as process:
        url = _line_with(process, "its dashboard:").split()[-1]
        _line_with(process, "starting the gateway")
        process.send_signal(number)
        assert process.wait() == 130
    _assert_nothing_is_left(url, tmp_path)


def test_a_demo_that_is_killed_takes_its_server_along(key_store: KeyStore, tmp_path: Path) -> None:
    with _running(key_store, tmp_path) as process:
        _line_with(process, "its dashboard:")
        server = os.pidfd_open(_child(process.pid, "serve"))
        process.kill()
        # Readable as soon as the server has ended.
        assert select.select([server], [], [], 60.0)[0]
        os.close(server)


def test_a_demo_whose_server_dies_fails(key_store: KeyStore, tmp_path: Path) -> None:
    with _running(key_store, tmp_path) as process:
        url = _line_with(process, "its dashboard:").split()[-1]
        _line_with(process, "starting the gateway")
        os.kill(_child(process.pid, "serve"), signal.SIGKILL)
        assert _line_with(process, "error: ")
        assert process.wait() == 1
    _assert_nothing_is_left(url, tmp_path)


def test_keep_needs_the_server(key_store: KeyStore, tmp_path: Path) -> None:
    done = subprocess.run(
        [_MUSTER, "demo", "--local", "--keep"],
        env=_environment(key_store, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--keep" in done.stderr
