# SPDX-License-Identifier: Apache-2.0
"""SCons tool: compiles and links for Cortex-M3 with arm-none-eabi-gcc.

Adds the builders `FirmwareElf(target, sources, LINK_SCRIPT=node)`, which makes an ELF and its map and with
`LAYOUT=node` holds them against a kept layout, and `TrialElf(target, sources, LINK_SCRIPT=node)`, which makes an ELF,
its map, and the list of its input sections; and the method `HideFolder(folder)`.
The same sources give the same bytes in any folder: no absolute path reaches an output.
"""

from pathlib import Path
from typing import Any

from SCons.Action import Action
from SCons.Builder import Builder
from SCons.Errors import BuildError

from muster.build.kept_layout import KeptLayout
from muster.build.link_inputs import LinkInputs
from muster.build.mapfile import LinkMap, without_folders
from muster.errors import MusterError

CPU = ["-mcpu=cortex-m3", "-mthumb"]


def exists(env: Any) -> bool:
    return bool(env.Detect("arm-none-eabi-gcc"))


def generate(env: Any) -> None:
    env.Tool("gcc")
    verbose = env.get("VERBOSE", False)
    env.Replace(
        CC="arm-none-eabi-gcc",
        OBJSUFFIX=".o",
        CFLAGS=["-std=c11"],
        CCFLAGS=[
            *CPU,
            "-Os",
            "-g3",
            "-ffreestanding",
            "-ffunction-sections",
            "-fdata-sections",
            "-fno-common",
            "-mword-relocations",  # an address is a word that relocation can raise, never a MOVW/MOVT pair
            "-Wall",
            "-Wextra",
            "-Wconversion",
            "-Werror",
        ],
        LINK="arm-none-eabi-gcc",
        # No LTO: its objects differ from run to run. No build id: it would hide that two builds are the same.
        LINKFLAGS=[
            *CPU,
            "-nostartfiles",
            "--specs=nano.specs",
            "-Wl,--gc-sections",
            "-Wl,--build-id=none",
            "-Wl,--fatal-warnings",
        ],
        FIRMWARE_LINKCOM="$LINK $LINKFLAGS -T $LINK_SCRIPT -Wl,-Map=${TARGETS[1]} -o $TARGET $SOURCES",
        CCCOMSTR=None if verbose else "compile $SOURCE",
    )
    env.AddMethod(_hide_folder, "HideFolder")
    env.HideFolder(env.Dir("#").abspath)
    link = Action("$FIRMWARE_LINKCOM", None if verbose else "link $TARGET")
    clean, check, list_inputs = (
        Action(step, lambda target, source, env: None) for step in (_clean_map, _check_layout, _list_inputs)
    )
    env.Append(
        BUILDERS={
            "FirmwareElf": Builder(action=[link, clean, check], suffix=".elf", src_suffix=".o", emitter=_emit_elf),
            "TrialElf": Builder(action=[link, list_inputs, clean], suffix=".elf", src_suffix=".o", emitter=_emit_trial),
        }
    )


def _hide_folder(env: Any, folder: str) -> None:
    """Keeps the place of a folder out of debug information and __FILE__."""
    # Between $( and $): the same sources in another folder give the same bytes, so nothing is to be built again there.
    env.Append(CCFLAGS=["$(", f"-ffile-prefix-map={folder}=.", "$)"])


def _emit_elf(target: list[Any], source: list[Any], env: Any) -> tuple[list[Any], list[Any]]:
    map_file = target[0].get_abspath().removesuffix(".elf") + ".map"
    env.Depends([target[0], map_file], [env["LINK_SCRIPT"], *env.get("LAYOUT", [])])
    return [target[0], env.File(map_file)], source


def _emit_trial(target: list[Any], source: list[Any], env: Any) -> tuple[list[Any], list[Any]]:
    target, source = _emit_elf(target, source, env)
    target.append(env.File(target[0].get_abspath().removesuffix(".elf") + ".json"))
    env.Depends(target, [env["LINK_SCRIPT"], *env.Glob("#tools/muster/build/link_inputs.py")])
    env.Depends(target, env.Glob("#tools/muster/build/mapfile.py"))
    return target, source


def _clean_map(target: list[Any], source: list[Any], env: Any) -> None:
    path = Path(target[1].abspath)
    path.write_text(without_folders(path.read_text(encoding="utf-8")), encoding="utf-8")


def _check_layout(target: list[Any], source: list[Any], env: Any) -> None:
    for layout in env.get("LAYOUT", []):
        try:
            kept = KeptLayout.from_json(Path(layout.abspath).read_text(encoding="utf-8"))
            kept.check(LinkMap.from_text(Path(target[1].abspath).read_text(encoding="utf-8")))
        except MusterError as error:
            raise BuildError(node=target[0], errstr=str(error)) from error


def _list_inputs(target: list[Any], source: list[Any], env: Any) -> None:
    try:
        # Before the map is cleaned: it still says where the compiler's own libraries are.
        inputs = LinkInputs.read(Path(target[1].abspath).read_text(encoding="utf-8"), Path(env.Dir("#").abspath))
    except MusterError as error:
        raise BuildError(node=target[0], errstr=str(error)) from error
    Path(target[2].abspath).write_text(inputs.to_json(), encoding="utf-8")
