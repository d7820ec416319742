# SPDX-License-Identifier: Apache-2.0
"""`muster demo`: everything at once, on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

import click
from rich.console import Console
from rich.table import Table

from muster.build.driver import BuildRequest, Built, build, source_root
from muster.demo.full import EMAIL, Demo, DemoBuild, DemoResult, check_result
from muster.demo.local import Cut, LocalBuild, LocalUpdate, check_all_confirmed, update_with_cut
from muster.image.image import Image
from muster.keystore import KeyStore
from muster.user_folders import keys_folder

_PRODUCT = "thermostat"
_TABLE_WIDTH = 110
_LOCAL_CUTS = {"photon": Cut.ERASE, "p1": Cut.PROGRAM, "electron": Cut.TRIAL}

Say = Callable[[str], None]


@click.command("demo", epilog="Example: muster demo --keep")
@click.option("--local", is_flag=True, help="Without a server: updates over the serial link.")
@click.option("--keep", is_flag=True, help="Leave server and devices running until Ctrl-C, to look at the dashboard.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(local: bool, keep: bool, as_json: bool, quiet: bool) -> None:
    """Build two versions, boot emulated boards, update them with their power cut on the way."""
    if local and keep:
        raise click.UsageError("--keep is for the demo with a server")
    say: Say = (lambda _: None) if quiet else (lambda text: click.echo(text, err=True))
    # A plain kill ends it as Ctrl-C does: nothing stays behind.
    signal.signal(signal.SIGTERM, _interrupt)
    say("building versions 1 and 2 of the thermostat for three platforms")
    keystore = KeyStore.open(keys_folder(), os.urandom)
    if local:
        _local(say, as_json)
    else:
        _full(keystore, say, keep, as_json)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _full(keystore: KeyStore, say: Say, keep: bool, as_json: bool) -> None:
    builds = [
        DemoBuild(
            platform=before.platform,
            bootloader=(before.folder / "bootloader.bin").read_bytes(),
            before=Image.from_bytes(before.image_path.read_bytes()),
            after=Image.from_bytes(after.image_path.read_bytes()),
            before_elf=before.image_path.with_suffix(".elf"),
            after_elf=after.image_path.with_suffix(".elf"),
        )
        for before, after in zip(_build(1), _build(2), strict=True)
    ]
    with Demo(builds, keystore, say) as demo:
        result = demo.run()
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(result), indent=2))
        else:
            _print_result(result)
        check_result(result)
        if keep:
            _stay(demo)


def _print_result(result: DemoResult) -> None:
    table = Table("device", "platform", "version", "boots", "cuts", "reverts", "patch bytes", "full bytes")
    for device in result.devices:
        table.add_row(
            device.id,
            device.platform,
            f"{device.version_before} -> {device.version_after}" + ("" if device.confirmed else ", not confirmed"),
            str(device.boots),
            str(device.cuts),
            str(device.reverts),
            f"{device.patch_bytes:,}",
            f"{device.full_bytes:,}",
        )
    # Wide enough for a row even where the width of the terminal is not known.
    Console(width=_TABLE_WIDTH).print(table)
    click.echo(f"rollout {result.rollout['status']} in {result.seconds:.1f} s after the build")


def _stay(demo: Demo) -> None:
    click.echo(f"dashboard    {demo.url}", err=True)
    click.echo(f"sign in as   {EMAIL}, password {demo.password}", err=True)
    click.echo("Ctrl-C ends server, gateway and devices", err=True)
    try:
        for _ in demo.stay():
            pass
    except KeyboardInterrupt:
        click.echo("stopping", err=True)


def _local(say: Say, as_json: bool) -> None:
    before, after = ({built.platform: built for built in _build(version)} for version in (1, 2))
    builds = [
        LocalBuild(
            platform=platform,
            hex_path=before[platform].image_path.with_suffix(".hex"),
            before=Image.from_bytes(before[platform].image_path.read_bytes()),
            after=Image.from_bytes(after[platform].image_path.read_bytes()),
        )
        for platform in _LOCAL_CUTS
    ]
    started = time.monotonic()
    updates = [
        update_with_cut(built, _LOCAL_CUTS[built.platform], seed=number, say=say)
        for number, built in enumerate(builds, start=1)
    ]
    seconds = time.monotonic() - started
    check_all_confirmed(updates)
    if as_json:
        facts = {"devices": [dataclasses.asdict(update) for update in updates], "seconds": round(seconds, 1)}
        click.echo(json.dumps(facts, indent=2))
    else:
        _print_local(updates)
        click.echo(f"all on version {updates[0].version_after}, in {seconds:.1f} s after the build")


def _build(version: int) -> list[Built]:
    root = source_root()
    product = root / "firmware" / "products" / _PRODUCT
    return build(BuildRequest(keys=keys_folder(), product=product, version=version, jobs=os.cpu_count() or 1), root)


def _print_local(updates: list[LocalUpdate]) -> None:
    table = Table(
        "device", "platform", "version", "power cut in", "boots", "cuts", "reverts", "patch bytes", "full bytes"
    )
    for update in updates:
        table.add_row(
            update.id,
            update.platform,
            f"{update.version_before} -> {update.version_after}",
            update.cut_in,
            str(update.boots),
            str(update.cuts),
            str(update.reverts),
            f"{update.patch_bytes:,}",
            f"{update.full_bytes:,}",
        )
    # Wide enough for a row even where the width of the terminal is not known.
    Console(width=_TABLE_WIDTH).print(table)
