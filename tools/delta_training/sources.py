# SPDX-License-Identifier: Apache-2.0
"""Fetches the archives that `corpus.toml` pins, and unpacks them once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from delta_training.recipe import Archive, RecipeError

_BACKENDS = (
    "setuptools.build_meta",
    "mesonpy",
    "hatchling.build",
    "scikit_build_core.build",
    "flit_core.buildapi",
    "poetry.core.masonry.api",
    "poetry.masonry.api",
)

_BACKEND = '''\
"""Answers pip's question for name and version from PKG-INFO, so that a download runs no code of the package."""
import email, pathlib, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    head = email.message_from_string(pathlib.Path("PKG-INFO").read_text(encoding="utf-8"))
    name, version = head["Name"], head["Version"]
    folder = pathlib.Path(metadata_directory) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise SystemExit("nothing is built here")

__legacy__ = sys.modules[__name__]
'''


def unpacked(archive: Archive, cache: Path) -> Path:
    """The folder with an archive's files (its only top folder, when it has just one); fetched once.

    Raises:
        RecipeError: it cannot be fetched, or is not what was pinned.
    """
    folder = cache / "sources" / archive.sha256[:24]
    if not folder.is_dir():
        file = fetched(archive, cache)
        scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".unpack-"))
        try:
            _unpack(file, scratch / "files")
            folder.parent.mkdir(parents=True, exist_ok=True)
            top = list((scratch / "files").iterdir())
            (top[0] if len(top) == 1 and top[0].is_dir() else scratch / "files").rename(folder)
        finally:
            shutil.rmtree(scratch)
    return folder


def fetched(archive: Archive, cache: Path) -> Path:
    """An archive as its registry has it; fetched once, by pip or apt-get as they are set up here.

    Raises:
        RecipeError: it cannot be fetched, or is not what was pinned.
    """
    folder = cache / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / archive.sha256
    if not kept.is_file():
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
            download = {"pypi": _from_pypi, "debian": _from_debian}[archive.registry]
            file = download(archive, Path(scratch))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest != archive.sha256:
                raise RecipeError(f"{archive.name} has SHA-256 {digest}, not {archive.sha256}")
            file.rename(kept)
    return kept


def _from_pypi(archive: Archive, scratch: Path) -> Path:
    backends = scratch / "backends"
    for backend in _BACKENDS:
        module = backends / (backend.replace(".", "/") + ".py")
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(_BACKEND, encoding="utf-8")
        for parent in module.relative_to(backends).parents[:-1]:
            (backends / parent / "__init__.py").touch()  # else an installed package of that name would be found first
    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary=:all:", "--no-build-isolation", "--ignore-requires-python", "--require-hashes"]
    command += ["--dest", str(scratch / "out"), "-r", str(requirement)]
    _run(archive, command, scratch, {"PYTHONPATH": str(backends)})
    return _only_file(archive, scratch / "out", "*")


def _from_debian(archive: Archive, scratch: Path) -> Path:
    """Lets apt fetch it with lists of its own: the machine's may name no source packages."""
    parts = scratch / "parts"
    out = scratch / "out"
    for folder in (parts, scratch / "lists/partial", scratch / "cache/archives/partial", out):
        folder.mkdir(parents=True)
    machine = Path("/etc/apt")
    for file in sorted([machine / "sources.list", *machine.glob("sources.list.d/*")]):
        if file.suffix == ".sources" and file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            text = "\n".join("Types: deb-src" if line.startswith("Types:") else line for line in lines)
            (parts / file.name).write_text(text + "\n", encoding="utf-8")
        elif file.suffix == ".list" and file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            text = "\n".join("deb-src " + line[4:] for line in lines if line.startswith("deb "))
            (parts / file.name).write_text(text + "\n", encoding="utf-8")
    options = ["Dir::Etc::SourceList=/dev/null", f"Dir::Etc::SourceParts={parts}", "APT::Sandbox::User="]
    options += [f"Dir::State::Lists={scratch / 'lists'}", f"Dir::Cache={scratch / 'cache'}"]
    apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
    _run(archive, [*apt, "update"], out, {})
    wanted = f"{archive.package}={archive.version}"
    _run(archive, [*apt, "source", "--download-only", "--tar-only", "--only-source", wanted], out, {})
    return _only_file(archive, out, "*.orig.tar.*")


def _run(archive: Archive, command: list[str], folder: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=dict(os.environ, **variables), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RecipeError(f"cannot fetch {archive.name}: {last}")


def _only_file(archive: Archive, folder: Path, pattern: str) -> Path:
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise RecipeError(f"{archive.name}: one archive was expected, {len(files)} came")
    return files[0]


def _unpack(file: Path, folder: Path) -> None:
    folder.mkdir()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)  # noqa: S202 - pinned by hash; zipfile keeps inside the folder
    else:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
