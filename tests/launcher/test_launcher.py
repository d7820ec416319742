# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.launcher.sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox.make(tmp_path)


def test_first_start_sets_up_and_runs_the_command(sandbox: Sandbox) -> None:
    done = sandbox.run("keys", "list", "a b")
    assert (done.returncode, done.stdout) == (0, "cli keys list a b\n")
    assert done.stderr.splitlines() == ["muster: creating .venv", "muster: installing the project"]


def test_second_start_only_runs_the_command(sandbox: Sandbox) -> None:
    sandbox.run("keys")
    sandbox.calls("python")
    done = sandbox.run("keys")
    assert (done.stdout, done.stderr) == ("cli keys\n", "")
    assert sandbox.calls("python") == []


@pytest.mark.parametrize(
    ("verb", "extras"),
    [("sign", ""), ("build", ""), ("emulate", "[emulator]"), ("demo", "[emulator]"), ("test", "[emulator,dev]")],
)
def test_verb_installs_the_extras_it_needs(sandbox: Sandbox, verb: str, extras: str) -> None:
    assert sandbox.run(verb).returncode == 0
    assert sandbox.installs() == [extras]


def test_later_verb_adds_to_what_is_there(sandbox: Sandbox) -> None:
    sandbox.run("emulate")
    sandbox.run("test")
    sandbox.run("keys")
    sandbox.run("emulate")
    assert sandbox.installs() == ["[emulator]", "[emulator,dev]"]


@pytest.mark.parametrize(
    "name",
    ["pyproject.toml", "setup.py", "constraints.txt", "firmware/core/core.c", "ota_server/dashboard/assets/lock.json"],
)
def test_newer_source_of_the_installation_is_installed_again(sandbox: Sandbox, name: str) -> None:
    sandbox.run("emulate")
    sandbox.installs()
    sandbox.write(name, age_s=-100)
    sandbox.run("keys")
    # The extras that were there stay.
    assert sandbox.installs() == ["[emulator]"]


def test_compiler_is_installed_for_verbs_that_compile(sandbox: Sandbox) -> None:
    sandbox.run("keys")
    assert sandbox.calls("apt-get") == []
    assert sandbox.run("build").returncode == 0
    installs = [call for call in sandbox.calls("apt-get") if "install" in call]
    assert len(installs) == 1
    assert installs[0].endswith("-y gcc-arm-none-eabi libnewlib-arm-none-eabi")
    sandbox.run("build")
    assert sandbox.calls("apt-get") == []


def test_compiler_without_newlib_is_completed(sandbox: Sandbox) -> None:
    sandbox.program("arm-none-eabi-gcc", "#!/bin/sh\necho libc_nano.a\n")
    sandbox.run("build")
    assert any("libnewlib-arm-none-eabi" in call for call in sandbox.calls("apt-get"))


def test_test_installs_the_programs_that_the_tests_run(sandbox: Sandbox) -> None:
    sandbox.run("test")
    assert any(
        call.endswith("-y qemu-system-arm lrzsz chromium clang postgresql nginx-light libclang-rt-dev")
        for call in sandbox.calls("apt-get")
    )


def test_missing_venv_module_is_installed(sandbox: Sandbox) -> None:
    (sandbox.machine / "no-venv").touch()
    assert sandbox.run("keys").returncode == 0
    assert any("install" in call and "python3-venv" in call for call in sandbox.calls("apt-get"))


def test_user_who_may_not_install_is_told_the_command(sandbox: Sandbox) -> None:
    sandbox.program("id", "#!/bin/sh\necho 1000\n")
    sandbox.program("sudo", "#!/bin/sh\nexit 1\n")
    done = sandbox.run("build")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "sudo apt-get update && sudo apt-get install --no-install-recommends -y "
        "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    )
    assert sandbox.calls("apt-get") == []


def test_sudo_is_used_where_it_asks_for_no_password(sandbox: Sandbox) -> None:
    sandbox.program("id", "#!/bin/sh\necho 1000\n")
    sandbox.program("sudo", '#!/bin/sh\necho "sudo $*" >> "$CALLS"\nshift\nexec "$@"\n')
    assert sandbox.run("build").returncode == 0
    assert any("apt-get" in call and "install" in call for call in sandbox.calls("sudo"))


def test_machine_without_apt_get_is_told_what_is_needed(sandbox: Sandbox) -> None:
    (sandbox.machine / "bin" / "apt-get").unlink()
    done = sandbox.run("build")
    assert done.returncode == 1
    assert "are needed: gcc-arm-none-eabi libnewlib-arm-none-eabi" in done.stderr


def test_too_old_python_is_refused(sandbox: Sandbox) -> None:
    (sandbox.machine / "old-python").touch()
    done = sandbox.run("keys")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_failure_shows_the_end_of_the_log(sandbox: Sandbox) -> None:
    (sandbox.machine / "pip-fails").touch()
    done = sandbox.run("keys")
    assert done.returncode == 1
    assert "no such package: moonlight" in done.stderr
    assert done.stdout == ""


def test_start_after_a_failure_sets_up_again(sandbox: Sandbox) -> None:
    (sandbox.machine / "pip-fails").touch()
    sandbox.run("keys")
    (sandbox.machine / "pip-fails").unlink()
    assert sandbox.run("keys").stdout == "cli keys\n"


def test_half_made_venv_is_made_anew(sandbox: Sandbox) -> None:
    (sandbox.root / ".venv" / "bin").mkdir(parents=True)
    (sandbox.root / ".venv" / "bin" / "python").symlink_to(sandbox.machine / "gone")
    assert sandbox.run("keys").stdout == "cli keys\n"


def test_venv_of_another_folder_is_made_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.run("keys")
    moved = Sandbox(tmp_path / "moved", sandbox.machine)
    shutil.copytree(sandbox.root, moved.root, symlinks=True)
    assert "creating .venv" in moved.run("keys").stderr


def test_symlink_finds_the_checkout(sandbox: Sandbox) -> None:
    link = sandbox.machine / "muster"
    link.symlink_to(sandbox.root / "muster")
    assert sandbox.run("keys", launcher=link).stdout == "cli keys\n"
    assert (sandbox.root / ".venv" / "ready-core").exists()


def test_two_first_starts_at_once_set_up_once(sandbox: Sandbox) -> None:
    started = [sandbox.start("keys") for _ in range(4)]
    outputs = [process.communicate()[0] for process in started]
    assert outputs == ["cli keys\n"] * 4
    assert sandbox.installs() == [""]


def test_exit_code_is_that_of_the_command(sandbox: Sandbox) -> None:
    sandbox.run("keys")
    program = sandbox.root / ".venv" / "bin" / "muster"
    program.write_text("#!/bin/sh\nexit 3\n")
    assert sandbox.run("keys").returncode == 3
