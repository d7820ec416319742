# SPDX-License-Identifier: Apache-2.0
"""Times in queries: RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator


def _no_number(text: object) -> object:
    """pydantic takes seconds since 1970 for a time as well."""
    if isinstance(text, str) and re.fullmatch(r"[-+0-9.eE]*", text):
        raise ValueError("give a date and time, such as 2026-11-23T08:00:00Z")
    return text


Time = Annotated[datetime, BeforeValidator(_no_number)]


def ms_of(at: datetime | None) -> int | None:
    """Unix time in milliseconds. A time without a zone is in UTC."""
    if at is None:
        return None
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)
