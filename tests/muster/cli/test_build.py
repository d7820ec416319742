# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from muster.build.driver import source_root
from muster.build.selection import BUILD_FOLDER
from muster.cli.main import main
from muster.elf import Elf
from muster.image.image import Image
from muster.keystore import KeyStore
from tests.muster.cli.conftest import Run

BLINK = str(source_root() / "firmware/products/blink")
KEPT = "blink_kept"
"""A copy of blink under another name, so that what other tests build stays as it is."""
GROWN = "product_loop"
SHORT_LINE = "    is_on = !is_on;\n"
LONG_LINE = "    is_on = agent_time_ms() % 7u < 5u ? !is_on : agent_time_ms() % 11u < 3u;\n"


def test_facts_are_those_of_the_files(key_store: KeyStore) -> None:
    arguments = ["build", BLINK, "--platform", "p1", "--keys", str(key_store.folder), "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    (facts,) = json.loads(result.stdout)
    raw = Path(facts["image"]).read_bytes()
    assert (facts["product"], facts["platform"], facts["size"]) == ("blink", "p1", len(raw))
    assert facts["identity"] == Image.from_bytes(raw).identity.hex()
    assert all(Path(facts[kind]).is_file() for kind in ("hex", "elf"))
    assert {row["name"] for row in facts["budgets"]} == {
        *(f"{program} {memory}" for program in ("bootloader", "firmware") for memory in ("flash", "ram")),
        *(f"decoder {part}" for part in ("code", "tables", "state")),
    }


def test_product_of_the_current_folder_is_built(key_store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BLINK)
    result = CliRunner().invoke(main, ["build", "--platform", "p1", "--keys", str(key_store.folder)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].endswith("build/blink/p1/blink.bin")
    assert "firmware flash" in result.stdout


def test_keys_are_made_on_first_use(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    result = CliRunner().invoke(main, ["build", BLINK, "--platform", "argon", "--keys", str(keys)])
    assert (result.exit_code, result.stderr) == (1, "error: there is no platform argon (known: photon, p1, electron)\n")
    assert (keys / "development.pem").is_file()


@dataclass(frozen=True, slots=True)
class NextRelease:
    """A product whose last release is built, and in which one function has grown since.

    Attributes:
        build: runs `muster build` of the sources of today, with some more arguments.
        last: the outputs of the last release, copied to a folder of their own.
        out: the outputs of the latest build.
    """

    build: Callable[..., Result]
    last: Path
    out: Path


@pytest.fixture
def next_release(run: Run, key_store: KeyStore, tmp_path: Path) -> Iterator[NextRelease]:
    product, last = tmp_path / "product", tmp_path / "last"
    outputs = source_root() / BUILD_FOLDER / KEPT

    def build(*arguments: object, code: int = 0) -> Result:
        return run("build", product, "--platform", "p1", "--keys", key_store.folder, *arguments, code=code)

    shutil.copytree(BLINK, product)
    replace(product / "product.toml", 'name = "blink"', f'name = "{KEPT}"')
    # The build folder is shared with other workers: nobody else builds this product meanwhile.
    with outputs.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build()
        shutil.copytree(outputs, last)
        replace(product / "blink.c", SHORT_LINE, LONG_LINE)
        yield NextRelease(build, last, outputs / "p1")


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def places(folder: Path) -> set[tuple[str, str, int]]:
    """Name, source and address of every function, constant and variable of a build."""
    symbols = Elf.from_bytes((folder / f"{KEPT}.elf").read_bytes()).symbols
    return {(symbol.name, symbol.object_file, symbol.addr) for symbol in symbols if symbol.size > 0}


def size_of(name: str, folder: Path) -> int:
    symbols = Elf.from_bytes((folder / f"{KEPT}.elf").read_bytes()).symbols
    return next(symbol.size for symbol in symbols if symbol.name == name)


@pytest.mark.parametrize("named", [".", f"p1/{KEPT}.map"], ids=["folder", "map"])
def test_kept_layout_leaves_every_function_that_did_not_grow_where_it_was(
    named: str, next_release: NextRelease
) -> None:
    last, out = next_release.last / "p1", next_release.out
    before = places(last)
    assert len(before) > 500
    next_release.build("--keep-layout", next_release.last / named)
    assert size_of(GROWN, out) > size_of(GROWN, last)
    # The longer function makes room itself, or the one behind it does.
    assert len(before - places(out)) <= 1


def test_functions_move_when_no_layout_is_kept(next_release: NextRelease) -> None:
    next_release.build()
    assert size_of(GROWN, next_release.out) > size_of(GROWN, next_release.last / "p1")
    assert len(places(next_release.last / "p1") - places(next_release.out)) > 100


def test_user_reads_what_was_kept_and_what_it_costs(next_release: NextRelease) -> None:
    keep = ("--keep-layout", next_release.last)
    last_line = next_release.build(*keep).stdout.splitlines()[-1]
    (facts,) = json.loads(next_release.build(*keep, "--json").stdout)
    layout = facts["layout"]
    assert (layout["kept"], layout["refusal"]) == (True, "")
    assert layout["in_place"] == layout["sections"] - 1 > 500
    title, summary = last_line.split(maxsplit=1)
    assert title == "layout"
    assert summary.startswith(f"kept: {layout['in_place']:,} of {layout['sections']:,} sections in place; ")
    assert f"flash {layout['flash_extra']:+,} bytes (" in summary
    assert f"RAM {layout['ram_extra']:+,} bytes (" in summary
    assert (next_release.out / "layout.txt").read_text().splitlines()[0] == f"layout {summary}"


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ("nothing.map", 2, "Invalid value for '--keep-layout': Path '{path}' does not exist."),
        ("empty", 1, "there is no {path}/p1/blink.map: the layout of the last release is kept by its map"),
        ("notes.txt", 1, "the layout of the last release is kept by its map"),
    ],
)
def test_layout_that_is_not_there_is_one_clear_line(
    wrong: str, code: int, message: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("release 7\n")
    result = run("build", BLINK, "--platform", "p1", "--keep-layout", tmp_path / wrong, code=code)
    assert result.stdout == ""
    last_line = result.stderr.splitlines()[-1]
    assert last_line.lower().startswith("error: ")
    assert last_line.endswith(message.format(path=tmp_path / wrong))


def test_layout_of_the_outputs_that_are_overwritten_is_refused(next_release: NextRelease) -> None:
    own = next_release.out / f"{KEPT}.map"
    result = next_release.build("--keep-layout", own, code=1)
    assert result.stderr == f"error: {own} is what this build writes: copy the files of the last release elsewhere\n"


@pytest.mark.parametrize("content", [b"this is a letter\n", b"\x7fELF\xff\xfe"], ids=["text", "binary"])
def test_map_that_is_none_is_refused(next_release: NextRelease, tmp_path: Path, content: bytes) -> None:
    wrong = tmp_path / "wrong.map"
    wrong.write_bytes(content)
    result = next_release.build("--keep-layout", wrong, code=1)
    assert "error:" in result.stderr
    assert f"{wrong} is no linker map: give the .map that the build of the last release wrote" in result.stderr
    assert result.stderr.count("\n") == 1
