# SPDX-License-Identifier: Apache-2.0
"""`muster delta`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import click

from muster import inspection
from muster.cli.delta_explain import explain
from muster.cli.delta_files import BaseFile, NumberOf, address_of_elf, blaming, read_base, read_patch
from muster.cli.files import InputFile, OutputFile, read_bytes, write_bytes
from muster.cli.output import json_option, print_facts
from muster.delta import PatchKind, PatchProfile, encode
from muster.delta import apply as apply_patch
from muster.delta.explain import byte_text
from muster.delta.header import LOAD_BASE_UNIT
from muster.delta.program import check_elf
from muster.delta.trace import Coding, Trace, trace
from muster.elf import Elf
from muster.inspection import Facts, JsonValue

_KINDS = {kind.name.lower().replace("_", "-"): kind for kind in PatchKind}
_PROFILES = {profile.name.lower(): profile for profile in PatchProfile}


@click.group(epilog="Example: muster delta make v1.bin v2.bin -o v1-v2.patch")
def delta() -> None:
    """Make, apply, inspect and explain patches."""


delta.add_command(explain)


@delta.command(epilog="Example: muster delta make v1.bin v2.bin -o v1-v2.patch")
@click.argument("images", nargs=-1, type=BaseFile, metavar="[BASE] TARGET")
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the patch.")
@click.option("--full", is_flag=True, help="Without a BASE: the patch makes TARGET out of nothing.")
@click.option(
    "--profile",
    type=click.Choice(list(_PROFILES)),
    help="Memory of the decoder. [default: small; without a BASE large]",
)
@click.option("--kind", type=click.Choice(list(_KINDS)), help="What the images are. [default: found out]")
@click.option(
    "--load-base",
    type=NumberOf(0xFFFF_FFFF),
    help="Address of the first byte of images of another kind. [default: what --target-elf says]",
)
@click.option("--base-elf", type=InputFile, help="The ELF file of BASE; it may make the patch smaller.")
@click.option("--target-elf", type=InputFile, help="The ELF file of TARGET.")
@json_option
def make(
    images: tuple[Path, ...],
    output: Path,
    full: bool,
    profile: str | None,
    kind: str | None,
    load_base: int | None,
    base_elf: Path | None,
    target_elf: Path | None,
    as_json: bool,
) -> None:
    """Make the patch that turns BASE into TARGET.

    It is applied before it is written. `full size` is what TARGET takes without a base. A BASE of - is none, as --full.
    """
    base, target = _base_and_target(images, full)
    elfs = [_elf_of(path, image, load_base) for path, image in ((base_elf, base), (target_elf, target))]
    if load_base is None and target_elf is not None:
        address = address_of_elf(target_elf)
        load_base = address if address % LOAD_BASE_UNIT == 0 else None
    chosen = _KINDS[kind] if kind is not None else None

    def encoded(old: bytes, old_elf: bytes | None, its_profile: PatchProfile) -> bytes:
        return encode(
            old,
            target,
            kind=chosen,
            profile=its_profile,
            load_base=load_base,
            base_elf=old_elf,
            target_elf=elfs[1],
        ).raw

    usual = PatchProfile.SMALL if base else PatchProfile.LARGE
    patch = encoded(base, elfs[0], _PROFILES[profile] if profile is not None else usual)
    made = apply_patch(base, patch)
    assert made == target, "the decoder does not give back what was encoded"
    write_bytes(output, patch)
    facts = inspection.inspect(patch).facts
    full_size = len(encoded(b"", None, PatchProfile.LARGE)) if base else len(patch)
    print_facts({"file": str(output), **facts, "full_size": full_size}, as_json)


@delta.command(epilog="Example: muster delta apply v1.bin v1-v2.patch -o v2.bin")
@click.argument("base", type=BaseFile)
@click.argument("patch", type=InputFile)
@click.option("-o", "--output", type=OutputFile, required=True, help="Where to write the result.")
@json_option
def apply(base: Path, patch: Path, output: Path, as_json: bool) -> None:
    """Apply PATCH to BASE with the device's own decoder.

    A BASE of - is none: for a patch that was made with --full.
    """
    made = apply_patch(read_base(base), read_bytes(patch))
    write_bytes(output, made)
    print_facts({"file": str(output), "size": len(made)}, as_json)


@delta.command("inspect", epilog="Example: muster delta inspect v1-v2.patch --base v1.bin")
@click.argument("patch", type=InputFile)
@click.option("--base", type=BaseFile, help="What the patch was made for (-: nothing).")
@json_option
def inspect_patch(patch: Path, base: Path | None, as_json: bool) -> None:
    """Show a patch's header, its map, and what its bytes were spent on.

    Only a decoder that has the base can read more than the header.
    """
    raw = read_patch(patch)
    facts: Facts = {"file": str(patch), **inspection.inspect(raw).facts}
    if base is not None:
        facts |= _stream_facts(trace(read_base(base), raw), as_json)
    print_facts(facts, as_json)
    if base is None and not as_json:
        click.echo("This is the header. With --base BASE comes the rest: the map, and what the bytes were spent on.")


def _base_and_target(images: tuple[Path, ...], full: bool) -> tuple[bytes, bytes]:
    if len(images) != (1 if full else 2):
        raise click.UsageError("with --full give TARGET alone" if full else "give BASE and TARGET")
    target = images[-1]
    if str(target) == "-":
        raise click.UsageError("TARGET is a file")
    return b"" if full else read_base(images[0]), read_bytes(target)


def _elf_of(path: Path | None, image: bytes, load_base: int | None) -> bytes | None:
    if path is None:
        return None
    raw = read_bytes(path)
    with blaming(path):
        check_elf(image, load_base if load_base is not None else Elf.from_bytes(raw).flat()[0], raw)
    return raw


def _stream_facts(found: Trace, as_json: bool) -> Facts:
    bits: dict[Coding, float] = defaultdict(float)
    for spent in found.spent:
        bits[spent.coding] += spent.bits
    entries: list[JsonValue] = [
        {
            "target": f"0x{segment.target:06X}",
            "source": f"0x{segment.source:06X}",
            "length": segment.length,
            "moved": segment.target - segment.source,
        }
        for segment in found.segments
        if segment.in_map
    ]
    spent_on: Facts = {"header": 8 * found.header_bytes if as_json else byte_text(8 * found.header_bytes)}
    for coding in Coding:
        if bits[coding]:
            spent_on[coding.value] = round(bits[coding]) if as_json else byte_text(bits[coding])
    from_target = [segment for segment in found.segments if segment.from_target]
    return {
        "map": entries,
        "copies_from_base": len(found.segments) - len(from_target),
        "copies_from_target": len(from_target),
        "spent_bits" if as_json else "spent_on": spent_on,
    }
