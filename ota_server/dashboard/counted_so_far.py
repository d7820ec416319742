# SPDX-License-Identifier: Apache-2.0
"""A count of a cohort's devices that goes on with the next request: as its address carries it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ota_server.errors import Invalid
from ota_server.numbers import ROW_MAX
from ota_server.rollouts.preview import SAMPLE, Preview

_Count = Annotated[int, Field(ge=0, le=ROW_MAX)]
_Why = Literal["expected", "quarantined", "denied", "development", "locked"]


@dataclass(frozen=True, slots=True)
class _Carried:
    of: _Count
    after: _Count
    left_out: list[tuple[_Why, _Count]]
    platforms: list[tuple[_Count | None, _Count]]
    versions: list[tuple[_Count | None, _Count]]
    rows: Annotated[list[_Count], Field(max_length=SAMPLE)]


_ADAPTER = TypeAdapter(_Carried)


def to_text(seen: Preview) -> str:
    """For an address."""
    # Pairs: JSON has no number, and no null, as a name.
    counted = {name: list(getattr(seen, name).items()) for name in ("left_out", "platforms", "versions")}
    plain = {"of": seen.of, "after": seen.after, **counted, "rows": seen.rows}
    return json.dumps(plain, separators=(",", ":"))


def from_text(text: str) -> Preview | None:
    """What an address says; None: nothing. Raises Invalid."""
    if not text:
        return None
    try:
        carried = _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise Invalid("the count so far cannot be read: begin it anew", "so_far") from error
    return Preview(
        carried.of,
        carried.after,
        left_out=Counter(dict(carried.left_out)),
        platforms=Counter(dict(carried.platforms)),
        versions=Counter(dict(carried.versions)),
        rows=list(carried.rows),
    )
