# SPDX-License-Identifier: Apache-2.0
"""Times as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from ota_server.errors import Invalid

UTC_ZONE = "UTC"


def rfc3339(at_ms: int) -> str:
    """In UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_time_zone(name: object, field: str) -> str:
    """A name of the IANA time zone database. Raises Invalid."""
    if not isinstance(name, str) or name not in _zone_names():
        raise Invalid(f"{field} is a name of the time zone database, such as Europe/Madrid", field)
    return name


@cache
def zone(name: str) -> ZoneInfo:
    """UTC for a name that the database knows no more."""
    return ZoneInfo(name if name in _zone_names() else UTC_ZONE)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())
