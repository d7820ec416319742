# SPDX-License-Identifier: Apache-2.0
"""One update by a patch on an emulated board, with its power cut on the way; no server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from muster import layout
from muster.delta import Patch, encode, encode_full
from muster.device.bootlog import BootLog, RecordType
from muster.emulator import CutMode, Device
from muster.errors import DeviceError
from muster.image.image import Image
from muster.serial import Link, Offer, UpdateHost, UpdateProgress, UpdateState, VirtualTransport
from muster.status import OtaStatus

_ATTEMPT = 1
_UPDATE_TIMEOUT_S = 600.0
_START_TIMEOUT_S = 10.0
_WORDS_INTO_THE_SLOT = 2000
"""Program operations after the first piece of the patch at which the power is cut: in the midst of writing the slot."""


class Cut(StrEnum):
    """When the power of a device is cut."""

    ERASE = "sector erase"
    PROGRAM = "word program"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class LocalBuild:
    """What was built of both versions for one platform.

    Attributes:
        hex_path: Intel HEX of the whole device with the version before.
    """

    platform: str
    hex_path: Path
    before: Image
    after: Image


@dataclass(frozen=True, slots=True)
class LocalUpdate:
    """What one device went through.

    Attributes:
        id: the chip's unique id, 24 hex digits.
        confirmed: the new image runs, is confirmed, and is in its slot byte for byte.
        patch_bytes, full_bytes: length of the patch, and of the patch that needs no base.
        boots: starts of the CPU, the first one included.
        reverts: attempts that ended with the old image.
        cuts: how often the power was cut, and where.
    """

    id: str
    platform: str
    version_before: int
    version_after: int
    confirmed: bool
    patch_bytes: int
    full_bytes: int
    boots: int
    reverts: int
    cuts: int
    cut_in: str


def update_with_cut(build: LocalBuild, cut: Cut, *, seed: int, say: Callable[[str], None]) -> LocalUpdate:
    """Boots the version before, updates it by a patch over the serial link, cuts the power once.

    `say` gets a line for each step. Deterministic: equal builds and seeds give equal facts.

    Raises:
        DeviceError: the device does not start, refuses the patch, reverts, or is not done in time.
    """
    patch = encode(build.before.raw, build.after.raw)
    full = encode_full(build.after.raw)
    with Device(seed=seed) as device:
        device.load_hex(build.hex_path)
        # What an earlier image has left in the other slot, so that there is something to erase.
        device.write_memory(layout.SLOT_B_ADDR, build.before.raw)
        device.power_on()
        device.run_until(f"version {build.before.manifest.product_version}", _START_TIMEOUT_S)
        link = Link(VirtualTransport(device))
        before = link.info()
        say(f"{build.platform}: runs version {before.version}")
        host = UpdateHost(_offer(build.after, patch), patch.raw, on_progress=_Cutter(device, cut, say, build.platform))
        link.update(host, _UPDATE_TIMEOUT_S)
        if host.state is not UpdateState.CONFIRMED:
            raise DeviceError(f"the {build.platform}'s update ended as {host.state}: {host.status.text}", host.status)
        after = link.info()
        say(f"{build.platform}: runs version {after.version}, confirmed")
        slot = layout.Slot(after.slot)
        installed = Image.from_slot(device.flash_bytes(slot.addr, layout.SLOT_SIZE), slot)
        log = _boot_log(device)
        return LocalUpdate(
            id=device.unique_id.hex(),
            platform=build.platform,
            version_before=before.version,
            version_after=after.version,
            confirmed=installed.raw == build.after.raw,
            patch_bytes=len(patch),
            full_bytes=len(full),
            boots=device.counters.boots,
            reverts=sum(record.type in (RecordType.REJECTED, RecordType.INTERRUPTED) for record in log.records),
            cuts=device.counters.cuts,
            cut_in=cut.value,
        )


def _offer(target: Image, patch: Patch) -> Offer:
    return Offer.of_patch(_ATTEMPT, target.identity, len(target.raw), patch.raw)


def _boot_log(device: Device) -> BootLog:
    first, second = (device.flash_bytes(layout.SECTOR_ADDRS[n], layout.SECTOR_SIZES[n]) for n in layout.LOG_SECTORS)
    return BootLog.from_sectors(first, second)


class _Cutter:
    """Arms one power cut when the update has come to the right step."""

    def __init__(self, device: Device, cut: Cut, say: Callable[[str], None], name: str) -> None:
        self._device = device
        self._cut: Cut | None = cut
        self._say = say
        self._name = name

    def __call__(self, progress: UpdateProgress) -> None:
        match self._cut, progress.state:
            case Cut.ERASE, UpdateState.ERASING:
                self._device.cut_power_at_flash_operation(2, CutMode.TORN)
            case Cut.PROGRAM, UpdateState.SENDING:
                self._device.cut_power_at_flash_operation(_WORDS_INTO_THE_SLOT, CutMode.TORN)
            case Cut.TRIAL, UpdateState.STAGED:
                self._device.cut_power_on_text(", on trial")
            case _:
                return
        self._say(f"{self._name}: its power will be cut during a {self._cut}")
        self._cut = None


def check_all_confirmed(updates: list[LocalUpdate]) -> None:
    """Raises DeviceError when a device has not confirmed its new image, or its power was not cut."""
    for update in updates:
        if not update.confirmed:
            raise DeviceError(f"the {update.platform} has not confirmed its new image", OtaStatus.ERR_STATE)
        if update.cuts != 1:
            raise DeviceError(
                f"the {update.platform}'s power was cut {update.cuts} times, not once", OtaStatus.ERR_STATE
            )
