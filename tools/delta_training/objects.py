# SPDX-License-Identifier: Apache-2.0
"""Compiles one version of a library for Cortex-M; every object is compiled once and kept under its inputs' hash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from delta_training.recipe import Corpus, Edit, Library, RecipeError, Release, fingerprint, matches_any
from delta_training.sources import unpacked

_CC = "arm-none-eabi-gcc"
_USUAL = (
    "-mcpu=cortex-m3",
    "-mthumb",
    "-Os",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "--specs=nano.specs",
    "-w",
)
_CXX = ("-std=gnu++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit")
_C = ("-std=gnu11",)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Where things are kept, and who does the work.

    Attributes:
        folder: the cache of archives, sources and objects.
    """

    corpus: Corpus
    folder: Path
    workers: Executor


def library_objects(
    tools: Toolbox, library: Library, version: str, flags: Sequence[str], edits: Sequence[Edit]
) -> list[Path]:
    """The object files of a library, in the order of their sources' names.

    Raises:
        RecipeError: an edit does not fit, or a source does not compile.
    """
    release = library.releases[version]
    root = unpacked(tools.corpus.archives[release.archive], tools.folder)
    if not (root / release.folder).is_dir():
        raise RecipeError(f"{library.name} {version}: no folder {release.folder}")
    files = source_files(root / release.folder, library, release)
    if not files:
        raise RecipeError(f"{library.name} {version}: no sources")
    common = [edit for edit in edits if edit.file not in files]
    headers = _headers(tools.folder, library, root / release.folder)
    plain_key = (release.archive, tools.corpus.archives[release.archive].sha256, release.folder)
    edited = _edited(tools.folder, root / release.folder, plain_key, edits) if edits else root / release.folder
    waiting: list[Future[Path]] = []
    for file in files:
        own = [edit for edit in edits if edit.file == file]
        language = _C if file.endswith(".c") else _CXX
        options = (*_USUAL, *language, *library.flags, *flags)
        key = fingerprint(
            compiler_version(),
            plain_key,
            file,
            common,
            own,
            options,
            library.include,
            sorted(library.files.items()),
            sorted(library.templates.items()),
        )
        output = tools.folder / "objects" / key[:2] / f"{key}.o"
        folders = [
            headers,
            *((root / release.folder if name.startswith("..") else edited) / name for name in library.include),
        ]
        command = [
            _CC,
            *options,
            f"-frandom-seed={file}",
            f"-ffile-prefix-map={edited}=src",
            *(f"-I{folder}" for folder in folders),
            "-c",
            str(edited / file),
        ]
        waiting.append(tools.workers.submit(compile_once, command, output))
    return [future.result() for future in waiting]


def compile_once(command: Sequence[str], output: Path) -> Path:
    """Runs a compiler unless its output is there already; the output appears whole."""
    if not output.is_file():
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=output.parent, suffix=".part")
        os.close(handle)
        done = subprocess.run([*command, "-o", name], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            Path(name).unlink()
            raise RecipeError(f"{command[-1]} does not compile:\n{done.stderr[:1500]}")
        Path(name).rename(output)
    return output


@cache
def compiler_version() -> str:
    """What the compiler says of itself; part of every key.

    Raises:
        RecipeError: there is no compiler.
    """
    try:
        done = subprocess.run([_CC, "--version"], capture_output=True, text=True, check=True)
    except OSError as error:
        raise RecipeError(f"{_CC} is missing") from error
    return done.stdout.splitlines()[0]


def source_files(folder: Path, library: Library, release: Release) -> list[str]:
    """Sources inside a release's folder, as POSIX paths in sorted order."""
    found: set[str] = set()
    for pattern in release.sources or library.sources:
        found.update(path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file())
    exclude = (*library.exclude, *release.exclude)
    return sorted(file for file in found if not any(matches_any(name, exclude) for name in (file, Path(file).name)))


def apply_edit(text: str, edit: Edit) -> str:
    """Raises RecipeError unless the text to be replaced is there exactly once."""
    count = text.count(edit.find)
    if count != 1:
        raise RecipeError(f"{edit.library}/{edit.file}: {edit.find!r} occurs {count} times")
    return text.replace(edit.find, edit.replace)


def _headers(cache_folder: Path, library: Library, root: Path) -> Path:
    """A folder with the headers that a library's user or its build would make."""
    made = dict(library.files)
    for name, (template, values) in library.templates.items():
        text = (root / template).read_text(encoding="utf-8")
        made[name] = _filled_in(text, values)
    folder = cache_folder / "headers" / fingerprint(library.name, sorted(made.items()))
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, text in made.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_text(text, encoding="utf-8")
        scratch.rename(folder)
    return folder


def _filled_in(template: str, values: Mapping[str, str]) -> str:
    return re.sub("@([A-Za-z0-9_]+)@", lambda word: values.get(word[1], "1"), template)


def _edited(cache_folder: Path, plain: Path, key: tuple[str, ...], edits: Sequence[Edit]) -> Path:
    """A copy of a source folder (hard links) in which the edited files are other ones."""
    folder = cache_folder / "edited" / fingerprint(key, edits)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copytree(plain, scratch / "tree", copy_function=os.link, symlinks=True)
        for edit in edits:
            path = scratch / "tree" / edit.file
            if not path.is_file():
                raise RecipeError(f"{edit.library}: no file {edit.file}")
            text = path.read_text(encoding="latin-1")
            path.unlink()
            path.write_text(apply_edit(text, edit), encoding="latin-1")
        (scratch / "tree").rename(folder)
        scratch.rmdir()
    return folder
