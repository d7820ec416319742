# SPDX-License-Identifier: Apache-2.0
"""`muster delta explain`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from muster.build.mapfile import LinkMap
from muster.cli.delta_files import BaseFile, blaming, load_base_of, read_base, read_patch
from muster.cli.files import InputFile, OutputFile, read_bytes, write_bytes
from muster.cli.output import json_option
from muster.delta import Patch
from muster.delta import apply as apply_patch
from muster.delta.explain import Explanation, Grouping, Row, byte_text
from muster.delta.explain import explain as explain_patch
from muster.delta.program import Program
from muster.delta.trace import trace
from muster.errors import LinkError

_TOP = 20
_NAME_WIDTH = 34
_OBJECT_WIDTH = 22
_CHANGE_WIDTH = 17
_CODINGS_SHOWN = 3
_BITS_WORTH_A_LINE = 4.0
"""Cheaper rows are shown only to who asks for a number of them."""


@click.command(
    epilog="Example: muster delta explain v1.bin v1-v2.patch --base-elf v1.elf --target-elf v2.elf --html why.html"
)
@click.argument("base", type=BaseFile)
@click.argument("patch", type=InputFile)
@click.option("--base-elf", type=InputFile, help="The ELF file of BASE: says what is new, what changed, what moved.")
@click.option("--target-elf", type=InputFile, help="The ELF file of what the patch makes: names functions.")
@click.option(
    "--target-map", type=InputFile, help="Its linker map: names object files. [default: the .map beside the ELF file]"
)
@click.option(
    "--by",
    type=click.Choice([grouping.value for grouping in Grouping]),
    default=Grouping.FUNCTION.value,
    help="What one row stands for. [default: function]",
)
@click.option("--top", type=click.IntRange(min=1), help=f"How many rows. [default: at most {_TOP}; all with --json]")
@click.option("--html", type=OutputFile, help="Write a treemap here: one file that any browser shows.")
@json_option
def explain(
    base: Path,
    patch: Path,
    base_elf: Path | None,
    target_elf: Path | None,
    target_map: Path | None,
    by: str,
    top: int | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Say where the bits of PATCH go, and what made it large.

    A BASE of - is none: for a patch that was made with --full.
    """
    if target_elf is None and (base_elf is not None or target_map is not None):
        raise click.UsageError("--base-elf and --target-map need --target-elf")
    base_raw, patch_raw = read_base(base), read_patch(patch)
    if base_elf is not None and not base_raw:
        raise click.UsageError("--base-elf needs a BASE")
    target_raw = apply_patch(base_raw, patch_raw)
    header = Patch.from_bytes(patch_raw).header
    before = _program(base_raw, load_base_of(header, base_raw, base_elf), base_elf, None) if base_raw else None
    after = _program(target_raw, load_base_of(header, target_raw, target_elf), target_elf, target_map)
    found = explain_patch(trace(base_raw, patch_raw), len(patch_raw), after, before)
    if html is not None:
        # The template engine is slow to load: only who wants a page pays for it.
        from muster.delta.treemap_page import treemap_page

        write_bytes(html, treemap_page(found, patch.name).encode())
    rows = found.grouped(Grouping(by))
    if as_json:
        click.echo(json.dumps({"file": str(patch), **_facts(found, rows[:top])}, indent=2))
    else:
        shown = top or min(_TOP, sum(row.bits >= _BITS_WORTH_A_LINE for row in rows))
        for line in _lines(found, rows, shown):
            click.echo(line.rstrip())


def _program(image: bytes, load_base: int, elf: Path | None, link_map: Path | None) -> Program:
    if elf is None:
        return Program.from_image(image, load_base)
    raw = read_bytes(elf)
    if link_map is not None:
        with blaming(link_map):
            parsed = LinkMap.from_text(read_bytes(link_map).decode(errors="replace"))
        with blaming(elf):
            return Program.from_elf(image, load_base, raw, parsed)
    beside = elf.with_suffix(".map")
    if beside.is_file():
        try:
            return _program(image, load_base, elf, beside)
        except LinkError:
            # Nobody has asked for this map: one of another link does no harm.
            pass
    with blaming(elf):
        return Program.from_elf(image, load_base, raw)


def _facts(found: Explanation, rows: list[Row]) -> dict[str, object]:
    return {
        "patch_size": found.patch_size,
        "target_size": found.target_size,
        "summary": found.summary(),
        "hints": list(found.hints),
        "shares": [
            {"cause": share.cause.value, "bits": round(share.bits, 2), "percent": _percent(share.bits, found)}
            for share in found.shares
        ],
        "rows": [_row_facts(row, found) for row in rows],
        "removed": [{"name": part.name, "object_file": part.object_file, "size": part.size} for part in found.removed],
    }


def _row_facts(row: Row, found: Explanation) -> dict[str, object]:
    change = row.change
    return {
        "name": row.name,
        "object_file": row.object_file,
        "section": row.section,
        "address": f"0x{found.load_base + row.offset:08X}" if row.offset is not None else None,
        "size": row.size,
        "bits": round(row.bits, 2),
        "percent": _percent(row.bits, found),
        "spent_bits": {coding.value: round(bits, 2) for coding, bits in row.coding_bits.items()},
        "change": change.fate.value if change is not None else None,
        "grown": change.grown if change is not None else None,
        "moved": change.moved if change is not None else None,
    }


def _percent(bits: float, found: Explanation) -> float:
    return round(100 * bits / (8 * found.patch_size), 2)


def _lines(found: Explanation, rows: list[Row], top: int) -> list[str]:
    lines = found.summary()
    if found.removed:
        largest = found.removed[0]
        size = sum(part.size for part in found.removed)
        lines.append(
            f"Gone: {len(found.removed):,} with {size:,} bytes, the largest {largest.name}. They cost nothing."
        )
    lines += [f"Hint: {hint}" for hint in found.hints]
    title = f"{'name':{_NAME_WIDTH}} {'object file':{_OBJECT_WIDTH}} {'what became of it':{_CHANGE_WIDTH}}"
    lines += ["", f"{'bytes':>9} {'share':>7} {'size':>8}  {title} bytes spent on"]
    lines += [_line(row, found) for row in rows[:top]]
    left = rows[top:]
    if left:
        lines.append(f"and {len(left):,} more with {byte_text(sum(row.bits for row in left))} together")
    return lines


def _line(row: Row, found: Explanation) -> str:
    spent = [f"{coding.value} {bits / 8:,.1f}" for coding, bits in row.coding_bits.items() if bits >= 1]
    change = row.change.text if row.change is not None else ""
    size = f"{row.size:,}" if row.size else ""
    object_file = row.object_file if row.object_file != row.name else ""
    return (
        f"{row.bits / 8:9,.1f} {100 * row.bits / (8 * found.patch_size):5.1f} % {size:>8}  "
        f"{_fit(row.name, _NAME_WIDTH)} {_fit(object_file, _OBJECT_WIDTH)} {change:{_CHANGE_WIDTH}} "
        f"{', '.join(spent[:_CODINGS_SHOWN])}"
    )


def _fit(text: str, width: int) -> str:
    """Names differ at their ends more often than where they begin."""
    return f"{text if len(text) <= width else '…' + text[1 - width :]:{width}}"
