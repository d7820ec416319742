# SPDX-License-Identifier: Apache-2.0
"""Small ARM programs for the tests: compiled once a session, booted on a fresh device."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from muster.emulator import Board, Device

if TYPE_CHECKING:
    from muster.emulator import RunResult

PROGRAMS = Path(__file__).parent / "programs"
DONE = 0x600DD00D
MAILBOX = 0x20000000


class Compiler:
    """Compiles test programs into Intel HEX files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hex_file(self, source: str) -> Path:
        """The HEX file of a program: C source without its includes, with a main()."""
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        made = self.folder / f"{name}.hex"
        if not made.exists():
            c_file, elf = self.folder / f"{name}.c", self.folder / f"{name}.elf"
            c_file.write_text('#include "prelude.h"\n' + source, encoding="utf-8")
            subprocess.run(
                [
                    "arm-none-eabi-gcc",
                    "-mcpu=cortex-m3",
                    "-mthumb",
                    "-Os",
                    "-std=gnu11",
                    "-Wall",
                    "-Wno-unused-function",
                    "-ffreestanding",
                    "-nostdlib",
                    "-fno-tree-loop-distribute-patterns",
                    f"-I{PROGRAMS}",
                    f"-T{PROGRAMS / 'link.ld'}",
                    str(PROGRAMS / "startup.c"),
                    str(c_file),
                    "-lgcc",
                    "-o",
                    str(elf),
                ],
                check=True,
            )
            subprocess.run(["arm-none-eabi-objcopy", "-O", "ihex", str(elf), str(made)], check=True)
        return made


class Machine:
    """A device with a program in it."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def out(self, index: int) -> int:
        """Word `index` of the program's mailbox."""
        return int(struct.unpack("<I", self.device.read_memory(MAILBOX + 4 * index, 4))[0])

    def outs(self, count: int) -> list[int]:
        """The first words of the mailbox."""
        return list(struct.unpack(f"<{count}I", self.device.read_memory(MAILBOX, 4 * count)))

    @property
    def done(self) -> bool:
        """Whether the program has reached its end."""
        return self.out(255) == DONE

    def finish(self, timeout: float = 20.0) -> RunResult:
        """Run until the program has reached its end, which it must."""
        result = self.device.run_until(lambda: self.done, timeout)
        assert self.done, (result, f"unexpected {self.out(254):08x}", [str(f) for f in self.device.faults])
        return result


class Bench:
    """Makes devices and closes them."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self.devices: list[Device] = []

    def device(
        self,
        *,
        flash_file: Path | None = None,
        unique_id: bytes | None = None,
        seed: int = 1,
        board: Board | None = None,
    ) -> Device:
        """A device, off, with whatever its flash holds."""
        device = Device(flash_file, unique_id=unique_id, seed=seed, board=board)
        self.devices.append(device)
        return device

    def boot(self, source: str, *, seed: int = 1, board: Board | None = None) -> Machine:
        """A powered device that has not yet run an instruction of the program."""
        device = self.device(seed=seed, board=board)
        device.load_hex(self.compiler.hex_file(source))
        device.power_on()
        return Machine(device)

    def run(self, source: str, *, seed: int = 1, board: Board | None = None) -> Machine:
        """A device whose program has reached its end."""
        machine = self.boot(source, seed=seed, board=board)
        machine.finish()
        return machine

    def close(self) -> None:
        """Close all devices."""
        for device in self.devices:
            device.close()
