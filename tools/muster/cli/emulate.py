# SPDX-License-Identifier: Apache-2.0
"""`muster emulate`: a board for those who have none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from muster.cli.files import hex_of, read_bytes
from muster.device.hexfile import segments_of
from muster.emulator import Board, Device
from muster.emulator.emulate import serve_on_pty
from muster.errors import EnvironmentFault


@click.command("emulate", epilog="Example: muster emulate build/thermostat/photon --link /tmp/board")
@click.argument("build_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--link", type=click.Path(path_type=Path), help="A stable name for the terminal (symbolic link).")
@click.option(
    "--flash",
    "flash_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the flash in this file: a board that remembers. A new file is programmed from BUILD_DIR.",
)
@click.option(
    "--speed", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Times real time; 0: no limit."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Decides unique id, random numbers and torn writes."
)
@click.option("--no-crystal", is_flag=True, help="The board's crystal is broken.")
def command(
    build_dir: Path, link: Path | None, flash_file: Path | None, speed: float, seed: int, no_crystal: bool
) -> None:
    """Start an emulated board with the firmware of BUILD_DIR; its UART is a pty.

    The path of the pty is printed on the first line. Any terminal program can open it at 115200 baud. Resets and faults
    are told on stderr as they come. Ends with Ctrl-C.
    """
    hex_path = hex_of(build_dir)
    board = Board(hse_hz=0) if no_crystal else Board()
    is_new = flash_file is None or not flash_file.exists()
    # Before the flash file is made: one that was never programmed would be taken for a board of old.
    segments = segments_of(read_bytes(hex_path).decode("ascii", "replace")) if is_new else []
    with Device(flash_file, seed=seed, board=board) as device:
        for segment in segments:
            device.write_memory(segment.addr, segment.data)
        source = hex_path if is_new else flash_file
        click.echo(f"device {device.unique_id.hex()} runs {source}", err=True)
        try:
            serve_on_pty(device, ready=click.echo, speed=speed, link=link, say=partial(click.echo, err=True))
        except OSError as error:
            raise EnvironmentFault(f"cannot serve a pty: {error}") from error
