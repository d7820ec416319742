# SPDX-License-Identifier: Apache-2.0
"""A form that is shown again with what was typed, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from starlette.datastructures import FormData

from ota_server.errors import Invalid, ServerError

DAY_MS = 24 * 3600 * 1000
SECRET = frozenset({"password", "current_password", "form_token"})
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


def number(sent: FormData, name: str, most: int) -> int:
    """A field that is a whole number. Raises Invalid."""
    text = sent.get(name)
    if not isinstance(text, str) or not text.strip().isascii() or not text.strip().isdigit() or len(text.strip()) > 9:
        raise Invalid(f"give a whole number from 0 to {most:,}", name)
    return int(text)


def midnight(text: str, name: str) -> int | None:
    """When a day begins, in UTC. Raises Invalid."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("give a date, such as 2026-11-23", name) from error
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
