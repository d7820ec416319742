# SPDX-License-Identifier: Apache-2.0
"""What the patch decoder costs on a Cortex-M3: code size, state, stack and instructions, measured in Unicorn."""

from __future__ import annotations

import importlib
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_CORE = _HERE.parents[1] / "firmware" / "core"
_DECODER = ("delta.c", "delta_header.c", "delta_output.c", "range_decoder.c")
_HELPERS = ("bytes.c", "crc32.c", "sha256.c")
_FLAGS = ("-mcpu=cortex-m3", "-mthumb", "-Os", "-std=c11", "-ffunction-sections", "-nostartfiles")

_CODE_ADDR = 0x0802_0000
_RAM_ADDR = 0x2000_0000
_RAM_SIZE = 0x2_0000
_DATA_ADDR = 0x6000_0000
_RETURN_ADDR = 0x0800_0000
_PAINT = 0xA5


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """Bytes of decoder code (without hashes), state and stack; instructions for one patch to `target_len` bytes."""

    code: int
    state: int
    stack: int
    instructions: int
    target_len: int

    @property
    def text(self) -> str:
        per_byte = self.instructions / max(self.target_len, 1)
        return (
            f"Cortex-M3, -Os: {self.code:,} bytes of code, {self.state:,} of state, {self.stack:,} of stack; "
            f"{self.instructions:,} instructions, {per_byte:.0f} per byte of target (hashes included)"
        )


def measure(base: bytes, patch: bytes, target: bytes) -> DeviceCost:
    """Runs the compiled decoder over one patch. Raises AssertionError when it does not make `target`."""
    with tempfile.TemporaryDirectory() as folder:
        program, entry, state = _compile(Path(folder))
        code = sum(_text_size(Path(folder), name) for name in _DECODER)
    instructions, stack = _run(program, entry, base, patch, target, state)
    return DeviceCost(code, state, stack, instructions, len(target))


def _gcc(*arguments: str) -> None:
    includes = [f"-I{_CORE / 'include'}", f"-I{_CORE / 'src'}"]
    subprocess.run(["arm-none-eabi-gcc", *_FLAGS, *includes, *arguments], check=True)


def _compile(folder: Path) -> tuple[bytes, int, int]:
    """Flat program, address of its entry, size of struct ota_delta."""
    sources = [str(_CORE / "src" / name) for name in (*_DECODER, *_HELPERS)]
    elf = folder / "decoder.elf"
    probe = folder / "probe.c"
    probe.write_text(
        '#include "ota/delta.h"\nconst uint32_t state_size = sizeof(struct ota_delta);\n', encoding="ascii"
    )
    link = [f"-Wl,-Ttext={_CODE_ADDR:#x}", "-Wl,-e,apply_patch", "--specs=nosys.specs", "-Wl,--undefined=state_size"]
    _gcc(*link, str(_HERE / "delta_on_device.c"), str(probe), *sources, "-o", str(elf))
    flat = folder / "decoder.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(flat)], check=True)
    program = flat.read_bytes()
    state_at = _symbol(elf, "state_size") - _CODE_ADDR
    return program, _symbol(elf, "apply_patch"), struct.unpack_from("<I", program, state_at)[0]


def _symbol(elf: Path, name: str) -> int:
    listing = subprocess.run(["arm-none-eabi-nm", str(elf)], check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.split()[-1] == name)


def _text_size(folder: Path, source: str) -> int:
    made = folder / f"{source}.o"
    _gcc("-c", str(_CORE / "src" / source), "-o", str(made))
    lines = subprocess.run(["arm-none-eabi-size", str(made)], check=True, capture_output=True, text=True).stdout
    return int(lines.splitlines()[1].split()[0])


def _run(program: bytes, entry: int, base: bytes, patch: bytes, target: bytes, state: int) -> tuple[int, int]:
    unicorn: Any = importlib.import_module("unicorn")  # of the extra `emulator`: the other columns do without
    arm_const: Any = importlib.import_module("unicorn.arm_const")
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M3)
    machine.mem_map(0x0800_0000, 0x10_0000)
    machine.mem_map(_RAM_ADDR, _RAM_SIZE)
    machine.mem_map(_DATA_ADDR, 0x400_0000)
    machine.mem_write(_CODE_ADDR, program)
    machine.mem_write(_RAM_ADDR, bytes([_PAINT]) * _RAM_SIZE)

    base_at = _DATA_ADDR
    patch_at = base_at + len(base) + 16
    target_at = (patch_at + len(patch) + 19) // 4 * 4
    machine.mem_write(base_at, base)
    machine.mem_write(patch_at, patch)
    job = struct.pack("<6I", base_at, len(base), patch_at, len(patch), target_at, _RAM_ADDR + 64)
    machine.mem_write(_RAM_ADDR, job)

    sizes: dict[int, int] = {}
    total = 0

    def count(_: Any, address: int, size: int, __: Any) -> None:
        nonlocal total
        if address not in sizes:
            sizes[address] = _instruction_count(bytes(machine.mem_read(address, size)))
        total += sizes[address]

    machine.hook_add(unicorn.UC_HOOK_BLOCK, count)
    top = _RAM_ADDR + _RAM_SIZE
    machine.reg_write(arm_const.UC_ARM_REG_SP, top)
    machine.reg_write(arm_const.UC_ARM_REG_LR, _RETURN_ADDR | 1)
    machine.reg_write(arm_const.UC_ARM_REG_R0, _RAM_ADDR)
    machine.emu_start(entry | 1, _RETURN_ADDR)
    assert machine.reg_read(arm_const.UC_ARM_REG_R0) == 0
    assert bytes(machine.mem_read(target_at, len(target))) == target
    ram = bytes(machine.mem_read(_RAM_ADDR, _RAM_SIZE))
    untouched = ram.index(bytes([_PAINT]) * 256, 64 + state)
    deepest = next(at for at in range(untouched, _RAM_SIZE) if ram[at] != _PAINT)
    return total, _RAM_SIZE - deepest


def _instruction_count(code: bytes) -> int:
    """Thumb instructions in a block: a first halfword of 0xE800 or above has a second one (ARMv7-M ARM, A5.1)."""
    found = at = 0
    while at < len(code):
        at += 4 if struct.unpack_from("<H", code, at)[0] >= 0xE800 else 2
        found += 1
    return found
