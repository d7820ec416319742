# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from muster import thirdparty
from muster.errors import EnvironmentFault
from muster.thirdparty import MONOCYPHER, SourcePackage, fetch, monocypher_dir, unpack


def archive_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"stone-1/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


ARCHIVE = archive_of({"stone.c": b"int stone;\n", "stone.h": b"extern int stone;\n", "setup.py": b"raise SystemExit\n"})
STONE = SourcePackage("stone", "1", hashlib.sha256(ARCHIVE).hexdigest(), ("stone.c", "stone.h"))


def test_only_the_named_files_are_kept(tmp_path: Path) -> None:
    unpack(ARCHIVE, STONE, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "stone.c": b"int stone;\n",
        "stone.h": b"extern int stone;\n",
    }


def test_other_archive_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="has SHA-256"):
        unpack(ARCHIVE + b"\0", STONE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_archive_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"has no file pebble\.c"):
        unpack(ARCHIVE, replace(STONE, files=("pebble.c",)), tmp_path)


def test_what_is_in_the_cache_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(package: SourcePackage, scratch: Path) -> Path:
        calls.append(package.name)
        (scratch / "archive").write_bytes(ARCHIVE)
        return scratch / "archive"

    monkeypatch.setattr(thirdparty, "_download", download)
    first, second = (fetch(STONE, tmp_path / "cache") for _ in range(2))
    assert first == second == tmp_path / "cache" / STONE.sha256
    assert calls == ["stone"]
    # Nothing is left of the work but the folder itself.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [STONE.sha256]


def test_failed_download_leaves_nothing(tmp_path: Path) -> None:
    package = replace(STONE, name="muster-has-no-such-package")
    with pytest.raises(EnvironmentFault, match="cannot fetch muster-has-no-such-package 1: "):
        fetch(package, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_monocypher_is_what_was_pinned() -> None:
    folder = monocypher_dir()
    assert sorted(path.name for path in folder.iterdir()) == sorted(MONOCYPHER.files)
    assert b"crypto_eddsa_check_equation" in (folder / "monocypher.h").read_bytes()
