# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all, whatever is cut short."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, raw: bytes) -> None:
    """Writes a file over the one that has its name, if there is one. Raises OSError: then nothing has changed."""
    scratch = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with scratch.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        # cut: before the rename the name is as it was; after it the bytes are whole.
        scratch.replace(path)
        sync_folder(path.parent)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
