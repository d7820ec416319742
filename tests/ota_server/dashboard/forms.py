# SPDX-License-Identifier: Apache-2.0
"""Pages' forms as a browser without JavaScript sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """What a form sends when nobody touches it, and where to."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found.get("action", ""), found.get("method", "get")))
        if not self.forms:
            return
        fields, name = self.forms[-1].fields, found.get("name", "")
        if tag == "input" and name:
            if found.get("type") not in ("radio", "checkbox") or "checked" in found:
                fields[name] = found.get("value", "on")
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in found or self._select not in fields):
            fields[self._select] = found.get("value", "")
        elif tag == "textarea":
            self._text = name
            fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.forms[-1].fields[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""


def form_of(page: str, action: str) -> Form:
    """The form of a page whose address ends so."""
    reader = _Reader()
    reader.feed(page)
    return next(form for form in reader.forms if form.action.endswith(action))
