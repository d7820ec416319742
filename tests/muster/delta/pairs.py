# SPDX-License-Identifier: Apache-2.0
"""Pairs of base and target: random ones for hypothesis, images, and compiled programs."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from muster.image.assemble import assemble
from muster.image.image import Image
from muster.layout import SLOT_A_ADDR, SLOT_OFFSET
from tests.fuzz.programs import Program
from tests.vectors import fixed

_PROGRAM = Path(__file__).parent / "programs" / "logger.c"


@st.composite
def raw_pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A text and an edited copy: replaced, inserted, removed, moved and repeated blocks, and sparse changed bytes."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    base = draw(st.one_of(st.binary(max_size=40), st.integers(0, 6000).map(lambda size: code_like(rng, size))))
    target = bytearray(base)
    for edit in draw(
        st.lists(st.sampled_from(["insert", "remove", "move", "repeat", "replace", "sparse"]), max_size=6)
    ):
        _edit(target, edit, rng)
    return base, bytes(target)


def _edit(target: bytearray, edit: str, rng: random.Random) -> None:
    at = rng.randint(0, len(target))
    end = min(len(target), at + rng.choice([1, 3, 4, 17, 300, 3000]))
    block = bytes(target[at:end])
    if edit == "insert":
        target[at:at] = rng.randbytes(rng.choice([1, 2, 5, 400]))
    elif edit == "remove":
        del target[at:end]
    elif edit == "move":
        del target[at:end]
        to = rng.randint(0, len(target))
        target[to:to] = block
    elif edit == "repeat":
        target[at:at] = block * rng.choice([1, 2, 9])
    elif edit == "replace":
        target[at:end] = rng.randbytes(len(block))
    else:
        for changed in range(at, end, rng.choice([3, 4, 20])):
            target[changed] = (target[changed] + 4) & 0xFF


def code_like(rng: random.Random, size: int) -> bytes:
    """Bytes with the repetitions and the skewed statistics of machine code."""
    words = [rng.randbytes(2) for _ in range(40)] + [b"\x00\x00", b"\xff\xff", b"\x70\x47"]
    return b"".join(rng.choices(words, k=(size + 1) // 2))[:size]


def image_of(code: bytes, version: int = 1, pointers: range = range(0x19C, 0x19C)) -> Image:
    """An unsigned image with `code` at 0x19C; the words at the offsets `pointers` are addresses in the slot."""
    body = bytearray(0x19C) + code
    body += bytes(-len(body) % 4)
    linked_b = bytearray(body)
    for at in pointers:
        address = 0x0802_0000 + (at * 7) % len(body)
        body[at : at + 4] = address.to_bytes(4, "little")
        linked_b[at : at + 4] = (address + SLOT_OFFSET).to_bytes(4, "little")
    return assemble(bytes(body), bytes(linked_b), replace(fixed.SPEC, product_version=version))


def module_of(code: bytes, prefix_at: int = 0, load_base: int = SLOT_A_ADDR) -> bytes:
    """A system part as Particle makes them: prefix, code, and a suffix in which everything derived holds."""
    length = prefix_at + 24 + len(code) + 44
    prefix = struct.pack("<IIHHBBBBII", load_base, load_base + length - 4, 0, 103, 6, 4, 2, 0, 0, 0)
    raw = bytes(prefix_at) + prefix + code + struct.pack("<HHH", 6, 103, 0)
    raw += hashlib.sha256(raw).digest() + struct.pack("<H", 40)
    return raw + zlib.crc32(raw).to_bytes(4, "big")


@st.composite
def image_pairs(draw: st.DrawFn) -> tuple[Image, Image]:
    """Two images with related code and tables of different lengths."""
    base_code, target_code = draw(raw_pairs())
    images = []
    for version, code in enumerate((base_code, target_code), start=1):
        last = 0x19C + len(code) // 4 * 4
        step = 4 * draw(st.integers(1, 200))
        images.append(image_of(code, version, range(0x19C, last, step)))
    return images[0], images[1]


@st.composite
def program_pairs(draw: st.DrawFn) -> tuple[Program, Program]:
    """A made-up Thumb-2 program, and the same after some edits that move code."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    count = rng.randint(2, 25)
    old = new = Program.made_up(rng, count, rng.randint(3, 30))
    for edit in draw(st.lists(st.sampled_from(["grown", "constants", "moved"]), max_size=4)):
        if edit == "grown":
            new = new.grown(rng, rng.randrange(count), rng.randint(1, 9))
        elif edit == "constants":
            new = new.constants_changed(rng, rng.choice([1, 4, -2]))
        else:
            new = new.moved(rng.randrange(count))
    return old, new


def compiled_program(folder: Path, version: int) -> bytes:
    """A small Cortex-M3 program with the C library's printf and sort; from `version` to version its functions move."""
    elf = folder / f"logger{version}.elf"
    flat = folder / f"logger{version}.bin"
    compile_command = ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-Os", f"-DVERSION={version}", "-w"]
    link_command = ["--specs=nosys.specs", "-Wl,-Ttext=0x08020000,--no-warn-mismatch", str(_PROGRAM), "-o", str(elf)]
    subprocess.run([*compile_command, *link_command], check=True, capture_output=True)
    sections = ["-j", ".text", "-j", ".rodata", "-j", ".data"]
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", *sections, str(elf), str(flat)], check=True)
    return flat.read_bytes()
