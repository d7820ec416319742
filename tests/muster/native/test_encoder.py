# SPDX-License-Identifier: Apache-2.0
"""Encoder and decoder in C under the address and undefined-behaviour sanitizers, on pairs that are hard to align."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from muster.delta import ImageLayout, PatchProfile, encode
from muster.delta.header import NO_BASE
from muster.layout import SLOT_A_ADDR
from muster.native import build
from tests.fuzz.programs import Program
from tests.fuzz.seeds import image_of as program_image
from tests.muster.delta.pairs import code_like, module_of
from tests.vectors import fixed

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """encode_files and apply_files."""
    folder = tmp_path_factory.mktemp("coder")
    made = []
    for source, sources, includes in (
        ("encode_files.c", build.ENCODER_SOURCES, build.ENCODER_INCLUDES),
        ("apply_files.c", build.DECODER_SOURCES, build.DECODER_INCLUDES),
    ):
        program = folder / Path(source).stem
        flags = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
        paths = [str(_HERE / source), *map(str, sources)]
        subprocess.run(
            ["gcc", *flags, *warnings, *(f"-I{include}" for include in includes), *paths, "-o", str(program)],
            check=True,
            cwd=_ROOT,
        )
        made.append(program)
    return made[0], made[1]


def _pairs() -> dict[str, tuple[bytes, bytes]]:
    rng = random.Random(7)
    noise = rng.randbytes(20_000)
    code = code_like(rng, 60_000)
    stripes = bytearray(100_000)
    stripes[::97] = rng.randbytes(len(stripes[::97]))
    changed = bytearray(stripes[7:] + stripes[:90])
    changed[::1001] = rng.randbytes(len(changed[::1001]))
    period = bytes(range(16)) * 5000
    program = Program.made_up(rng, 60, 40)
    grown = program.grown(rng, 5, 9).constants_changed(rng, 4).moved(40)
    linked, linked_anew = (one.link(SLOT_A_ADDR).code for one in (program, grown))
    return {
        "nothing": (b"", b""),
        "nothing to three": (b"", b"abc"),
        "three to nothing": (b"abc", b""),
        "five to six": (b"12345", b"123456"),
        "noise": (noise, rng.randbytes(20_000)),
        "noise with a hole": (noise, noise[:7000] + noise[7050:]),
        "zeros": (bytes(100_000), bytes(50_000) + b"x" + bytes(60_000)),
        "stripes": (bytes(stripes), bytes(changed)),
        "period": (period, period[5:40_000] + b"x" + period[40_000:]),
        "code": (code, code[30_000:] + code[:30_000]),
        "full": (b"", code),
        "last bytes": (code, code[-3:] + code[:-3]),
        "program": (linked, linked_anew),
        "program at odd places": (linked[1:], linked_anew[:-1]),
        "module": (module_of(linked), module_of(linked_anew)),
        "module behind vectors": (module_of(linked, 0x184), module_of(linked_anew, 0x184)),
        "smallest module": (module_of(b""), module_of(b"")),
        "image": (program_image(program, 1).raw, program_image(grown, 2).raw),
        "full image": (b"", program_image(grown, 2).raw),
        "image without a table": (fixed.small_image().raw, fixed.large_image().raw),
    }


@pytest.mark.parametrize("profile", PatchProfile, ids=lambda profile: profile.name)
@pytest.mark.parametrize(("base", "target"), _pairs().values(), ids=_pairs().keys())
def test_both_directions_stay_inside_their_memory(
    programs: tuple[Path, Path], tmp_path: Path, base: bytes, target: bytes, profile: PatchProfile
) -> None:
    patch = encode(base, target, profile=profile, load_base=SLOT_A_ADDR)
    header = patch.header
    layout = ImageLayout.of(base, header.kind) if base else NO_BASE
    facts = [str(layout.reloc_start), str(int.from_bytes(layout.base_check, "little"))]
    paths = {name: tmp_path / name for name in ("base", "target", "header", "patch")}
    for name, raw in (("base", base), ("target", target), ("header", header.to_bytes())):
        paths[name].write_bytes(raw)
    encode_files, apply_files = programs
    _run(encode_files, paths["base"], paths["target"], paths["header"], *facts, paths["patch"])
    assert paths["patch"].read_bytes() == patch.raw
    _run(apply_files, paths["base"], paths["target"], paths["patch"], *facts)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
