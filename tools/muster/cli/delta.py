# SPDX-License-Identifier: Apache-2.0
"""`muster delta`."""

from __future__ import annotations

from pathlib import Path

import click

from muster import inspection
from muster.cli.files import InputFile, OutputFile, read_bytes, write_bytes
from muster.cli.output import json_option, print_facts
from muster.delta import apply as apply_patch
from muster.delta import encode, encode_full


@click.group(epilog="Example: muster delta make v1.bin v2.bin -o v1-v2.patch")
def delta() -> None:
    """Make, apply and inspect patches."""


@delta.command(epilog="Example: muster delta make v1.bin v2.bin -o v1-v2.patch")
@click.argument("base", type=InputFile)
@click.argument("target", type=InputFile)
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the patch.")
@json_option
def make(base: Path, target: Path, output: Path, as_json: bool) -> None:
    """Make the patch that turns BASE into TARGET.

    It is applied before it is written. `full size` is what TARGET takes without a base.
    """
    base_raw, target_raw = read_bytes(base), read_bytes(target)
    patch = encode(base_raw, target_raw).raw
    made = apply_patch(base_raw, patch)
    assert made == target_raw, "the decoder does not give back what was encoded"
    write_bytes(output, patch)
    facts = inspection.inspect(patch).facts
    full_size = len(encode_full(target_raw).raw)
    print_facts({"file": str(output), **facts, "full_size": full_size}, as_json)


@delta.command(epilog="Example: muster delta apply v1.bin v1-v2.patch -o v2.bin")
@click.argument("base", type=InputFile)
@click.argument("patch", type=InputFile)
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the result.")
@json_option
def apply(base: Path, patch: Path, output: Path, as_json: bool) -> None:
    """Apply PATCH to BASE with the device's own decoder."""
    made = apply_patch(read_bytes(base), read_bytes(patch))
    write_bytes(output, made)
    print_facts({"file": str(output), "size": len(made)}, as_json)


@delta.command("inspect", epilog="Example: muster delta inspect v1-v2.patch --json")
@click.argument("patch", type=InputFile)
@json_option
def inspect_patch(patch: Path, as_json: bool) -> None:
    """Show a patch's header."""
    found = inspection.inspect(read_bytes(patch))
    if found.kind != "patch":
        raise click.UsageError(f"{patch} is a file of kind {found.kind}, not a patch")
    print_facts({"file": str(patch), **found.facts}, as_json)
