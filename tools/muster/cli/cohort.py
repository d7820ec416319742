# SPDX-License-Identifier: Apache-2.0
"""`muster cohort`."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from muster.cli.files import InputFile, read_json, read_text
from muster.cli.options import together
from muster.cli.output import json_option, print_facts
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject
from muster.errors import ValueOutOfRange
from muster.inspection import Facts

F = TypeVar("F", bound=Callable[..., Any])

_TEXTS = ("platform", "tag", "country", "serial_number")
"""Fields whose values are never numbers."""
_DIGITS_MAX = 16


class WhereType(click.ParamType[JsonObject]):
    """FIELD OPERATOR VALUE[,VALUE...]."""

    name = "comparison"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> JsonObject:
        parts = str(value).split(maxsplit=2)
        if len(parts) != 3:
            self.fail(f"{value!r} is not FIELD OPERATOR VALUE, such as 'version at_least 2'", param, ctx)
        field, operator, text = parts
        values = [_value(field, word.strip()) for word in text.split(",")]
        return {"field": field, operator: values if operator == "one_of" else values[0]}


def cohort_options(command: F) -> F:
    """Adds the options of a cohort; the command gets them as one argument, `cohort`; None when none is given."""

    @functools.wraps(command)
    def with_cohort(
        *,
        expression: Path | None,
        devices: Path | None,
        groups: tuple[str, ...],
        saved: tuple[str, ...],
        where: tuple[JsonObject, ...],
        **others: Any,
    ) -> Any:
        parts: list[JsonObject] = []
        if expression is not None:
            parts.append(read_json(expression))
        if devices is not None:
            parts.append({"devices": read_text(devices).split()})
        parts += [{"group": name} for name in groups]
        parts += [{"cohort": name} for name in saved]
        parts += where
        cohort: JsonObject | None = None
        if parts:
            cohort = parts[0] if len(parts) == 1 else {"and": parts}
        return command(cohort=cohort, **others)

    options = together(
        click.option("--expression", type=InputFile, help="JSON file with an expression (docs/howto/rollouts.md)."),
        click.option("--devices", type=InputFile, help="File with the ids of devices."),
        click.option("--group", "groups", multiple=True, help="Devices of this group; may be given again."),
        click.option("--cohort", "saved", multiple=True, help="Devices of this saved cohort; may be given again."),
        click.option(
            "--where",
            type=WhereType(),
            multiple=True,
            metavar="COMPARISON",
            help="Devices of which this is so: 'version at_least 2', 'country one_of DE,FR'; may be given again.",
        ),
    )
    return options(with_cohort)  # type: ignore[return-value]  # the same command with other options


@click.group(epilog="Example: muster cohort create beta --where 'tag is beta' --where 'version at_least 2'")
def cohort() -> None:
    """Save, show, preview and remove cohorts of devices."""


@cohort.command("list", epilog="Example: muster cohort list")
@product_option
@server_options
@json_option
def list_cohorts(product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """List a product's saved cohorts."""
    with open_client(url, token_file) as client:
        found = client.cohorts(product_id(client, product))
    if as_json:
        click.echo(json.dumps({"cohorts": found}, indent=2))
        return
    for item in found:
        click.echo(f"{item['name']:<24} {item['in_words']}")
    if not found:
        click.echo("no cohorts yet: muster cohort create saves one")


@cohort.command(epilog="Example: muster cohort show beta")
@click.argument("name")
@product_option
@server_options
@json_option
def show(name: str, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show a saved cohort, and the rollouts that will start with it."""
    with open_client(url, token_file) as client:
        _print(client.cohort(product_id(client, product), name), as_json)


@cohort.command(epilog="Example: muster cohort create lab --group lab --description 'The boards on the wall.'")
@click.argument("name")
@click.option("--description", help="What to know about it.")
@click.option("--replace", is_flag=True, help="Change a saved one; rollouts that have started keep what it was.")
@cohort_options
@product_option
@server_options
@json_option
def create(
    name: str,
    description: str | None,
    replace: bool,
    cohort: JsonObject | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Save a cohort: the devices of which all that is given is so."""
    expression = _given(cohort)
    with open_client(url, token_file) as client:
        number = product_id(client, product)
        if replace:
            kept: JsonObject = {} if description is None else {"description": description}
            made = client.change_cohort(number, name, {"cohort": expression, **kept})
        else:
            made = client.create_cohort(number, name, expression, description or "")
    _print(made, as_json)


@cohort.command(epilog="Example: muster cohort preview --cohort beta --where 'country is DE'")
@cohort_options
@product_option
@server_options
@json_option
def preview(cohort: JsonObject | None, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Count the devices of which all that is given is so, and show ten of them."""
    with open_client(url, token_file) as client:
        found = client.preview(product_id(client, product), _given(cohort))
    print_facts(cast(Facts, found), as_json)


@cohort.command(epilog="Example: muster cohort delete beta")
@click.argument("name")
@product_option
@server_options
def delete(name: str, product: int | None, url: str, token_file: Path | None) -> None:
    """Remove a saved cohort that no rollout will start with."""
    with open_client(url, token_file) as client:
        client.delete_cohort(product_id(client, product), name)
    click.echo(f"{name} is removed")


def _given(cohort: JsonObject | None) -> JsonObject:
    if cohort is None:
        raise ValueOutOfRange("say which devices: --where, --group, --devices, --cohort or --expression")
    return cohort


def _value(field: str, word: str) -> object:
    if field in _TEXTS:
        return word
    if word in ("true", "false"):
        return word == "true"
    digits = word.removeprefix("-")
    return int(word) if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX else word


def _print(facts: JsonObject, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    expression = json.dumps(facts["cohort"])
    shown = {**facts, "cohort": expression if len(expression) < 1000 else f"{expression[:1000]} ..."}
    print_facts(cast(Facts, shown), as_json=False)
