# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muster.build.driver import Built
from tests.muster.cli.conftest import Run, RunJson
from tests.muster.cli.emulated import board_at_pty

BuildFirmware = Callable[..., Built]


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A terminal with nobody at its far end."""
    far, near = pty.openpty()
    try:
        yield os.ttyname(near)
    finally:
        os.close(near)
        os.close(far)


def test_json_prints_what_the_device_says_of_itself_and_ends(run_json: RunJson, built: BuildFirmware) -> None:
    blink = built("blink", "photon", 1)
    with board_at_pty(blink.image_path.with_suffix(".hex")) as port:
        facts = run_json("monitor", port)
    assert facts["identity"] == blink.identity.hex()
    assert len(bytes.fromhex(facts["device_id"])) == 12
    assert (facts["platform"], facts["product_id"], facts["version"]) == ("photon", 1001, 1)
    assert (facts["slot"], facts["state"], facts["reset"], facts["lifecycle"]) == (
        "A",
        "CONFIRMED",
        "POWER",
        "DEVELOPMENT",
    )
    assert (facts["fault"], facts["download"]) == (None, None)


def test_monitor_shows_info_and_then_log_lines_until_ctrl_c(built: BuildFirmware) -> None:
    """The thermostat reports every ten seconds of its own time."""
    thermostat = built("thermostat", "photon")
    with board_at_pty(thermostat.image_path.with_suffix(".hex")) as port:
        command = [sys.executable, "-c", "from muster.cli.main import main; main()", "monitor", port]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if "target 20.00 C" in line:
                    process.send_signal(signal.SIGINT)
                    break
            _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == "interrupted\n"
    state = next(at for at, line in enumerate(lines) if line.startswith("state "))
    assert lines[state].split() == ["state", "CONFIRMED"]
    assert " info room " in lines[-1]


def test_device_that_does_not_answer_is_an_error_for_programs(
    run: Run, silent_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.cli.monitor.ANSWER_TIMEOUT_S", 0.01)
    result = run("monitor", silent_port, "--json", code=1)
    assert result.stderr == "error: the device does not answer INFO_REQUEST (OTA_ERR_TIMEOUT)\n"
    assert result.stdout == ""


def test_port_that_is_not_there_is_one_line(run: Run, tmp_path: Path) -> None:
    result = run("monitor", tmp_path / "no-port", code=1)
    assert result.stderr.startswith(f"error: cannot open {tmp_path / 'no-port'}: ")
    assert result.stderr.count("\n") == 1


def test_file_is_no_port(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert run("monitor", path, code=1).stderr.startswith(f"error: cannot open {path}: ")
