# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.delta import Patch, PatchKind, PatchProfile
from muster.delta.trace import Coding, Segment, Spent, Trace
from muster.layout import SLOT_A_ADDR
from tests.muster.cli.conftest import Run, RunJson
from tests.muster.delta.explained import releases
from tests.vectors import fixed


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    base, target = tmp_path / "base.bin", tmp_path / "target.bin"
    base.write_bytes(fixed.small_image().raw)
    target.write_bytes(fixed.large_image().raw)
    return base, target


def test_patch_makes_the_target(run_json: RunJson, images: tuple[Path, Path], tmp_path: Path) -> None:
    base, target = images
    patch, made = tmp_path / "patch", tmp_path / "made.bin"
    facts = run_json("delta", "make", base, target, "-o", patch)
    assert facts["size"] == patch.stat().st_size
    assert facts["full_size"] > 0
    assert run_json("delta", "apply", base, patch, "-o", made)["size"] == target.stat().st_size
    assert made.read_bytes() == target.read_bytes()
    header = run_json("delta", "inspect", patch)
    assert header["target_check"] == fixed.large_image().manifest.identity_prefix[:4].hex()


@pytest.mark.parametrize("how", ["--full", "-"])
def test_full_image_needs_no_base(
    how: str, run: Run, run_json: RunJson, images: tuple[Path, Path], tmp_path: Path
) -> None:
    patch, made = tmp_path / "patch", tmp_path / "made.bin"
    facts = run_json("delta", "make", how, images[1], "-o", patch)
    assert facts["size"] == facts["full_size"]
    assert facts["profile"] == PatchProfile.LARGE.value
    run("delta", "apply", "-", patch, "-o", made)
    assert made.read_bytes() == images[1].read_bytes()


@pytest.mark.parametrize("load_base", ["0x08020000", "134348800"])
def test_kind_and_address_can_be_given(load_base: str, run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    patch, made = tmp_path / "patch", tmp_path / "made.bin"
    run("delta", "make", *images, "-o", patch, "--kind", "raw", "--load-base", load_base)
    header = Patch.from_bytes(patch.read_bytes()).header
    assert (header.kind, header.load_base) == (PatchKind.RAW, 0x0802_0000)
    run("delta", "apply", images[0], patch, "-o", made)
    assert made.read_bytes() == images[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{target}"], "give BASE and TARGET"),
        (["{base}", "{target}", "--full"], "give TARGET alone"),
        (["{base}", "-"], "TARGET is a file"),
        (["{base}", "{target}", "--load-base", "flash"], "is no number"),
        (["{base}", "{target}", "--load-base", "0x100000000"], "is not between 0 and 0xFFFFFFFF"),
        (["{base}", "{target}", "--profile", "huge"], "small"),
    ],
)
def test_wrong_usage_says_what_to_give(
    arguments: list[str], message: str, run: Run, images: tuple[Path, Path], tmp_path: Path
) -> None:
    given = [argument.format(base=images[0], target=images[1]) for argument in arguments]
    assert message in run("delta", "make", *given, "-o", tmp_path / "patch", code=2).stderr
    assert not (tmp_path / "patch").exists()


def test_elf_files_are_held_against_their_images(run: Run, tmp_path: Path) -> None:
    old, new = releases()
    files = {"old.bin": old.image, "new.bin": new.image, "old.elf": old.elf, "new.elf": new.elf}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    both = ["delta", "make", tmp_path / "old.bin", tmp_path / "new.bin", "-o", tmp_path / "patch"]
    run(*both, "--base-elf", tmp_path / "old.elf", "--target-elf", tmp_path / "new.elf")
    (tmp_path / "patch").unlink()
    error = run(*both, "--base-elf", tmp_path / "old.elf", "--target-elf", tmp_path / "old.elf", code=1).stderr
    assert "old.elf: the ELF file is not this image's: they differ at 0x0802" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "patch").exists()


def test_patch_for_another_base_is_refused(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    base, target = images
    patch, made = tmp_path / "patch", tmp_path / "made.bin"
    run("delta", "make", base, target, "-o", patch)
    assert "(OTA_ERR_PATCH_BASE)" in run("delta", "apply", target, patch, "-o", made, code=1).stderr
    assert not made.exists()


def test_cut_patch_is_one_line(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    patch = tmp_path / "patch"
    run("delta", "make", *images, "-o", patch)
    whole = patch.read_bytes()
    for length, command in [(5, "inspect"), (Patch.from_bytes(whole).header.size, "apply")]:
        patch.write_bytes(whole[:length])
        arguments = [patch] if command == "inspect" else [images[0], patch, "-o", tmp_path / "made"]
        error = run("delta", command, *arguments, code=1).stderr
        assert error.startswith("error: ")
        assert error.endswith("(OTA_ERR_PATCH_TRUNCATED)\n")


def test_other_file_is_no_patch(run: Run, images: tuple[Path, Path]) -> None:
    assert "not a patch" in run("delta", "inspect", images[0], code=2).stderr


def test_header_alone_says_that_the_rest_needs_the_base(
    run: Run, run_json: RunJson, images: tuple[Path, Path], tmp_path: Path
) -> None:
    patch = tmp_path / "patch"
    run("delta", "make", *images, "-o", patch)
    assert "With --base BASE comes the rest" in run("delta", "inspect", patch).stdout
    assert "map" not in run_json("delta", "inspect", patch)


def test_map_and_streams_are_shown_with_the_base(
    run: Run, run_json: RunJson, images: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = tmp_path / "patch"
    run("delta", "make", *images, "-o", patch)

    def hand_made(base: bytes, raw: bytes) -> Trace:
        assert base == images[0].read_bytes()
        spent = (Spent(0, 0, 24.0, Coding.MAP), Spent(0, 8, 40.0, Coding.LITERAL), Spent(8, 1, 0.5, Coding.LITERAL))
        segments = (Segment(0x240, 0x200, 900, False, True), Segment(0x800, 0x100, 8, True, False))
        return Trace(Patch.from_bytes(raw).header, 32, spent, segments)

    monkeypatch.setattr("muster.cli.delta.trace", hand_made)
    facts = run_json("delta", "inspect", patch, "--base", images[0])
    assert facts["map"] == [{"target": "0x000240", "source": "0x000200", "length": 900, "moved": 64}]
    assert facts["spent_bits"] == {"header": 256, "map": 24, "literal": 40}
    assert (facts["copies_from_base"], facts["copies_from_target"]) == (1, 1)
    text = run("delta", "inspect", patch, "--base", images[0]).stdout
    assert "target 0x000240  source 0x000200  length 900  moved 64\n" in text
    assert "  literal  5.1 bytes\n" in text
    assert "With --base" not in text


def test_real_patch_is_taken_apart(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    old, new = releases()
    base, target, patch = (tmp_path / name for name in ("old.bin", "new.bin", "old-new.patch"))
    base.write_bytes(old.image)
    target.write_bytes(new.image)
    run("delta", "make", base, target, "-o", patch)
    facts = run_json("delta", "inspect", patch, "--base", base)
    stream_bits = 8 * facts["stream_size"]
    assert sum(facts["spent_bits"].values()) - facts["spent_bits"]["header"] == pytest.approx(stream_bits, abs=36)
    assert facts["spent_bits"]["signatures and ids"] > 0
    assert facts["map"]
    assert all(int(entry["target"], 0) + entry["length"] <= len(new.image) for entry in facts["map"])
    assert "  relocations " in run("delta", "inspect", patch, "--base", base).stdout


def test_address_of_other_images_is_that_of_their_elf_file(run: Run, tmp_path: Path) -> None:
    old, new = releases()
    for name, release in (("old", old), ("new", new)):
        (tmp_path / f"{name}.bin").write_bytes(release.image)
        (tmp_path / f"{name}.elf").write_bytes(release.elf)
    patch = tmp_path / "patch"
    pair = [tmp_path / "old.bin", tmp_path / "new.bin", "-o", patch, "--kind", "raw"]
    run("delta", "make", *pair, "--target-elf", tmp_path / "new.elf")
    assert Patch.from_bytes(patch.read_bytes()).header.load_base == SLOT_A_ADDR
