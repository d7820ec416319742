# SPDX-License-Identifier: Apache-2.0
"""`muster flash`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from muster.cli.board_info import info_facts
from muster.cli.files import InputFile, read_bytes
from muster.cli.output import json_option, print_facts
from muster.delta import Patch, encode, encode_full
from muster.errors import DeviceError, FormatError, ImageRefused
from muster.image.image import Image
from muster.inspection import Facts
from muster.layout import platform_name
from muster.serial import BootState, Info, Link, Offer, PortTransport, UpdateHost, UpdateProgress, UpdateState
from muster.status import OtaStatus

_TIMEOUT_S = 900.0
_ATTEMPT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Update:
    """What is sent.

    Attributes:
        kind: `patch` from a base, or `full`.
    """

    kind: str
    patch: Patch
    full_bytes: int


@click.command("flash", epilog="Example: muster flash /dev/ttyACM0 thermostat-2.bin --from thermostat-1.bin")
@click.argument("port", metavar="PORT")
@click.argument("image", type=InputFile)
@click.option(
    "--from",
    "bases",
    type=InputFile,
    multiple=True,
    metavar="BASE",
    help="An image that the device may be running: then a patch is sent. May be given again.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@json_option
def command(port: str, image: Path, bases: tuple[Path, ...], quiet: bool, as_json: bool) -> None:
    """Bring the device at PORT to IMAGE over its serial link, and confirm it.

    IMAGE is a signed .bin; PORT a serial port, the pty of `muster emulate`, or socket://HOST:PORT. A device that loses
    power on the way goes on where it was. Only devices of lifecycle DEVELOPMENT take an image this way.
    """
    target = _read_image(image)
    known = {base.identity: base for base in map(_read_image, bases)}
    with PortTransport(port) as transport:
        link = Link(transport)
        before = link.info()
        _check_fits(before, target)
        update = _update(target, known.get(before.identity))
        served = _run(link, before, target, update, quiet)
        print_facts(_facts(before, link.info(), update, served), as_json)


def _read_image(path: Path) -> Image:
    try:
        return Image.from_bytes(read_bytes(path))
    except FormatError as error:
        raise FormatError(f"{path}: {error}", error.status) from error


def _check_fits(info: Info, target: Image) -> None:
    """The device would say so itself, but not before it has erased its other slot and taken the whole image."""
    manifest = target.manifest
    if manifest.platform_id != info.platform_id:
        names = (platform_name(manifest.platform_id), platform_name(info.platform_id))
        raise ImageRefused("the image is for {}, the device is a {}".format(*names), OtaStatus.ERR_PLATFORM)
    if manifest.product_id != info.product_id:
        ids = f"product {manifest.product_id}, the device runs product {info.product_id}"
        raise ImageRefused(f"the image is for {ids}", OtaStatus.ERR_PRODUCT)


def _update(target: Image, base: Image | None) -> Update:
    """The smaller one of a patch and the full image."""
    full = encode_full(target.raw)
    patch = full if base is None else encode(base.raw, target.raw)
    return Update("patch", patch, len(full)) if len(patch) < len(full) else Update("full", full, len(full))


def _run(link: Link, before: Info, target: Image, update: Update, quiet: bool) -> int:
    """Runs the update to its end; how many bytes of it were sent."""
    if before.identity == target.identity and before.boot_state is BootState.CONFIRMED:
        return 0
    attempt = int.from_bytes(os.urandom(_ATTEMPT_BYTES), "little")
    offer = Offer.of_patch(attempt, target.identity, len(target.raw), update.patch.raw)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<10}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(UpdateState.ASKING.value, total=len(update.patch))

        def show(progress: UpdateProgress) -> None:
            bar.update(task, description=progress.state.value, completed=progress.patch_off)

        host = UpdateHost(offer, update.patch.raw, on_progress=show)
        link.update(host, _TIMEOUT_S)
    _check_end(host)
    return host.served_bytes


def _check_end(host: UpdateHost) -> None:
    if host.state is UpdateState.REFUSED:
        raise DeviceError(f"the device refuses the update: {host.status.text}", host.status)
    if host.state is UpdateState.REVERTED:
        outcome = host.info.outcome if host.info is not None else None
        why = outcome.reason_text if outcome is not None else "unknown"
        raise DeviceError(f"the device has gone back to the image before: {why}")


def _facts(before: Info, after: Info, update: Update, served: int) -> Facts:
    return {
        "device_id": after.device_id.hex(),
        "platform": platform_name(after.platform_id),
        "product_id": after.product_id,
        "version_before": before.version,
        "version": after.version,
        "identity": after.identity.hex(),
        "slot": info_facts(after)["slot"],
        "state": after.boot_state.name,
        "was_running_already": before.identity == after.identity,
        "sent_as": update.kind if served else None,
        "sent_bytes": served,
        "full_bytes": update.full_bytes,
    }
