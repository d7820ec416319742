# SPDX-License-Identifier: Apache-2.0
"""Times as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at_ms: int) -> str:
    """In UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
