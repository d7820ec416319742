# SPDX-License-Identifier: Apache-2.0
"""Gets the peers: Python ones into an environment of their own, xdelta3 and zstd from Debian where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("delta_peers.txt")
_STAMP = "installed.txt"
_TOOLS = ("xdelta3", "zstd")


class SetupError(Exception):
    """A peer can not be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Where the peers are: a Python that imports them, and a folder for the PATH that holds the programs."""

    python: Path
    programs: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def install(folder: Path) -> Toolbox:
    """Makes `folder`/venv and `folder`/programs, once.

    Raises:
        SetupError: pip or apt-get do not deliver.
    """
    return Toolbox(_install_packages(folder / "venv"), install_programs(folder / "programs"))


def _install_packages(folder: Path) -> Path:
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(_REQUIREMENTS)])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def install_programs(folder: Path) -> Path:
    """Puts xdelta3 and zstd into `folder`: links to the machine's own, or the programs of Debian's packages.

    Raises:
        SetupError: one is missing and apt-get does not deliver it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TOOLS:
        if (folder / name).exists():
            continue
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
        else:
            _extract(name, folder)
    return folder


def _extract(name: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _run(["apt-get", "download", name], cwd=scratch)
            package = next(Path(scratch).glob(f"{name}_*.deb"))
            _run(["dpkg-deb", "--extract", str(package), scratch])
        except (SetupError, StopIteration) as error:
            help_text = (
                f"{name} is missing and apt-get does not deliver it: install the packages {' and '.join(_TOOLS)}"
            )
            raise SetupError(help_text) from error
        shutil.copy(Path(scratch) / "usr" / "bin" / name, folder / name)


def _run(command: list[str], cwd: str | None = None) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    except OSError as error:
        raise SetupError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise SetupError(f"{' '.join(command)}: {done.stderr.strip()}")
