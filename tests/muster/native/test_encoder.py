# SPDX-License-Identifier: Apache-2.0
"""The C encoder under the address and undefined-behaviour sanitizers, on pairs that are hard to plan."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.muster.delta.pairs import code_like

_ROOT = Path(__file__).parents[3]
_NATIVE = _ROOT / "tools" / "muster" / "native"
_CORE = _ROOT / "firmware" / "core"
_CORE_SOURCES = ("bytes.c", "crc32.c", "delta.c", "delta_header.c", "delta_output.c", "range_decoder.c", "sha256.c")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("encoder") / "encode_and_apply"
    sources = [Path(__file__).parent / "encode_and_apply.c", *sorted(_NATIVE.glob("*.c"))]
    sources += [_CORE / "src" / name for name in _CORE_SOURCES]
    includes = [f"-I{folder}" for folder in (_CORE / "include", _CORE / "src", _NATIVE)]
    flags = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    subprocess.run(["gcc", *flags, *warnings, *includes, *map(str, sources), "-o", str(program)], check=True)
    return program


def _pairs() -> dict[str, tuple[bytes, bytes]]:
    rng = random.Random(7)
    noise = rng.randbytes(20_000)
    code = code_like(rng, 60_000)
    stripes = bytearray(100_000)
    stripes[::97] = rng.randbytes(len(stripes[::97]))
    changed = bytearray(stripes[7:] + stripes[:90])
    changed[::1001] = rng.randbytes(len(changed[::1001]))
    period = bytes(range(16)) * 5000
    return {
        "nothing": (b"", b""),
        "nothing to three": (b"", b"abc"),
        "five to six": (b"12345", b"123456"),
        "noise": (noise, rng.randbytes(20_000)),
        "noise with a hole": (noise, noise[:7000] + noise[7050:]),
        "zeros": (bytes(100_000), bytes(50_000) + b"x" + bytes(60_000)),
        "stripes": (bytes(stripes), bytes(changed)),
        "period": (period, period[5:40_000] + b"x" + period[40_000:]),
        "code": (code, code[30_000:] + code[:30_000]),
        "full": (b"", code),
        "last bytes": (code, code[-3:] + code[:-3]),
    }


@pytest.mark.parametrize(("base", "target"), _pairs().values(), ids=_pairs().keys())
def test_encoder_stays_inside_its_memory(driver: Path, tmp_path: Path, base: bytes, target: bytes) -> None:
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "target").write_bytes(target)
    done = subprocess.run([driver, tmp_path / "base", tmp_path / "target"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
