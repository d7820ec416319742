# SPDX-License-Identifier: Apache-2.0
"""`muster rollout forecast` and `muster rollout simulate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options

BAR_WIDTH = 40
ROWS = 20
_VERDICTS = {"advance": "goes on", "complete": "completes", "pause": "PAUSES"}


@click.command(epilog="Example: muster rollout forecast 3")
@click.argument("number", type=int)
@product_option
@server_options
@json_option
def forecast(number: int, product: int | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show what a rollout will do, by the server's last look at all devices."""
    with open_client(url, token_file) as client:
        found = client.foresee(product_id(client, product), number, "forecast")
    if as_json:
        click.echo(json.dumps({"forecast": found}, indent=2))
        return
    for line in forecast_lines(found):
        click.echo(line)


@click.command(epilog="Example: muster rollout simulate 3 --failure-rate 0.05")
@click.argument("number", type=int)
@click.option("--failure-rate", type=click.FloatRange(0, 1), default=0.0, help="Share of updates that fail.")
@click.option("--crash-rate", type=click.FloatRange(0, 1), default=0.0, help="Share of updated devices that crash.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, help="Another one plays other luck.")
@product_option
@server_options
@json_option
def simulate(
    number: int,
    failure_rate: float,
    crash_rate: float,
    seed: int,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Play a rollout, as devices are used to check in, with these rates: what each gate would do, and when."""
    query = {"failure_rate": str(failure_rate), "crash_rate": str(crash_rate), "seed": str(seed)}
    with open_client(url, token_file) as client:
        found = client.foresee(product_id(client, product), number, "simulation", query)
    if as_json:
        click.echo(json.dumps({"simulation": found}, indent=2))
        return
    for line in simulation_lines(found):
        click.echo(line)


def forecast_lines(found: Any) -> Iterator[str]:
    """A forecast in words."""
    reached = sum(stage["devices"] for stage in found["stages"])
    looked = f"devices as they were at {_time(found['scanned_at'])}"
    yield f"{looked}: {found['devices']:,}, {found['already']:,} run it already"
    yield f"to be updated: {reached:,}, of them {found['silent']:,} not heard for 30 days"
    yield f"bytes: {found['bytes_patched']:,} with patches, {found['bytes_full']:,} by full images alone"
    for stage in found["stages"]:
        ends, sent = stage["ends_at"], stage["bytes_sent"]
        yield ""
        yield f"stage {stage['position']}: {stage['devices']:,} devices"
        yield f"  ends      {_time(ends['likely'])}, between {_time(ends['early'])} and {_time(ends['late'])}"
        yield f"  by then   {_bytes(sent['likely'])} bytes, between {_bytes(sent['early'])} and {_bytes(sent['late'])}"
        for base in stage["bases"]:
            about = "about " if base["is_estimated"] else ""
            version = "other versions" if base["version"] is None else f"version {base['version']}"
            yield (
                f"  {base['devices']:>9,} {base['platform']:<9} {version:<14} "
                f"patch {about}{base['patch_bytes']:,}, full {base['full_bytes']:,} bytes"
            )
    if found["skipped"]:
        yield ""
        yield "skipped"
    for item in found["skipped"]:
        yield f"  {item['devices']:>9,} {item['reason']}"


def simulation_lines(found: Any) -> Iterator[str]:
    """A simulation as a table of what gates do, and as a plot of what happens meanwhile."""
    began = datetime.fromisoformat(found["began_at"])
    for act in found["acts"]:
        words = f"stage {act['stage']} {_VERDICTS[act['verdict']]}"
        yield f"{_after(began, act['at']):>9}  {words:<18} in {act['also']} of {found['plays']} other plays, too"
        yield f"{'':11}{act['reason']}"
    if not found["acts"]:
        yield "no gate does anything within four weeks"
    for other in found["others"]:
        if not any((act["stage"], act["verdict"]) == (other["stage"], other["verdict"]) for act in found["acts"]):
            words = f"stage {other['stage']} {_VERDICTS[other['verdict']]}"
            yield f"{'':11}{words} in {other['plays']} of {found['plays']} other plays"
    yield ""
    yield from _plot(began, found["points"])


def _plot(began: datetime, points: Sequence[Any]) -> Iterator[str]:
    """A row for each of some equal steps in time: confirmed boots as a bar, and failures behind it."""
    if not points:
        return
    ends = datetime.fromisoformat(points[-1]["at"])
    most = max(point["offered"] for point in points) or 1
    step = max((ends - began) / ROWS, timedelta(seconds=1))
    yield f"{'time':>9}  {'confirmed':<{BAR_WIDTH}} {'offered':>9} {'confirmed':>9} {'failures':>8}"
    for row in range(ROWS + 1):
        until = began + row * step
        reached = [point for point in points if datetime.fromisoformat(point["at"]) <= until] or points[:1]
        point = reached[-1]
        confirmed, failed = (round(BAR_WIDTH * point[name] / most) for name in ("confirmed", "failures"))
        bar = "█" * confirmed + "x" * min(failed, BAR_WIDTH - confirmed)
        counts = f"{point['offered']:>9,} {point['confirmed']:>9,} {point['failures']:>8,}"
        yield f"{_span(row * step):>9}  {bar:<{BAR_WIDTH}} {counts}"
        if until >= ends:
            return


def _after(began: datetime, at: str) -> str:
    return _span(datetime.fromisoformat(at) - began)


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    return f"{days} d {rest // 60:02}:{rest % 60:02}" if days else f"{rest // 60:02}:{rest % 60:02}"


def _time(text: str | None) -> str:
    return "later than in four weeks" if text is None else text[:16].replace("T", " ")


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"
