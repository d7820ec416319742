# SPDX-License-Identifier: Apache-2.0
"""Firmware images that the `uflash` releases on PyPI embed as Intel hex (MicroPython for the micro:bit)."""

from __future__ import annotations

import ast
import io
from pathlib import Path

from intelhex import IntelHex

from delta_training.recipe import RecipeError


def embedded_image(folder: Path) -> tuple[int, bytes]:
    """(load address, bytes) of the longest run of memory in the release's embedded image.

    Raises:
        RecipeError: there is none.
    """
    best = ""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".hex":
            text = path.read_text(encoding="ascii")
            best = max(best, text, key=len)
        elif path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip()[:1] == ":":
                    best = max(best, node.value, key=len)
    if len(best) < 10_000:
        raise RecipeError(f"no embedded image in {folder.name}")
    # Universal hex files of later releases hold one image per board, apart by records that IntelHex does not know.
    lines = [line.strip() for line in best.split() if line.strip()[7:9] in ("00", "01", "02", "03", "04", "05")]
    memory = IntelHex()
    memory.loadhex(io.StringIO("\n".join(lines) + "\n"))
    start, end = max(memory.segments(), key=lambda segment: segment[1] - segment[0])
    return start, memory.tobinstr(start=start, size=end - start)
