# SPDX-License-Identifier: Apache-2.0
"""Writes the golden vectors of image/, boot/, patch/ and serial/. A test holds the committed files against it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.vectors.boot_cases import boot_files
from tests.vectors.image_cases import image_files
from tests.vectors.patch_cases import patch_files
from tests.vectors.reading import FOLDER, Case
from tests.vectors.serial_cases import serial_files


def files() -> dict[str, str]:
    """Every generated file: its path below this folder, and its text."""
    made: dict[str, tuple[str, list[Case]]] = {
        **image_files(),
        **boot_files(),
        **patch_files(),
        **serial_files(),
    }
    return {path: _text(about, cases) for path, (about, cases) in made.items()}


def _text(about: str, cases: list[Case]) -> str:
    lines = ",\n".join(json.dumps(case) for case in cases)
    return f'{{"about": {json.dumps(about)}, "cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    for path, text in files().items():
        (FOLDER / path).write_text(text)
