# SPDX-License-Identifier: Apache-2.0
"""A file is written whole, or is what it was before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ota_server.storage.files import write_whole


def test_file_is_written_over_the_one_before(tmp_path: Path) -> None:
    for raw in (b"first", b"second"):
        write_whole(tmp_path / "file", raw)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", raw)]


def test_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "file", b"first")

    def fail(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"first")]
