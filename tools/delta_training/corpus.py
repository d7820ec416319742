# SPDX-License-Identifier: Apache-2.0
"""Makes the training corpus on disk.

`pairs/` holds NAME.old, NAME.new and bases.csv (name, load address), the format that the benchmark's --pairs reads, and
families.csv (name, family, kind, 1 when held out). `images/` holds the same for pairs in Muster's own image format.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from delta_training.images import built_image, image_key
from delta_training.microbit import embedded_image
from delta_training.objects import Toolbox
from delta_training.recipe import HexPair, Pair, RecipeError, fingerprint
from delta_training.sources import unpacked

FOLDERS = ("pairs", "images")


def build_pairs(tools: Toolbox, wanted: Callable[[str], bool], say: Callable[[str], None]) -> list[str]:
    """Makes all pairs that `wanted` accepts by name and that are not there yet; says one line for each.

    Returns: the pairs that could not be made, with the reason (an empty list is success).
    """
    for name in (*FOLDERS, "keys"):
        (tools.folder / name).mkdir(parents=True, exist_ok=True)
    _remove_strangers(tools)
    failed: list[str] = []
    for pair in tools.corpus.pairs:
        mark = tools.folder / "keys" / pair.name
        key = _pair_key(tools, pair)
        if not wanted(pair.name) or (mark.is_file() and mark.read_text(encoding="ascii").split(",")[0] == key):
            continue
        try:
            base, old, new = _hex_images(tools, pair) if isinstance(pair, HexPair) else _images(tools, pair)
        except RecipeError as error:
            failed.append(f"{pair.name}: {error}")
            say(f"FAILED {failed[-1]}")
            continue
        folder = tools.folder / _folder(pair)
        (folder / f"{pair.name}.old").write_bytes(old)
        (folder / f"{pair.name}.new").write_bytes(new)
        mark.write_text(f"{key},{base:#010x}", encoding="ascii")
        say(f"{pair.name}: {len(old)} -> {len(new)} bytes at {base:#010x}")
        _write_lists(tools)
    _write_lists(tools)
    return failed


def _folder(pair: Pair | HexPair) -> str:
    return "images" if isinstance(pair, Pair) and pair.old.muster_format else "pairs"


def _remove_strangers(tools: Toolbox) -> None:
    """Removes what the recipe no longer has, or has somewhere else."""
    homes = {pair.name: _folder(pair) for pair in tools.corpus.pairs}
    for mark in (tools.folder / "keys").iterdir():
        if mark.name not in homes:
            mark.unlink()
    for name in FOLDERS:
        for file in (tools.folder / name).iterdir():
            if file.suffix in (".old", ".new") and homes.get(file.stem) != name:
                file.unlink()


def _write_lists(tools: Toolbox) -> None:
    made = [pair for pair in tools.corpus.pairs if _base(tools, pair.name) is not None]
    made.sort(key=lambda pair: pair.name)
    for name in FOLDERS:
        here = [pair for pair in made if _folder(pair) == name]
        folder = tools.folder / name
        _write_table(folder / "bases.csv", ("name", "base"), ((pair.name, _base(tools, pair.name)) for pair in here))
        rows = ((pair.name, pair.family, pair.kind, int(pair.family in tools.corpus.held_out)) for pair in here)
        _write_table(folder / "families.csv", ("name", "family", "kind", "held_out"), rows)


def _write_table(path: Path, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    scratch = path.with_suffix(".part")
    with scratch.open("w", encoding="ascii", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)
    scratch.replace(path)


def _base(tools: Toolbox, name: str) -> str | None:
    mark = tools.folder / "keys" / name
    return mark.read_text(encoding="ascii").split(",")[1] if mark.is_file() else None


def _pair_key(tools: Toolbox, pair: Pair | HexPair) -> str:
    if isinstance(pair, HexPair):
        return fingerprint("hex", [tools.corpus.archives[name].sha256 for name in (pair.old, pair.new)])
    return fingerprint(image_key(tools, pair.old), image_key(tools, pair.new))


def _images(tools: Toolbox, pair: Pair) -> tuple[int, bytes, bytes]:
    old, new = built_image(tools, pair.old), built_image(tools, pair.new)
    if old == new:
        raise RecipeError("both images are the same")
    return pair.new.base, old, new


def _hex_images(tools: Toolbox, pair: HexPair) -> tuple[int, bytes, bytes]:
    (old_base, old), (base, new) = (
        embedded_image(unpacked(tools.corpus.archives[name], tools.folder)) for name in (pair.old, pair.new)
    )
    if old_base != base or old == new:
        raise RecipeError("the two images lie at different addresses, or are the same")
    return base, old, new
