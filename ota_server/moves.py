# SPDX-License-Identifier: Apache-2.0
"""Status columns: which value may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from ota_server.errors import Conflict

S = TypeVar("S", bound=StrEnum)

Moves = Mapping[S, frozenset[S]]


def check_move(moves: Moves[S], subject: str, before: S, after: S) -> None:
    """Raises Conflict unless a table of moves allows this one."""
    if after not in moves[before]:
        allowed = ", ".join(sorted(moves[before])) or "nothing"
        raise Conflict(f"{subject} is {before} and cannot become {after} (from here: {allowed})")
