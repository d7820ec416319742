# SPDX-License-Identifier: Apache-2.0
"""Links training images."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delta_training import glue
from delta_training.objects import Toolbox, compile_once, compiler_version, library_objects
from delta_training.recipe import Image, RecipeError, fingerprint
from muster.errors import MusterError
from muster.image.assemble import ImageSpec, assemble
from muster.layout import Slot
from muster.signing.keys import PrivateKey
from muster.signing.signer import KeySigner, sign_image

_CC = "arm-none-eabi-gcc"
_RAM = (0x2000_0000, 0x2000_0400, 0x2000_2000, 0x2000_0300)
_UNDEFINED = re.compile(r"undefined reference to `([^']+)'")
_GLUE_VERSION = 2
_SEED = bytes(range(32))
"""Of a signing key that nobody trusts."""
_SPEC = ImageSpec(
    product_id=901,
    product_version=1,
    platform_id=6,
    hardware_lowest=1,
    hardware_highest=3,
    security_counter=1,
    min_bootloader=1,
)


def image_key(tools: Toolbox, image: Image) -> str:
    """Names an image by everything that decides its bytes, without building it."""
    libraries = [tools.corpus.libraries[name] for name, _ in image.libraries]
    archives = [
        tools.corpus.archives[library.releases[version].archive].sha256
        for library, (_, version) in zip(libraries, image.libraries, strict=True)
    ]
    glue_code = Path(glue.__file__).read_text(encoding="utf-8")
    return fingerprint(_GLUE_VERSION, compiler_version(), image, libraries, archives, glue_code)


def built_image(tools: Toolbox, image: Image) -> bytes:
    """The bytes that a programmer would put at the image's base address.

    Raises:
        RecipeError: it does not compile or link.
    """
    library_flags = dict(image.library_flags)
    objects: list[Path] = []
    for name, version in image.libraries:
        edits = [edit for edit in image.edits if edit.library == name]
        flags = (*_image_flags(image), *library_flags.get(name, ()))
        objects += library_objects(tools, tools.corpus.libraries[name], version, flags, edits)
    strangers = {edit.library for edit in image.edits} - {name for name, _ in image.libraries}
    if strangers:
        raise RecipeError(f"edits of libraries that the image does not hold: {sorted(strangers)}")
    functions = glue.kept(_functions(objects), image.keep)
    if not image.muster_format:
        return _flat(tools, image, image.base, objects, functions)
    bodies = [_flat(tools, image, slot.addr, objects, functions) for slot in (Slot.A, Slot.B)]
    number = int(image.version.replace(".", ""))
    spec = replace(_SPEC, product_version=number)
    try:
        return sign_image(assemble(bodies[0], bodies[1], spec), KeySigner(PrivateKey(_SEED))).raw
    except MusterError as error:
        raise RecipeError(str(error)) from error


def _flat(tools: Toolbox, image: Image, base: int, objects: Sequence[Path], functions: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory(dir=tools.folder, prefix=".link-") as scratch:
        elf = _linked(tools, image, base, objects, functions, Path(scratch))
        binary = Path(scratch) / "image.bin"
        _run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(binary)])
        return binary.read_bytes()


def _image_flags(image: Image) -> tuple[str, ...]:
    # An address in a pair of MOVW and MOVT could not be relocated.
    return (*image.flags, "-mword-relocations") if image.muster_format else image.flags


def _linked(
    tools: Toolbox, image: Image, base: int, objects: Sequence[Path], functions: Sequence[str], scratch: Path
) -> Path:
    own = [
        _glue_object(tools, image, "start", glue.start_source(image.muster_format)),
        _glue_object(tools, image, "application", glue.application_source(functions, image.version)),
    ]
    script = scratch / "script.ld"
    order = glue.INTERLEAVED if image.interleaved else glue.CODE_THEN_CONSTANTS
    ram = _RAM[base >> 12 & 3]
    script.write_text(glue.SCRIPT.format(base=base, ram=ram, order=order), encoding="ascii")
    elf = scratch / "image.elf"
    cpu = [flag for flag in image.flags if flag.startswith(("-mcpu=", "-mfpu=", "-mfloat-abi="))]
    command = [_CC, "-mcpu=cortex-m3", "-mthumb", *cpu, "-nostartfiles", "-T", str(script)]
    command += [] if image.plain_libc else ["--specs=nano.specs"]
    options = ("gc-sections", "no-demangle", "build-id=none", "no-warn-rwx-segments")
    command += [*(f"-Wl,--{option}" for option in options), "-o", str(elf)]
    roots = scratch / "roots"
    roots.write_text("\n".join(f"-u {name}" for name in functions) + "\n", encoding="ascii")
    parts = [*map(str, own), *map(str, objects)]
    closing = [f"@{roots}", "-Wl,--start-group", "-lstdc++_nano", "-lm", "-lc_nano", "-lgcc", "-Wl,--end-group"]
    if image.plain_libc:
        closing = [f"@{roots}", "-Wl,--start-group", "-lm", "-lc", "-lgcc", "-Wl,--end-group"]
    stubs: list[str] = []
    for _ in range(4):
        extra = [str(_glue_object(tools, image, "stubs", glue.stub_source(sorted(stubs))))] if stubs else []
        done = subprocess.run([*command, *parts, *extra, *closing], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return elf
        missing = set(_UNDEFINED.findall(done.stderr)) - set(stubs)
        if not missing:
            raise RecipeError(f"the image does not link:\n{done.stderr[-1500:]}")
        stubs += missing
    raise RecipeError("stand-ins need stand-ins")


def _glue_object(tools: Toolbox, image: Image, name: str, text: str) -> Path:
    flags = (
        "-mcpu=cortex-m3",
        "-mthumb",
        "-Os",
        "-std=gnu11",
        "-w",
        "-ffunction-sections",
        "-fdata-sections",
        "-fno-builtin",
        *_image_flags(image),
    )
    key = fingerprint(compiler_version(), text, flags)
    folder = tools.folder / "objects" / key[:2]
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{key}.c"
    if not source.is_file():
        source.write_text(text, encoding="ascii")
    seed = [f"-frandom-seed={name}", f"-ffile-prefix-map={folder}=app"]
    return compile_once([_CC, *flags, *seed, "-c", str(source)], folder / f"{key}.o")


def _functions(objects: Sequence[Path]) -> list[str]:
    """Global functions of the objects, by link name, each once, in link order; weak ones left out."""
    output = _run(["arm-none-eabi-nm", "--defined-only", "--no-sort", *map(str, objects)])
    names = [parts[2] for line in output.splitlines() if len(parts := line.split()) == 3 and parts[1] == "T"]
    return [name for name in dict.fromkeys(names) if name not in ("main", "puts", "fault_report")]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RecipeError(f"{command[0]} failed: {done.stderr[-800:]}")
    return done.stdout
