# SPDX-License-Identifier: Apache-2.0
"""Files and folders that commands read and write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from muster.errors import FileFault, ValueOutOfRange
from muster.keystore import KeyStore
from muster.user_folders import keys_folder

InputFile = click.Path(exists=True, dir_okay=False, path_type=Path)
OutputFile = click.Path(dir_okay=False, path_type=Path)


def open_keystore() -> KeyStore:
    """The user's development keys, made on first use."""
    return KeyStore.open(keys_folder(), os.urandom)


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        FileFault: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error


def read_text(path: Path) -> str:
    """A whole file as text.

    Raises:
        FileFault: it cannot be read, or is no text.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FileFault(f"{path} is not text") from error


def read_json(path: Path) -> dict[str, object]:
    """The object that a file holds.

    Raises:
        FileFault: it cannot be read.
        ValueOutOfRange: it holds none.
    """
    try:
        found = json.loads(read_bytes(path))
    except ValueError as error:
        raise ValueOutOfRange(f"{path} is no JSON") from error
    if not isinstance(found, dict):
        raise ValueOutOfRange(f"{path} holds no JSON object")
    return found


def write_bytes(path: Path, raw: bytes) -> None:
    """Writes a whole file or leaves the old one as it was.

    Raises:
        FileFault: it cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(raw)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise FileFault(f"cannot write {path}: {error.strerror}") from error


def hex_of(folder: Path) -> Path:
    """The one .hex file of a build folder.

    Raises:
        FileFault: it holds none, or several.
    """
    found = sorted(folder.glob("*.hex"))
    if len(found) != 1:
        count = len(found) or "no"
        raise FileFault(f"{folder} holds {count} .hex files, not one: give build/<product>/<platform>")
    return found[0]
