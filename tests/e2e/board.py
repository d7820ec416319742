# SPDX-License-Identifier: Apache-2.0
"""An emulated board that runs the real bootloader and agent, and images in which one thing is wrong."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from muster.build.driver import Built, source_root
from muster.delta import Patch
from muster.device import bootlog
from muster.device.bootlog import BootLog, BootRecord, Reason, RecordType
from muster.device.hexfile import factory_record
from muster.device.record_store import Owner, RecordStore
from muster.emulator import Device, RunReason, Snapshot
from muster.errors import RecordStoreError
from muster.image.image import Image, seal
from muster.image.prefix import Prefix
from muster.layout import (
    BODY_MIN_SIZE,
    IDENTITY_PREFIX_SIZE,
    LOG_SECTORS,
    PREFIX_OFFSET,
    SECTOR_ADDRS,
    SECTOR_SIZES,
    SLOT_SIZE,
    STORE_SECTORS,
    Slot,
)
from muster.serial import (
    BootState,
    Frame,
    FrameReader,
    Info,
    Link,
    Offer,
    UpdateHost,
    UpdateProgress,
    UpdateState,
    VirtualTransport,
    frame_of,
)
from muster.serial.messages import OfferAnswer
from muster.signing.keyset import KeySet
from muster.signing.signer import Signer, sign_image

PLATFORM = "photon"

SOUND = 1
HANGS = 2
CRASHES = 3
RESTARTS = 4
NEWER = 5
NEWEST = 6

RECOVERY_LINE = "recovery, send a signed image by YMODEM\r\n"

WAIT_TIMEOUT_S = 60.0
UPDATE_TIMEOUT_S = 300.0

BuildFirmware = Callable[..., Built]


class Victim:
    """The product in `products/victim`, built when a version of it is asked for."""

    def __init__(self, built: BuildFirmware) -> None:
        self._built = built
        self._folder = str(source_root() / "tests" / "e2e" / "products" / "victim")

    def built(self, version: int) -> Built:
        return self._built(self._folder, PLATFORM, version)

    def image(self, version: int) -> Image:
        """The image, signed by the development key."""
        return Image.from_bytes(self.built(version).image_path.read_bytes())

    def hex_path(self, version: int) -> Path:
        """The development HEX that holds it."""
        made = self.built(version)
        return made.folder / f"{made.product}.hex"


def remade(image: Image, *signers: Signer, body: bytes | None = None, **fields: Any) -> Image:
    """The image with other manifest fields or another body, whole and signed anew: nothing else is wrong with it.

    `fields` are those of Manifest; the module prefix and the body's hash follow. Without signers it is unsigned.
    """
    manifest = replace(image.manifest, **fields)
    raw = image.body if body is None else body
    prefix = Prefix.from_bytes(raw[PREFIX_OFFSET:BODY_MIN_SIZE])
    prefix = replace(prefix, platform_id=manifest.platform_id, min_bootloader=manifest.min_bootloader)
    raw = raw[:PREFIX_OFFSET] + prefix.to_bytes() + raw[BODY_MIN_SIZE:]
    return sign_image(seal(raw, replace(manifest, body_hash=hashlib.sha256(raw).digest()), []), *signers)


class Board:
    """A device, the link to it, and what a debug probe sees of it. A context manager."""

    def __init__(self, hex_path: Path, seed: int = 1) -> None:
        self.device = Device(seed=seed)
        self.device.load_hex(hex_path)
        self.transport = VirtualTransport(self.device)
        self.link = Link(self.transport)
        self._attempt = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.device.close()

    # Power

    def boot(self) -> Info:
        """Gives power and waits until the firmware answers."""
        self.device.power_on()
        return self.link.info()

    def power_cycle(self) -> Info:
        """Takes power away, gives it again, and waits until the firmware answers."""
        self.device.power_off()
        return self.boot()

    def boot_into_recovery(self) -> None:
        """Takes power away, gives it again, and waits until the bootloader asks for an image."""
        self.device.power_off()
        self.device.power_on()
        self.wait_for(RECOVERY_LINE)

    def wait_for(self, text: str) -> None:
        """Lets the device run until it has said a text, which it must."""
        result = self.device.run_until(text, WAIT_TIMEOUT_S)
        assert result.reason is RunReason.CONDITION, f"the device does not say {text!r}: {result}"

    def snapshot(self) -> Snapshot:
        return self.device.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Makes the board what it was. What it had said and nobody had read is lost."""
        self.device.restore(snapshot)
        self.device.uart(1).read()
        self.link = Link(self.transport)

    # Updates

    def offer(self, target: Image, patch: Patch | bytes, **fields: Any) -> Offer:
        """An offer of the patch as a new attempt; `fields` are those of Offer that are not to be true."""
        self._attempt += 1
        raw = patch.raw if isinstance(patch, Patch) else patch
        return replace(Offer.of_patch(self._attempt, target.identity, len(target.raw), raw), **fields)

    def answer_to(self, offer: Offer) -> OfferAnswer:
        """Sends an offer and nothing else; the device's answer."""
        self.transport.write(frame_of(offer))
        reader = FrameReader()
        deadline = self.device.time + WAIT_TIMEOUT_S
        while self.device.time < deadline:
            for item in reader.feed(self.transport.read(deadline - self.device.time)):
                if isinstance(item, Frame) and item.type == OfferAnswer.type:
                    return OfferAnswer.from_body(item.body)
        raise AssertionError("the device does not answer the offer")

    def update(
        self,
        offer: Offer,
        patch: Patch | bytes,
        *,
        confirm: bool = True,
        on_progress: Callable[[UpdateProgress], None] | None = None,
    ) -> UpdateHost:
        """Runs an update to its end and returns the host's side of it."""
        raw = patch.raw if isinstance(patch, Patch) else patch
        host = UpdateHost(offer, raw, confirm=confirm, on_progress=on_progress)
        self.link.update(host, UPDATE_TIMEOUT_S)
        return host

    def install(self, target: Image, patch: Patch | bytes) -> Info:
        """An update that must succeed; what the device says of itself then."""
        host = self.update(self.offer(target, patch), patch)
        assert host.state is UpdateState.CONFIRMED, host.status
        info = self.link.info()
        assert (info.identity, info.boot_state) == (target.identity, BootState.CONFIRMED)
        return info

    def begin_trial(self, target: Image, patch: Patch | bytes) -> Info:
        """An update that stops where the trial of the new image runs; what the new image says of itself."""
        host = UpdateHost(self.offer(target, patch), patch.raw if isinstance(patch, Patch) else patch, confirm=False)
        deadline = self.device.time + UPDATE_TIMEOUT_S
        while host.state is not UpdateState.TRIAL:
            assert self.device.time < deadline, host.state
            self.transport.write(host.tick(self.device.time))
            data = self.transport.read(max(0.0, host.wake_at - self.device.time))
            self.transport.write(host.receive(data, self.device.time))
        return self.link.info()

    def assert_runs(self, image: Image) -> Info:
        """It runs the image, confirmed, does so after a power cycle too, and has broken no rule of the silicon."""
        for info in (self.link.info(), self.power_cycle()):
            assert (info.identity, info.boot_state) == (image.identity, BootState.CONFIRMED)
        assert self.device.violations == []
        return info

    # Flash

    @property
    def log(self) -> BootLog:
        first, second = (self.device.flash_bytes(SECTOR_ADDRS[n], SECTOR_SIZES[n]) for n in LOG_SECTORS)
        return BootLog.from_sectors(first, second)

    @property
    def store(self) -> RecordStore:
        first, second = (self.device.flash_bytes(SECTOR_ADDRS[n], SECTOR_SIZES[n]) for n in STORE_SECTORS)
        return RecordStore.from_sectors(first, second)

    def checkpoint_off(self, patch: Patch) -> int:
        """How many bytes of this patch the device need not ask for again after a restart, by what is in flash."""
        try:
            value = self.store.value(Owner.DOWNLOAD, 0)
        except RecordStoreError:
            return 0
        if value is None:
            return 0
        # as struct checkpoint in firmware/agent/src/download.c has them
        _, digest, _, _, patch_off = struct.unpack_from("<I32s32sII", value)
        return int(patch_off) if digest == patch.digest else 0

    def history(self) -> list[tuple[RecordType, int]]:
        """Type and reason of the boot log's records behind the first one, which the board was made with."""
        return [(record.type, record.reason) for record in self.log.records[1:]]

    def installed(self, slot: Slot) -> Image:
        """The image in a slot, in canonical form; raises when it does not pass its checks."""
        return Image.from_slot(self.device.flash_bytes(slot.addr, SLOT_SIZE), slot)

    def flip(self, addr: int, bit: int = 0) -> None:
        """Changes one bit of flash."""
        self.device.write_memory(addr, bytes([self.device.flash_bytes(addr, 1)[0] ^ 1 << bit]))

    def destroy(self, slot: Slot) -> None:
        """Spoils the image in a slot: one bit of its code."""
        self.flip(slot.addr + BODY_MIN_SIZE + 64)

    def write_log(self, keysets: list[KeySet], records: list[BootRecord]) -> None:
        """Replaces the boot log."""
        self.erase_log()
        self.device.write_memory(SECTOR_ADDRS[LOG_SECTORS[0]], bootlog.new_sector(1, keysets, records))

    def erase_log(self) -> None:
        """As on a device that was never provisioned with one."""
        for number in LOG_SECTORS:
            self.device.write_memory(SECTOR_ADDRS[number], b"\xff" * SECTOR_SIZES[number])

    def stage(self, image: Image, keyset: KeySet, running: Image) -> None:
        """Puts an image into slot B and says so in a new boot log, as a firmware that checks nothing would."""
        self.device.write_memory(Slot.B.addr, image.installed_in(Slot.B))
        staged = BootRecord(
            sequence=2,
            type=RecordType.STAGED,
            slot=Slot.B,
            reason=Reason.NONE,
            attempt=1,
            identity=image.identity[:IDENTITY_PREFIX_SIZE],
            security_counter=image.manifest.security_counter,
        )
        self.write_log([keyset], [factory_record(running), staged])
