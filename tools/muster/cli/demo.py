# SPDX-License-Identifier: Apache-2.0
"""`muster demo`: everything at once, on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from muster.build.driver import BuildRequest, Built, build, source_root
from muster.demo.local import Cut, LocalBuild, LocalUpdate, check_all_confirmed, update_with_cut
from muster.image.image import Image
from muster.keystore import KeyStore
from muster.user_folders import keys_folder

_PRODUCT = "thermostat"
_TABLE_WIDTH = 100
_CUTS = {"photon": Cut.ERASE, "p1": Cut.PROGRAM, "electron": Cut.TRIAL}


@click.command("demo", epilog="Example: muster demo --local --json")
@click.option("--local", is_flag=True, required=True, help="Without a server: updates over the serial link.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(local: bool, as_json: bool, quiet: bool) -> None:
    """Build two versions, boot emulated boards, update them with their power cut on the way."""
    del local
    say: Callable[[str], None] = (lambda _: None) if quiet else (lambda text: click.echo(text, err=True))
    say("building versions 1 and 2 of the thermostat for three platforms")
    builds = _local_builds()
    started = time.monotonic()
    updates = [
        update_with_cut(built, _CUTS[built.platform], seed=number, say=say)
        for number, built in enumerate(builds, start=1)
    ]
    seconds = time.monotonic() - started
    check_all_confirmed(updates)
    if as_json:
        facts = {"devices": [dataclasses.asdict(update) for update in updates], "seconds": round(seconds, 1)}
        click.echo(json.dumps(facts, indent=2))
    else:
        _print_table(updates)
        click.echo(f"all on version {updates[0].version_after}, in {seconds:.1f} s after the build")


def _local_builds() -> list[LocalBuild]:
    before, after = ({built.platform: built for built in _build(version)} for version in (1, 2))
    return [
        LocalBuild(
            platform=platform,
            hex_path=before[platform].image_path.with_suffix(".hex"),
            before=Image.from_bytes(before[platform].image_path.read_bytes()),
            after=Image.from_bytes(after[platform].image_path.read_bytes()),
        )
        for platform in _CUTS
    ]


def _build(version: int) -> list[Built]:
    root = source_root()
    KeyStore.open(keys_folder(), os.urandom)
    product = root / "firmware" / "products" / _PRODUCT
    return build(BuildRequest(keys=keys_folder(), product=product, version=version, jobs=os.cpu_count() or 1), root)


def _print_table(updates: list[LocalUpdate]) -> None:
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
