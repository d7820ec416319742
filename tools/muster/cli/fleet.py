# SPDX-License-Identifier: Apache-2.0
"""`muster fleet`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import uvloop

from muster.cli.output import json_option, print_facts
from muster.errors import InputError
from muster.fleet.fleet import Fleet, Model, Running
from muster.fleet.load import CONNECTIONS_MAX, DEVICES_MAX, SECONDS_MAX, Address, Course, Load
from muster.fleet.traits import Mix
from muster.image.image import Image

_EXAMPLE = "Example: muster fleet simulate --devices 10000 --seconds 600 --image thermostat-1.bin --failures 0.01"
_SHARE = click.FloatRange(0, 1)


@click.group(epilog=_EXAMPLE)
def fleet() -> None:
    """Simulate fleets of devices."""


@fleet.command(epilog=_EXAMPLE)
@click.option("--devices", type=click.IntRange(1, DEVICES_MAX), required=True, help="How many devices there are.")
@click.option("--seconds", type=click.IntRange(1, SECONDS_MAX), default=600, show_default=True, help="For how long.")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The server, on this machine.")
@click.option(
    "--image",
    "paths",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    required=True,
    help="What devices run at first, a published image; of several, each is run by an equal share.",
)
@click.option("--seed", default="fleet", show_default=True, help="The same seed and number is the same device.")
@click.option("--connections", type=click.IntRange(1, CONNECTIONS_MAX), default=64, show_default=True)
@click.option("--offices", type=_SHARE, default=0.2, show_default=True, help="Share that sleeps at night.")
@click.option("--batteries", type=_SHARE, default=0.1, show_default=True, help="Share that comes seldom, and dies.")
@click.option("--failures", type=_SHARE, default=0.0, show_default=True, help="Share that reverts updates.")
@click.option("--crashes", type=_SHARE, default=0.0, show_default=True, help="Share that crashes after an update.")
@click.option("--fetch", "fetches", is_flag=True, help="Fetch patches that are offered, too.")
@click.option("--flat-out", "is_flat_out", is_flag=True, help="As fast as the server answers, whatever the habits.")
@json_option
def simulate(
    devices: int,
    seconds: int,
    url: str,
    paths: tuple[Path, ...],
    seed: str,
    connections: int,
    offices: float,
    batteries: float,
    failures: float,
    crashes: float,
    fetches: bool,
    is_flat_out: bool,
    as_json: bool,
) -> None:
    """Let simulated devices open sessions, check in and update.

    They speak the device protocol with keys of their own: their product has to approve devices by itself, or to have
    them imported. They do not decode patches, and do not check the server's signature.
    """
    images = [Image.from_bytes(path.read_bytes()) for path in paths]
    kinds = {(image.manifest.product_id, image.manifest.platform_id) for image in images}
    if len(kinds) > 1:
        raise InputError("the images are of different products or platforms: simulate a fleet for each")
    ((product_id, platform_id),) = kinds
    running = tuple(Running(image.identity[:8], image.manifest.product_version) for image in images)
    mix = Mix(offices, batteries, failures, crashes)
    course = Course(seconds, connections, is_flat_out, fetches=fetches)
    simulated = Fleet(Model(seed, devices, product_id, platform_id, running, mix))
    tally = simulated.tally

    def show(passed_s: float) -> None:
        if sys.stderr.isatty():
            line = f"{passed_s:6.0f} s  {tally.check_ins} check-ins, {tally.openings} openings, {tally.offers} offers, "
            click.echo(f"\r{line}{tally.confirmed} confirmed, {tally.reverted} reverted ", err=True, nl=False)

    load = Load(simulated, Address.from_url(url), course, time.time(), show)
    passed_s = uvloop.run(load.run())
    if sys.stderr.isatty():
        click.echo(err=True)
    print_facts({"devices": devices, **tally.to_json(passed_s)}, as_json)
