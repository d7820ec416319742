# SPDX-License-Identifier: Apache-2.0
"""What the patch decoder costs on a Cortex-M3: code, tables, state, stack and instructions, measured in Unicorn.

python tests/benchmarks/delta_on_device.py BASE TARGET
"""

from __future__ import annotations

import importlib
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
sys.path[:0] = [] if str(_ROOT) in sys.path else [str(_ROOT)]

from muster.build.decoder_size import (  # noqa: E402
    FAST_FLAGS,
    FAST_SOURCES,
    SMALL_FLAGS,
    SMALL_SOURCE,
    DecoderSize,
    is_in_small_source,
)
from muster.delta import ImageLayout, Patch, PatchProfile, encode  # noqa: E402
from muster.delta.header import NO_BASE  # noqa: E402

_CORE = _ROOT / "firmware" / "core"
_HELPERS = ("bytes.c", "cbor.c", "crc32.c", "manifest.c", "reloc.c", "sha256.c")
_FLAGS = ("-mcpu=cortex-m3", "-mthumb", "-g3", "-std=c11", "-ffunction-sections", "-fdata-sections")
_LINK = ("-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-Wl,-e,apply_patch")
_DEVICE_KINDS = _CORE / "src" / "device"
_ALL_KINDS = _ROOT / "tools" / "muster" / "native"

_CODE_ADDR = 0x0802_0000
_RAM_ADDR = 0x2000_0000
_RAM_SIZE = 0x2_0000
_DATA_ADDR = 0x6000_0000
_RETURN_ADDR = 0x0800_0000
_PAINT = 0xA5


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """One patch, applied on the device.

    Attributes:
        instructions: for the whole patch, hashes included.
        stack: bytes, at the deepest.
        target_len: bytes made.
    """

    instructions: int
    stack: int
    target_len: int

    @property
    def per_byte(self) -> float:
        """Instructions for each byte of the target."""
        return self.instructions / max(self.target_len, 1)


class DeviceDecoder:
    """The decoder as a device has it, compiled once."""

    def __init__(self, folder: Path) -> None:
        """Compiles it inside `folder`."""
        self.size = DecoderSize.of_elf(_linked(folder / "device.elf", _DEVICE_KINDS).read_bytes())
        # Measured with every kind of patch: images of other projects count, too.
        elf = _linked(folder / "all.elf", _ALL_KINDS)
        flat = folder / "all.bin"
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(flat)], check=True)
        self._program = flat.read_bytes()
        self._entry = _symbol(elf, "apply_patch")

    def measure(self, base: bytes, patch: Patch, target: bytes) -> DeviceCost:
        """Runs the decoder over one patch. Raises AssertionError when it does not make `target`."""
        layout = ImageLayout.of(base, patch.header.kind) if base else NO_BASE
        machine, arm = _machine(self._program)
        base_at = _DATA_ADDR
        patch_at = base_at + len(base) + 16
        target_at = (patch_at + len(patch) + 19) // 4 * 4
        machine.mem_write(base_at, base)
        machine.mem_write(patch_at, patch.raw)
        job_at = _RAM_ADDR + _RAM_SIZE - 64
        job = struct.pack(
            "<6I3s", base_at, patch_at, len(patch), target_at, layout.length, layout.reloc_start, layout.base_check
        )
        machine.mem_write(job_at, job)
        instructions = _run(machine, arm, self._entry, job_at)
        assert bytes(machine.mem_read(target_at, len(target))) == target
        ram = bytes(machine.mem_read(_RAM_ADDR, _RAM_SIZE - 64))
        deepest = len(ram) - len(ram[ram.rindex(bytes([_PAINT]) * 256) :].lstrip(bytes([_PAINT])))
        return DeviceCost(instructions, len(ram) - deepest, len(target))


@contextmanager
def device_decoder() -> Iterator[DeviceDecoder]:
    """One compiled in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as folder:
        yield DeviceDecoder(Path(folder))


def _linked(elf: Path, kinds: Path) -> Path:
    """Compiles each file as the firmware's build does."""
    includes = [f"-I{folder}" for folder in (_CORE / "include", _CORE / "src", _CORE / "src" / "decode", kinds)]
    whole = [path for path in sorted((_CORE / "src").glob("delta*.c")) if not is_in_small_source(path.name)]
    sources = [*whole, *(_CORE / "src" / name for name in _HELPERS)]
    compiler = ["arm-none-eabi-gcc", *_FLAGS, *includes]
    objects = []
    for name, flags, paths in (
        ("fast", FAST_FLAGS, [path for path in sources if path.name in FAST_SOURCES]),
        ("small", ("-Os", *SMALL_FLAGS), [_CORE / "src" / SMALL_SOURCE]),
        ("plain", ("-Os",), [_HERE / "delta_on_device.c", *(p for p in sources if p.name not in FAST_SOURCES)]),
    ):
        folder = elf.with_suffix(f".{name}")
        folder.mkdir()
        subprocess.run([*compiler, *flags, "-c", *map(str, paths)], check=True, cwd=folder)
        objects += sorted(map(str, folder.glob("*.o")))
    places = [f"-Wl,-Ttext={_CODE_ADDR:#x}", f"-Wl,-Tbss={_RAM_ADDR:#x}"]
    subprocess.run([*compiler, *_LINK, *places, *objects, "-o", str(elf)], check=True)
    return elf


def _symbol(elf: Path, name: str) -> int:
    listing = subprocess.run(["arm-none-eabi-nm", str(elf)], check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.split()[-1] == name)


def _machine(program: bytes) -> tuple[Any, Any]:
    unicorn: Any = importlib.import_module("unicorn")  # of the extra `emulator`: the other columns do without
    arm: Any = importlib.import_module("unicorn.arm_const")
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M3)
    machine.mem_map(0x0800_0000, 0x10_0000)
    machine.mem_map(_RAM_ADDR, _RAM_SIZE)
    machine.mem_map(_DATA_ADDR, 0x400_0000)
    machine.mem_write(_CODE_ADDR, program)
    machine.mem_write(_RAM_ADDR, bytes([_PAINT]) * _RAM_SIZE)
    return machine, arm


def _run(machine: Any, arm: Any, entry: int, job_at: int) -> int:
    """Instructions until it has returned OTA_OK."""
    unicorn: Any = importlib.import_module("unicorn")
    sizes: dict[int, int] = {}
    total = 0

    def count(_: Any, address: int, size: int, __: Any) -> None:
        nonlocal total
        if address not in sizes:
            sizes[address] = _instruction_count(bytes(machine.mem_read(address, size)))
        total += sizes[address]

    machine.hook_add(unicorn.UC_HOOK_BLOCK, count)
    machine.reg_write(arm.UC_ARM_REG_SP, job_at)
    machine.reg_write(arm.UC_ARM_REG_LR, _RETURN_ADDR | 1)
    machine.reg_write(arm.UC_ARM_REG_R0, job_at)
    machine.emu_start(entry | 1, _RETURN_ADDR)
    assert machine.reg_read(arm.UC_ARM_REG_R0) == 0
    return total


def _instruction_count(code: bytes) -> int:
    """Thumb instructions in a block: a first halfword of 0xE800 or above has a second one (ARMv7-M ARM, A5.1)."""
    found = at = 0
    while at < len(code):
        at += 4 if struct.unpack_from("<H", code, at)[0] >= 0xE800 else 2
        found += 1
    return found


def main(base_path: str, target_path: str) -> None:
    base, target = Path(base_path).read_bytes(), Path(target_path).read_bytes()
    with device_decoder() as decoder:
        for row in decoder.size.rows:
            print(f"{row.name:18}{row.use:9,} of {row.limit:9,} bytes")
        for name, known in (("patch", base), ("full image", b"")):
            for profile in PatchProfile:
                patch = encode(known, target, profile=profile)
                cost = decoder.measure(known, patch, target)
                print(
                    f"{name}, profile {profile}: {len(patch):,} bytes, {cost.per_byte:.0f} instructions per byte, "
                    f"{cost.stack:,} bytes of stack"
                )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
