# SPDX-License-Identifier: Apache-2.0
"""Third-party C that is fetched from a package registry, checked by hash, and never committed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from muster.errors import EnvironmentFault, FileFault
from muster.user_folders import cache_folder


@dataclass(frozen=True, slots=True)
class SourcePackage:
    """A source distribution on the Python package index.

    Attributes:
        sha256: of the archive, in hexadecimal.
        files: which of its files are kept.
    """

    name: str
    version: str
    sha256: str
    files: tuple[str, ...]


MONOCYPHER = SourcePackage(
    name="pymonocypher",
    version="4.0.3.4",
    sha256="5e56e3d3eb770a53e0b9f6274146663c11a11f3d0de5cd48e3be0428d1b07a4a",
    files=("monocypher.c", "monocypher.h"),
)
"""Monocypher 4.0.3 (BSD-2-Clause or CC0), inside the source distribution of its Python binding."""


def monocypher_dir() -> Path:
    """The folder that holds monocypher.c and monocypher.h.

    Raises:
        EnvironmentFault: they are not in the cache and cannot be fetched, or are not what was pinned.
        FileFault: the cache cannot be written.
    """
    return fetch(MONOCYPHER, cache_folder("thirdparty"))


def fetch(package: SourcePackage, cache: Path) -> Path:
    """The folder of a package's files inside `cache`; fetched once, then never asked for again.

    Safe when several processes do it at the same time: the folder appears whole, under its hash.

    Raises:
        EnvironmentFault, FileFault: as `monocypher_dir`.
    """
    folder = cache / package.sha256
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
            archive = _download(package, Path(scratch))
            unpacked = Path(scratch) / "files"
            unpacked.mkdir()
            unpack(archive.read_bytes(), package, unpacked)
            try:
                unpacked.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
    except OSError as error:
        raise FileFault(f"cannot keep {package.name} in {cache}: {error.strerror}") from error
    return folder


def unpack(archive: bytes, package: SourcePackage, folder: Path) -> None:
    """Writes a package's files from its archive into `folder`.

    Raises:
        EnvironmentFault: the archive is not the pinned one, or lacks a file.
    """
    digest = hashlib.sha256(archive).hexdigest()
    if digest != package.sha256:
        raise EnvironmentFault(f"{package.name} {package.version} has SHA-256 {digest}, not {package.sha256}")
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz") as tar:
            for name in package.files:
                try:
                    member = tar.extractfile(f"{package.name}-{package.version}/{name}")
                except KeyError:
                    member = None
                if member is None:  # also for what is no file
                    raise EnvironmentFault(f"{package.name} {package.version} has no file {name}")
                with (folder / name).open("wb") as out:
                    shutil.copyfileobj(member, out)


def _download(package: SourcePackage, scratch: Path) -> Path:
    """Lets pip fetch the archive, from whichever registry this machine is set up for."""
    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [f"--no-binary={package.name}", "--require-hashes", "--dest", str(scratch), "-r", str(requirement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise EnvironmentFault(f"cannot fetch {package.name} {package.version}: {last}")
    return scratch / f"{package.name}-{package.version}.tar.gz"
