# SPDX-License-Identifier: Apache-2.0
"""`muster test`: linters, types, borders, then pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from muster.build.driver import source_root

WORKERS = 2
_CLANG_FORMAT = "from clang_format import clang_format; clang_format()"


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="Example: muster test --full tests/muster",
)
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def test(pytest_args: tuple[str, ...]) -> None:
    """Check style, types and borders, then run the tests.

    Arguments go to pytest; --full runs the long tests too.
    """
    root = source_root()
    failed = [name for name, arguments in _checks(root).items() if not _run(name, arguments, root)]
    passed = _run("pytest", ["-m", "pytest", f"--numprocesses={WORKERS}", *pytest_args], root)
    # pytest's own last line stays the last one.
    sys.exit(0 if passed and not failed else 1)


def _checks(root: Path) -> dict[str, list[str]]:
    """Arguments of this environment's Python for each check."""
    return {
        "style": ["-m", "ruff", "check", "."],
        "format": ["-m", "ruff", "format", "--check", "."],
        "format of C": ["-c", _CLANG_FORMAT, "--dry-run", "--Werror", *_c_files(root)],
        "types": ["-m", "mypy"],
        "borders": [
            "-c",
            "from importlinter.cli import lint_imports_command as main; main()",
            "--no-cache",
            "--no-logo",
        ],
    }


def _c_files(root: Path) -> list[str]:
    """The firmware's sources, and what is built with them for this machine."""
    folders = ("firmware", "tools/muster/native", "tests/host", "tests/e2e", "tests/ota_server/chaos")
    return sorted(str(path.relative_to(root)) for folder in folders for path in (root / folder).rglob("*.[ch]"))


def _run(name: str, arguments: list[str], root: Path) -> bool:
    """Runs one check and says whether it went well."""
    click.echo(f"== {name}")
    done = subprocess.run([sys.executable, *arguments], cwd=root, check=False)
    if done.returncode != 0 and name != "pytest":
        click.echo(f"== {name}: FAILED", err=True)
    return done.returncode == 0
