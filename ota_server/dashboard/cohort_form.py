# SPDX-License-Identifier: Apache-2.0
"""A cohort as the fields of a form: all devices, a saved cohort, a group, rows of comparisons, or the expression."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ota_server.errors import Invalid
from ota_server.rollouts.attributes import HEALTH, Kind, attribute
from ota_server.rollouts.cohort import Both, Cohort, Compare, Either, Everyone, InGroup, Operator, Saved

ROWS_MAX = 8
EXPRESSION_MAX = 8000
"""Characters; devices in larger numbers go into a group."""
WHO = ("all", "cohort", "group", "rows", "json")


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison as it was typed."""

    field: str = ""
    how: str = Operator.IS.value
    value: str = ""


@dataclass(frozen=True, slots=True)
class CohortForm:
    """What was typed. `who` says which of the other fields count."""

    who: str = "all"
    cohort: str = ""
    group: str = ""
    join: str = "and"
    rows: tuple[Row, ...] = ()
    expression: str = ""

    @property
    def shown_rows(self) -> list[Row]:
        """Those that are filled, and empty ones to be filled."""
        return [*self.rows, *[Row()] * min(2, ROWS_MAX - len(self.rows))]

    def parse(self) -> Cohort:
        """The cohort that is meant. Raises Invalid with the name of an input."""
        match self.who:
            case "all":
                return Everyone()
            case "cohort":
                return self._named("cohort", self.cohort)
            case "group":
                return self._named("group", self.group)
            case "rows":
                return self._parse_rows()
            case "json":
                return _parse_text(self.expression)
        raise Invalid("choose which devices", "who")

    def fields(self) -> dict[str, str]:
        """The form's inputs, without those that are empty."""
        found = {"who": self.who, "cohort": self.cohort, "group": self.group, "join": self.join}
        found["expression"] = self.expression
        for number, row in enumerate(self.rows, 1):
            found |= {f"field{number}": row.field, f"how{number}": row.how, f"value{number}": row.value}
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of_fields(cls, given: Mapping[str, str]) -> CohortForm:
        """What came; rows without a field are left out."""
        rows = []
        for number in range(1, ROWS_MAX + 1):
            name, how, value = (given.get(f"{part}{number}", "")[:200].strip() for part in ("field", "how", "value"))
            rows += [Row(name, how or Operator.IS.value, value)] if name or value else []
        return cls(
            who=given.get("who", "all")[:10],
            cohort=given.get("cohort", "")[:64],
            group=given.get("group", "")[:64],
            join="or" if given.get("join") == "or" else "and",
            rows=tuple(rows),
            expression=given.get("expression", "")[: EXPRESSION_MAX + 1],
        )

    @classmethod
    def of_cohort(cls, cohort: Cohort) -> CohortForm:
        """To change one: as rows where it has that form, else as its expression."""
        match cohort:
            case Everyone():
                return cls()
            case Saved(name):
                return cls(who="cohort", cohort=name)
            case InGroup(name):
                return cls(who="group", group=name)
        parts = cohort.inside() if isinstance(cohort, Both | Either) else (cohort,)
        compared = [part for part in parts if isinstance(part, Compare)]
        if len(compared) == len(parts) <= ROWS_MAX:
            return cls(who="rows", join="or" if isinstance(cohort, Either) else "and", rows=tuple(map(_row, compared)))
        return cls(who="json", expression=json.dumps(cohort.to_json(), indent=1))

    def _named(self, kind: str, name: str) -> Cohort:
        if not name:
            raise Invalid(f"choose a {kind}", kind)
        try:
            return Cohort.from_json({kind: name})
        except Invalid as error:
            raise Invalid(f"there is no {kind} of this name", kind) from error

    def _parse_rows(self) -> Cohort:
        if not self.rows:
            raise Invalid("fill one row at least", "field1")
        parts = [_compare(number, row) for number, row in enumerate(self.rows, 1)]
        return parts[0] if len(parts) == 1 else (Either if self.join == "or" else Both)(tuple(parts))


def _compare(number: int, row: Row) -> Cohort:
    found = attribute(row.field)
    if found is None:
        raise Invalid("choose a field" if not row.field else f"there is no field {row.field[:40]}", f"field{number}")
    texts = [part.strip() for part in row.value.split(",")] if row.how == Operator.ONE_OF else [row.value]
    values = [_value(text, found.kind) for text in texts]
    try:
        return Cohort.from_json({"field": row.field, row.how: values if row.how == Operator.ONE_OF else values[0]})
    except Invalid as error:
        raise Invalid(str(error).removeprefix("cohort").lstrip(".: "), f"value{number}") from error


def _value(text: str, kind: Kind) -> object:
    """As JSON has it; what is of another kind stays a text, and is refused with words about it."""
    if kind is Kind.NUMBER and text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal():
        return int(text[:20])
    return {"true": True, "false": False}.get(text.lower(), text) if kind is Kind.TRUTH else text


def _parse_text(text: str) -> Cohort:
    if len(text) > EXPRESSION_MAX:
        raise Invalid(f"an expression has at most {EXPRESSION_MAX} characters here", "expression")
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"this is not JSON: {error}", "expression") from error
    try:
        return Cohort.from_json(found)
    except Invalid as error:
        raise Invalid(str(error), "expression") from error


def _row(part: Compare) -> Row:
    shown = [str(value).lower() if isinstance(value, bool) else str(value) for value in part.values]
    return Row(part.field, part.how.value, ", ".join(shown))


def field_names(names: list[str]) -> list[tuple[str, str]]:
    """Fields with their words, for a choice."""
    return [
        (name, name.removeprefix(HEALTH).replace("_", " ") + (" (health)" * name.startswith(HEALTH))) for name in names
    ]
