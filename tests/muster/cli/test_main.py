# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from muster.cli.main import COMMANDS, LazyCommand, MusterGroup, load_command, main
from muster.errors import ImageRefused, MusterError
from muster.status import OtaStatus


def _all_commands() -> list[tuple[str, click.Command]]:
    found = []
    for name, lazy in COMMANDS.items():
        command = load_command(lazy)
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {child}", inner) for child, inner in command.commands.items()]
    return found


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_in_the_table_is_the_commands_own(name: str) -> None:
    command = load_command(COMMANDS[name])
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name].help


@pytest.mark.parametrize(("name", "command"), _all_commands(), ids=[name for name, _ in _all_commands()])
def test_every_command_has_help_and_an_example(name: str, command: click.Command) -> None:
    assert command.help
    assert command.epilog is not None
    assert command.epilog.startswith(f"Example: muster {name.split()[0]}")


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in result.output


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from muster.cli.main import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'cryptography', 'cbor2', 'rich', 'jinja2', 'unicorn', 'elftools', 'intelhex', 'SCons', 'serial'}\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "commands = {name for name in sys.modules if name.startswith('muster.cli.') and name != 'muster.cli.main'}\n"
        "print(sorted((heavy & loaded) | commands), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version_is_printed() -> None:
    result = CliRunner().invoke(main, ["--version"], prog_name="muster")
    assert result.exit_code == 0
    assert result.output.startswith("muster 0.")


def test_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == 2
    assert "No such command" in result.output


def _group(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> click.Group:
    @click.group(cls=MusterGroup)
    def group() -> None:
        pass

    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "fail", LazyCommand("tests:fail", "Fails."))
    monkeypatch.setattr("muster.cli.main.load_command", lambda lazy: fail)
    return group


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MusterError("what\n  went wrong"), "error: what went wrong\n"),
        (ImageRefused("no", OtaStatus.ERR_PRODUCT), "error: no (OTA_ERR_PRODUCT)\n"),
    ],
)
def test_error_is_one_line_and_exit_code_1(error: MusterError, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(_group(monkeypatch, error), ["fail"])
    assert result.exit_code == 1
    assert result.stderr == line
    assert result.stdout == ""


def test_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(_group(monkeypatch, KeyboardInterrupt()), ["fail"])
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"


def test_our_own_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(_group(monkeypatch, ZeroDivisionError()), ["fail"])
    assert isinstance(result.exception, ZeroDivisionError)
