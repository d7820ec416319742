# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muster.build.driver import Built, source_root
from muster.serial import Link, PortTransport
from tests.muster.cli.conftest import Run

BuildFirmware = Callable[..., Built]


@contextmanager
def emulate(*args: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`muster emulate` as a process of its own, and the path that it printed. Ends it with Ctrl-C."""
    command = [sys.executable, "-c", "from muster.cli.main import main; main()", "emulate", *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path = process.stdout.readline().rstrip("\n")
        try:
            yield process, path
        finally:
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "interrupted"


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The first line on stderr that holds a text."""
    assert process.stderr is not None
    return next(line.rstrip("\n") for line in process.stderr if text in line)


def test_board_answers_at_the_printed_path_and_remembers_its_flash(built: BuildFirmware, tmp_path: Path) -> None:
    folder = built("thermostat", "photon").folder
    options = (folder, "--flash", tmp_path / "board.flash", "--link", tmp_path / "tty", "--speed", 10)
    with emulate(*options, "--seed", 5) as (process, path):
        assert (tmp_path / "tty").resolve() == Path(path)
        with PortTransport(str(tmp_path / "tty")) as port:
            link = Link(port)
            device_id = link.info().device_id
            assert link.call("set_point", "23.50") == 2350
        assert read_until(process, "device ") == f"device {device_id.hex()} runs {folder / 'thermostat.hex'}"
        assert read_until(process, "reset").endswith(" s: reset (power on)")
    assert not (tmp_path / "tty").is_symlink()
    with emulate(*options) as (process, path), PortTransport(path) as port:
        assert read_until(process, "device ") == f"device {device_id.hex()} runs {tmp_path / 'board.flash'}"
        link = Link(port)
        assert link.info().device_id == device_id
        assert link.call("get_set") == 2350


def test_faults_and_the_resets_they_end_in_are_told(built: BuildFirmware) -> None:
    victim = source_root() / "tests" / "e2e" / "products" / "victim"
    folder = built(str(victim), "photon", 1).folder
    with emulate(folder, "--speed", 10) as (process, path), PortTransport(path) as port:
        Link(port).call("fail", "undefined")
        assert "HardFault at pc 0802" in read_until(process, "Fault")
        assert read_until(process, "reset").endswith(" s: reset (software)")


@pytest.mark.parametrize(("names", "count"), [((), "no"), (("a.hex", "b.hex"), "2")])
def test_folder_without_one_hex_file_is_named(run: Run, tmp_path: Path, names: tuple[str, ...], count: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    result = run("emulate", tmp_path, code=1)
    assert result.stderr == f"error: {tmp_path} holds {count} .hex files, not one: give build/<product>/<platform>\n"


def test_damaged_hex_file_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "board.hex").write_text(":nonsense\n")
    result = run("emulate", tmp_path, "--flash", tmp_path / "board.flash", code=1)
    assert not (tmp_path / "board.flash").exists()
    assert result.stderr.startswith("error: not an Intel HEX file: ")
    assert result.stderr.count("\n") == 1


def test_link_that_would_replace_a_file_is_refused(run: Run, built: BuildFirmware, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    result = run("emulate", built("blink", "photon", 1).folder, "--link", tmp_path / "file", code=1)
    assert "error: cannot serve a pty: " in result.stderr
    assert (tmp_path / "file").read_text() == "kept"


def test_flash_file_that_is_none_is_one_line(run: Run, built: BuildFirmware, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    result = run("emulate", built("blink", "photon", 1).folder, "--flash", tmp_path / "file", code=1)
    assert result.stderr.startswith("error: ")
    assert (tmp_path / "file").read_text() == "kept"


def test_missing_folder_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("emulate", tmp_path / "missing", code=2).stderr
