# SPDX-License-Identifier: Apache-2.0
"""Where `muster login` keeps access tokens: the system's keyring, or a file of the user's where there is none."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import keyring
from keyring.errors import KeyringError

from muster.errors import FileFault
from muster.user_folders import config_folder

_SERVICE = "muster"


def tokens_file() -> Path:
    """The file, readable by its owner alone: {"server's address": "token"}."""
    return config_folder() / "tokens.json"


def save(url: str, token: str) -> str:
    """Keeps the token of a server; returns where, in words. Raises FileFault."""
    url = url.rstrip("/")
    try:
        keyring.set_password(_SERVICE, url, token)
    except KeyringError:
        _write({**_read(), url: token})
        return str(tokens_file())
    # One place only: what an earlier sign-in left in the file must not come back.
    if url in _read():
        _write({key: value for key, value in _read().items() if key != url})
    return "the system's keyring"


def load(url: str) -> str | None:
    """The token of a server. Raises FileFault."""
    url = url.rstrip("/")
    with contextlib.suppress(KeyringError):
        kept = keyring.get_password(_SERVICE, url)
        if kept is not None:
            return kept
    return _read().get(url)


def forget(url: str) -> None:
    """Raises FileFault."""
    url = url.rstrip("/")
    with contextlib.suppress(KeyringError):
        keyring.delete_password(_SERVICE, url)
    kept = _read()
    if kept.pop(url, None) is not None:
        _write(kept)


def _read() -> dict[str, str]:
    path = tokens_file()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileFault(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise FileFault(f"{path} is damaged: remove it and sign in again") from error
    if not isinstance(found, dict):
        raise FileFault(f"{path} is damaged: remove it and sign in again")
    return {str(key): str(value) for key, value in found.items()}


def _write(tokens: dict[str, str]) -> None:
    path = tokens_file()
    near = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(near, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(tokens, file)
        near.replace(path)
    except OSError as error:
        raise FileFault(f"cannot write {path}: {error.strerror}") from error
