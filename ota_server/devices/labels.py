# SPDX-License-Identifier: Apache-2.0
"""What people tell the server about where and what a device is: tags and a country."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import ColumnElement, literal

from ota_server.devices.models import devices
from ota_server.errors import Invalid

TAG = re.compile(r"[a-z0-9_-]{1,32}")
COUNTRY = re.compile(r"[A-Z]{2}")
TAGS_MAX = 20


def tags_text(tags: Collection[str]) -> str:
    """Tags as their column has them: by name, with spaces between. Raises Invalid."""
    if len(set(tags)) > TAGS_MAX:
        raise Invalid(f"a device has at most {TAGS_MAX} tags", "tags")
    if not all(TAG.fullmatch(tag) for tag in tags):
        raise Invalid("a tag has 1 to 32 lower-case letters, digits, _ and -", "tags")
    return " ".join(sorted(set(tags)))


def country_code(country: str) -> str | None:
    """A country; nothing for an empty text. Raises Invalid."""
    code = country.upper()
    if code and not COUNTRY.fullmatch(code):
        raise Invalid("a country is a code of two letters (ISO 3166), such as DE", "country")
    return code or None


def has_tag(tag: str) -> ColumnElement[bool]:
    """Whether a row of devices has a tag."""
    spaced = literal(" ") + devices.c.tags + literal(" ")
    return spaced.contains(f" {tag} ", autoescape=True)
