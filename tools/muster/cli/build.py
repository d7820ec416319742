# SPDX-License-Identifier: Apache-2.0
"""`muster build`: from a product's folder to signed images."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from muster.build import driver
from muster.build.driver import BuildRequest, Built
from muster.build.kept_layout import SLACK_PERCENT, LayoutReport
from muster.cli.output import json_option
from muster.keystore import KeyStore
from muster.user_folders import keys_folder


@click.command(epilog="Example: muster build firmware/products/thermostat --platform photon")
@click.argument("product_dir", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--platform", "platforms", multiple=True, help="Only this platform; may be given several times.")
@click.option("--version", type=int, help="Build another version than product.toml says.")
@click.option(
    "--keep-layout",
    type=click.Path(exists=True, path_type=Path),
    help="Leave code where the last release has it: the folder of that build, or its map.",
)
@click.option(
    "--layout-slack",
    type=click.FloatRange(0, 100),
    default=SLACK_PERCENT,
    show_default=True,
    help="Per cent of flash and RAM that keeping the layout may cost.",
)
@click.option(
    "--layout-reserve",
    type=click.FloatRange(0, 50),
    default=0.0,
    help="Per cent of flash for gaps that later releases grow into; for the first release of a kept layout.",
)
@click.option("--keys", type=click.Path(file_okay=False, path_type=Path), help="Folder of the development keys.")
@click.option("--jobs", type=click.IntRange(min=1), help="Compilers at a time; as many as there are processors.")
@click.option("--verbose", is_flag=True, help="Show whole commands.")
@json_option
def build(
    product_dir: Path | None,
    platforms: tuple[str, ...],
    version: int | None,
    keep_layout: Path | None,
    layout_slack: float,
    layout_reserve: float,
    keys: Path | None,
    jobs: int | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Build signed firmware of a product for each of its platforms.

    PRODUCT_DIR is a folder with a product.toml. Without it: the one you are in, or else the example products.
    """
    if product_dir is None and Path("product.toml").is_file():
        product_dir = Path.cwd()
    folder = keys if keys is not None else keys_folder()
    KeyStore.open(folder, os.urandom)
    request = BuildRequest(
        keys=folder,
        product=product_dir,
        platforms=platforms or None,
        version=version,
        jobs=jobs or os.cpu_count() or 1,
        verbose=verbose,
        keep_layout=keep_layout,
        layout_slack=layout_slack,
        layout_reserve=layout_reserve,
    )
    results = driver.build(request, driver.source_root())
    if as_json:
        click.echo(json.dumps([_facts(built) for built in results], indent=2))
    else:
        click.echo(_table(results))


def _facts(built: Built) -> dict[str, object]:
    return {
        "product": built.product,
        "product_id": built.product_id,
        "version": built.version,
        "platform": built.platform,
        "folder": str(built.folder),
        "image": str(built.image_path),
        "hex": str(built.image_path.with_suffix(".hex")),
        "elf": str(built.image_path.with_suffix(".elf")),
        "size": built.size,
        "sha256": built.sha256.hex(),
        "identity": built.identity.hex(),
        "budgets": [{"name": row.name, "use": row.use, "limit": row.limit} for row in built.rows],
        "layout": None if built.layout is None else _layout(built.layout),
    }


def _layout(report: LayoutReport) -> dict[str, object]:
    return {
        "kept": report.is_kept,
        "refusal": report.refusal,
        "sections": report.sections,
        "in_place": report.in_place,
        "gone": report.gone,
        "flash_extra": report.flash_extra,
        "ram_extra": report.ram_extra,
    }


def _table(results: list[Built]) -> str:
    lines = []
    for built in results:
        lines.append(f"{built.product} {built.version} for {built.platform}: {built.image_path}")
        lines += [f"  {row.name:18}{row.use:9,} of {row.limit:9,} bytes" for row in built.rows]
        if built.layout is not None:
            lines.append(f"  {'layout':18}{built.layout.summary}")
    return "\n".join(lines)
