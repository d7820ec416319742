# SPDX-License-Identifier: Apache-2.0
"""`muster inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from muster import inspection
from muster.cli.files import InputFile, read_bytes
from muster.cli.output import json_option, print_facts


@click.command(epilog="Example: muster inspect build/thermostat/photon/thermostat.bin --json")
@click.argument("file", type=InputFile)
@json_option
def inspect(file: Path, as_json: bool) -> None:
    """Show what a file holds.

    Knows images, key sets, patches, identity pages, boot logs, bootloaders, HEX files and whole flash dumps. Signatures
    are listed, not verified: see `muster verify`. Private keys are never shown.
    """
    found = inspection.inspect(read_bytes(file))
    print_facts({"file": str(file), "kind": found.kind, **found.facts}, as_json)
