# SPDX-License-Identifier: Apache-2.0
"""Where this user's files lie (XDG Base Directory Specification). For the edges: command line, build and fetching."""

from __future__ import annotations

import os
from pathlib import Path


def keys_folder() -> Path:
    """The development keys: $MUSTER_KEYS, else $XDG_DATA_HOME/muster/keys, by default under ~/.local/share."""
    chosen = os.environ.get("MUSTER_KEYS")
    return Path(chosen).absolute() if chosen else _base("XDG_DATA_HOME", ".local/share") / "muster" / "keys"


def data_folder() -> Path:
    """What a user would miss: $XDG_DATA_HOME/muster, by default under ~/.local/share."""
    return _base("XDG_DATA_HOME", ".local/share") / "muster"


def config_folder() -> Path:
    """What says how the user works: $XDG_CONFIG_HOME/muster, by default under ~/.config."""
    return _base("XDG_CONFIG_HOME", ".config") / "muster"


def cache_folder(purpose: str) -> Path:
    """What can be made or fetched again: $XDG_CACHE_HOME/muster/<purpose>, by default under ~/.cache."""
    return _base("XDG_CACHE_HOME", ".cache") / "muster" / purpose


def _base(variable: str, default: str) -> Path:
    # A relative path is to be ignored, says the specification.
    chosen = os.environ.get(variable, "")
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / default
