# SPDX-License-Identifier: Apache-2.0
"""`muster rollout`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.cli.cohort import cohort_options
from muster.cli.files import InputFile, read_json
from muster.cli.forecast import forecast, simulate
from muster.cli.options import Decorator
from muster.cli.output import fact_lines, json_option
from muster.cli.schedule import schedule_options
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import JsonObject, Stage
from muster.inspection import JsonValue


class StageType(click.ParamType[Stage]):
    """PERCENT:MIN_CONFIRMED[:MAX_FAILURES]."""

    name = "stage"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Stage:
        parts = str(value).split(":")
        if len(parts) in (2, 3) and all(part.isdecimal() for part in parts):
            return Stage(int(parts[0]), int(parts[1]), int(parts[2]) if len(parts) == 3 else 0)
        return self.fail(f"{value!r} is not PERCENT:MIN_CONFIRMED or PERCENT:MIN_CONFIRMED:MAX_FAILURES", param, ctx)


def _stage_option(text: str) -> Decorator:
    form = "PERCENT:CONFIRMED[:FAILURES]"
    return click.option("--stage", "stages", type=StageType(), multiple=True, metavar=form, help=text)


@click.group(epilog="Example: muster rollout create --version 2 --stage 10:50:2 --stage 100:900:10 --start")
def rollout() -> None:
    """Make, start, pause and show rollouts of a server."""


rollout.add_command(forecast)
rollout.add_command(simulate)


@rollout.command(epilog="Example: muster rollout create --version 2 --stage 10:50:2 --stage 100:900:10 --start")
@click.option("--version", type=click.IntRange(1, 65_534), help="The release to bring out.")
@_stage_option(
    "A share of the devices; ends at so many confirmed boots, pauses above so many failures. May be given again."
)
@click.option("--file", type=InputFile, help="JSON file with all that a rollout has; options replace what it says.")
@cohort_options
@click.option("--name", help="What to call it.")
@click.option("--salt", help="32 hexadecimal digits that spread the devices. [default: random]")
@click.option("--start", is_flag=True, help="Start it, at once or when its schedule says.")
@schedule_options
@product_option
@server_options
@json_option
def create(
    version: int | None,
    stages: tuple[Stage, ...],
    file: Path | None,
    cohort: JsonObject | None,
    name: str | None,
    salt: str | None,
    start: bool,
    schedule: JsonObject,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Make a rollout.

    Without options for a cohort, its stages reach all devices; with them, those of which all that is given is so.
    """
    plan = read_json(file) if file is not None else {}
    reach: JsonObject = {} if cohort is None else {"cohort": cohort}
    given = {
        "version": version,
        "name": name,
        "salt": salt,
        "schedule": schedule or None,
        "stages": [{**stage.to_json(), **reach} for stage in stages] or None,
    }
    plan |= {key: value for key, value in given.items() if value is not None}
    if cohort is not None and not stages:
        raise click.UsageError("a cohort needs stages: give --stage")
    if not {"version", "stages"} <= plan.keys():
        raise click.UsageError("give --version and --stage, or --file")
    with open_client(url, token_file) as client:
        number = product_id(client, product)
        made = client.make_rollout(number, plan)
        if start:
            made = client.move_rollout(number, _int(made, "id"), "start")
    _print({"rollout": made}, as_json)


def _verb(verb: str, text: str) -> None:
    @rollout.command(verb, help=text, epilog=f"Example: muster rollout {verb} 3")
    @click.argument("number", type=int)
    @product_option
    @server_options
    @json_option
    def move(number: int, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
        with open_client(url, token_file) as client:
            moved = client.move_rollout(product_id(client, product), number, verb)
        _print({"rollout": moved}, as_json)


_verb("start", "Start a draft, at once or when its schedule says.")
_verb("cancel", "Take a scheduled start back.")
_verb("pause", "Stop offering until it is resumed.")
_verb("resume", "Go on; the failures so far are forgiven.")
_verb("approve", "Let the stage that waits for it end.")
_verb("abort", "End a rollout for good.")


@rollout.command(epilog="Example: muster rollout schedule 3 --window 22:00-05:00 --per-minute 600")
@click.argument("number", type=int)
@schedule_options
@product_option
@server_options
@json_option
def schedule(
    number: int, schedule: JsonObject, product: int | None, url: str, token_file: Path | None, as_json: bool
) -> None:
    """Give a rollout another schedule; what is not given has its default."""
    with open_client(url, token_file) as client:
        moved = client.reschedule(product_id(client, product), number, schedule)
    _print({"rollout": moved}, as_json)


@rollout.command("roll-back", epilog="Example: muster rollout roll-back 3 --version 2 --dry-run")
@click.argument("number", type=int)
@click.option("--version", type=click.IntRange(1, 65_534), required=True, help="The earlier version.")
@_stage_option("As for create. [default: all]")
@click.option("--dry-run", is_flag=True, help="Only say who could go back, and who could not and why.")
@schedule_options
@product_option
@server_options
@json_option
def roll_back(
    number: int,
    version: int,
    stages: tuple[Stage, ...],
    dry_run: bool,
    schedule: JsonObject,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Bring the devices that run a rollout's version back to an earlier one.

    Their security counters have to allow it. The rollout's version is brought out by nothing any more.
    """
    with open_client(url, token_file) as client:
        chosen = product_id(client, product)
        seen = client.preview_roll_back(chosen, number, version)
        made = None if dry_run else client.roll_back(chosen, number, version, stages, schedule)
    if as_json:
        click.echo(json.dumps(seen if made is None else {"rollout": made, **seen}, indent=2))
        return
    click.echo(f"{seen['going']} devices can go back to version {version}")
    staying = seen["staying"]
    assert isinstance(staying, list)
    for one in staying:
        assert isinstance(one, dict)
        click.echo(f"{one['count']} cannot: {one['why']} Among them: {', '.join(map(str, one['sample']))}")
    if made is not None:
        _print({"rollout": made}, as_json)


@rollout.command(epilog="Example: muster rollout show 3")
@click.argument("number", type=int, required=False)
@product_option
@server_options
@json_option
def show(number: int | None, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show a rollout with its numbers and troubles, or all rollouts."""
    with open_client(url, token_file) as client:
        chosen = product_id(client, product)
        if number is not None:
            _print(client.rollout(chosen, number), as_json)
            return
        rollouts = client.rollouts(chosen)
    if as_json:
        click.echo(json.dumps({"rollouts": rollouts}, indent=2))
        return
    for item in rollouts:
        click.echo(f"{item.get('id'):>4}  version {item.get('version'):<6} {item.get('status'):<10} {item.get('gate')}")
    if not rollouts:
        click.echo("no rollouts yet: muster rollout create makes one")


def _print(facts: JsonObject, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    item = facts["rollout"]
    assert isinstance(item, dict)
    click.echo(f"rollout {item['id']} of version {item['version']}: {item['status']}")
    click.echo(str(item["gate"]))
    shown: dict[str, JsonValue] = {
        name: item[name]
        for name in ("schedule", "gate_distance", "expected_end_at", "progress", "counters", "stages", "approvals")
        if item.get(name)
    }
    stages = item.get("stages")
    if isinstance(stages, list):
        # A cohort may list thousands of devices.
        shown["stages"] = [{key: value for key, value in one.items() if key != "cohort"} for one in stages]
    for name in ("reasons", "troubles"):
        found = facts.get(name)
        if isinstance(found, list) and found:
            shown[name] = found
    for line in fact_lines(shown):
        click.echo(line)


def _int(facts: JsonObject, name: str) -> int:
    value = facts.get(name)
    assert isinstance(value, int)
    return value
