# SPDX-License-Identifier: Apache-2.0
"""A flash model with the core's port to it, and short ways to give bytes to C and take them back."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from muster.layout import Slot
from muster.status import OtaStatus
from tests.host.library import CoreLibrary

FLASH_ADDR = 0x0800_0000
SLOT_SIZE = 0x6_0000
NEVER = 0x7FFF_FFFF
SECTOR_ADDRS = [FLASH_ADDR + at for at in (0, 0x4000, 0x8000, 0xC000, 0x10000, *range(0x20000, 0x100000, 0x20000))]
SECTOR_SIZES = [0x4000] * 4 + [0x10000] + [0x20000] * 7

Operation = Callable[[], int]


class Machine:
    """Flash, and the library that works on it."""

    def __init__(self, core: CoreLibrary) -> None:
        self.ffi = core.ffi
        self.lib = core.lib
        self.model = self.new("struct flash_model *")
        self.flash = self.new("struct ota_flash *")
        self.lib.flash_model_port(self.model, self.flash)
        self.reset()

    def new(self, kind: str, init: object = None) -> Any:
        return self.ffi.new(kind, init)

    def reset(self) -> None:
        """Blank flash, power on."""
        self.lib.flash_model_init(self.model)

    # -- flash as the test sees it --

    def load(self, addr: int, content: bytes) -> None:
        """Puts bytes into flash past all rules."""
        self.ffi.memmove(self.model.bytes + (addr - FLASH_ADDR), content, len(content))

    def dump(self, addr: int, size: int) -> bytes:
        return bytes(self.ffi.buffer(self.model.bytes + (addr - FLASH_ADDR), size))

    def load_sector(self, sector: int, content: bytes) -> None:
        self.load(SECTOR_ADDRS[sector], content)

    def dump_sector(self, sector: int) -> bytes:
        return self.dump(SECTOR_ADDRS[sector], SECTOR_SIZES[sector])

    def load_image(self, slot: Slot, image: bytes) -> None:
        self.load(slot.addr, image + b"\xff" * (SLOT_SIZE - len(image)))

    def everything(self) -> bytes:
        return self.dump(FLASH_ADDR, 0x100000)

    # -- power --

    def cut_at(self, operation: int, *, torn: bool = False, noise: int = 1) -> None:
        """Power stops at the flash operation with this number, counted from now."""
        self.model.operations = 0
        self.model.cut_at = operation
        self.model.is_torn = torn
        self.model.noise = noise

    def fail_at(self, operation: int) -> None:
        self.model.operations = 0
        self.model.fail_at = operation

    def power_on(self) -> None:
        self.model.is_off = False
        self.model.cut_at = NEVER
        self.model.fail_at = NEVER

    def operations_of(self, operation: Operation) -> int:
        """How many flash operations it takes."""
        self.model.operations = 0
        status = operation()
        assert status == 0, OtaStatus(status)
        return int(self.model.operations)

    # -- calls --

    def bytes_out(self, size: int, call: Callable[[Any], object]) -> bytes:
        """What a call writes into a buffer of `size` bytes."""
        out = self.new("uint8_t[]", max(size, 1))
        call(out)
        return bytes(self.ffi.buffer(out, size))

    def buffer(self, content: bytes) -> Any:
        """Bytes that C may read and write, with nothing readable behind them."""
        return self.new("uint8_t[]", content) if content else self.new("uint8_t[]", 1)

    def span(self, content: bytes) -> Any:
        """struct ota_span; keep the result alive as long as C uses it."""
        buffer = self.buffer(content)
        span = self.new("struct ota_span *", {"bytes": buffer, "len": len(content)})
        _KEPT_ALIVE[span] = buffer
        return span

    def spans(self, *contents: bytes) -> Any:
        buffers = [self.buffer(content) for content in contents]
        spans = self.new(
            "struct ota_span[]",
            [{"bytes": buffer, "len": len(content)} for buffer, content in zip(buffers, contents, strict=True)],
        )
        _KEPT_ALIVE[spans] = buffers
        return spans


class _KeptAlive:
    """Memory that another C value points to lives as long as that value."""

    def __init__(self) -> None:
        self._owners: weakref.WeakKeyDictionary[Any, object] = weakref.WeakKeyDictionary()

    def __setitem__(self, owner: object, kept: object) -> None:
        self._owners[owner] = kept


_KEPT_ALIVE = _KeptAlive()
