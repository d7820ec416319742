# SPDX-License-Identifier: Apache-2.0
"""A form that is shown again with what was typed, and what was wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from starlette.datastructures import FormData

from ota_server.errors import Invalid, ServerError
from ota_server.numbers import VERSION_MAX, digits

DAY_MS = 24 * 3600 * 1000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECRET = frozenset({"password", "again", "current_password", "form_token"})
"""Fields that are typed anew."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What came with one form of a page; nothing when a page is opened.

    Attributes:
        form: which form of the page.
        fields: as they were typed.
        error: why nothing was done.
    """

    form: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    error: ServerError | None = None

    @property
    def status(self) -> int:
        return 200 if self.error is None else self.error.status

    def value(self, form: str, name: str, kept: object = "") -> object:
        """What a field shows: what was typed there, otherwise what is kept."""
        return self.fields.get(name, "") if form == self.form else kept

    def wrong(self, form: str, name: str) -> str:
        """What is wrong with a field."""
        return str(self.error) if self.error is not None and form == self.form and self.error.field == name else ""

    def wrong_at_all(self, form: str, names: list[str]) -> str:
        """What is wrong with the form, and with none of these fields."""
        is_here = self.error is not None and form == self.form and self.error.field not in names
        return str(self.error) if is_here else ""


def filled(form: str, sent: FormData, error: ServerError) -> Filled:
    """The form again."""
    fields = {name: value for name, value in sent.items() if isinstance(value, str) and name not in SECRET}
    return Filled(form, fields, error)


def whole(text: str, name: str, most: int, least: int = 0, words: str = "") -> int:
    """A field that is a whole number. `words`: what is asked for, where that is more than a number. Raises Invalid."""
    found = digits(text.strip(), most, least)
    if found is None:
        raise Invalid(words or f"give a whole number from {least} to {most:,}", name)
    return found


def number(sent: FormData, name: str, most: int) -> int:
    """The same of a form that was sent. Raises Invalid."""
    text = sent.get(name)
    return whole(text if isinstance(text, str) else "", name, most)


def version_number(text: str, name: str, words: str = "") -> int:
    """A field that is a release's version. Raises Invalid."""
    return whole(text, name, VERSION_MAX, words=words or f"a version is a number from 0 to {VERSION_MAX}")


def share(text: str, name: str) -> float:
    """A field in percent, more than none and less than all. Raises Invalid."""
    found = float(text) / 100 if re.fullmatch(r"[0-9]{1,2}(\.[0-9]{0,8})?", text) else 0
    if not 0.0001 <= found <= 0.9999:
        raise Invalid("a share in percent from 0.01 to 99.99", name)
    return found


def midnight(text: str, name: str) -> int | None:
    """When a day begins, in UTC. Raises Invalid."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise Invalid("give a date, such as 2026-11-23", name)
    return (day - _EPOCH) // timedelta(milliseconds=1)
