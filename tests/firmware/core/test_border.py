# SPDX-License-Identifier: Apache-2.0
"""The core knows nothing but C's memory functions and Monocypher: no hardware, no heap, no globals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from muster.thirdparty import monocypher_dir
from tests.host.library import core_sources

INCLUDE = core_sources()[0].parents[1] / "include"
SOURCES = core_sources()[0].parent
ALLOWED = {"memcpy", "memset", "memcmp", "memmove"}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The core's sources, compiled with only its own folders and Monocypher's on the path, as for a device."""
    folder = tmp_path_factory.mktemp("objects")
    command = ["gcc", "-c", "-Os", "-std=c11", "-ffreestanding", "-fno-stack-protector", "-fno-pic"]
    includes = [INCLUDE, SOURCES / "decode", SOURCES / "device", monocypher_dir()]
    command += [*(f"-I{folder}" for folder in includes), *map(str, core_sources())]
    subprocess.run(command, cwd=folder, check=True)
    return sorted(folder.glob("*.o"))


def symbols(objects: list[Path], *options: str) -> list[list[str]]:
    done = subprocess.run(["nm", *options, *map(str, objects)], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines() if line and not line.endswith(":")]


def test_undefined_symbols_are_on_the_allow_list(objects: list[Path]) -> None:
    defined = {line[-1] for line in symbols(objects, "--defined-only")}
    undefined = {line[-1] for line in symbols(objects, "--undefined-only")} - defined
    assert {name for name in undefined if not name.startswith("crypto_")} <= ALLOWED


def test_there_is_no_writable_memory(objects: list[Path]) -> None:
    writable = [line for line in symbols(objects, "--defined-only") if line[1].lower() in ("b", "d", "c")]
    assert writable == []


def test_every_public_function_is_called_after_the_project(objects: list[Path]) -> None:
    """Names shared between the core's own sources are `noun_verb`; they are in no public header."""
    public = "".join(path.read_text() for path in INCLUDE.glob("ota/*.h"))
    for line in symbols(objects, "--defined-only", "--extern-only"):
        assert line[-1].startswith("ota_") or line[-1] not in public
