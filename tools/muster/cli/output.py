# SPDX-License-Identifier: Apache-2.0
"""Prints facts: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from muster.inspection import JsonValue

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print the facts as JSON."
)


def print_facts(facts: Mapping[str, JsonValue], as_json: bool) -> None:
    """Prints facts to standard output."""
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for line in fact_lines(facts):
            click.echo(line)


def fact_lines(facts: Mapping[str, JsonValue], indent: str = "") -> list[str]:
    """A table of names and values; what is nested stands below its name, further in."""
    width = max((len(name) for name in facts), default=0)
    lines = []
    for name, value in facts.items():
        title = name.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{indent}{title}", *fact_lines(value, indent + "  ")]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            lines.append(f"{indent}{title}")
            lines += [f"{indent}  {_row(item)}" for item in value]
        else:
            lines.append(f"{indent}{title:<{width}}  {_text(value)}")
    return lines


def _row(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name.replace('_', ' ')} {_text(item)}" for name, item in value.items())
    return _text(value)


def _text(value: JsonValue) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) if value else "none"
    return str(value)
