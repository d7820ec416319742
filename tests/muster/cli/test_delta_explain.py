# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from muster.delta import encode
from muster.delta.trace import Trace
from tests.muster.cli.conftest import Run, RunJson
from tests.muster.delta.explained import hand_made_trace, releases


@dataclass(frozen=True, slots=True)
class Files:
    """Two releases with their ELF files and maps, and a patch between them."""

    old: Path
    new: Path
    patch: Path

    @property
    def elfs(self) -> list[object]:
        return ["--base-elf", self.old.with_suffix(".elf"), "--target-elf", self.new.with_suffix(".elf")]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """The trace is made by hand, so that the numbers are known."""
    for name, release in zip(("old", "new"), releases(), strict=True):
        (tmp_path / f"{name}.bin").write_bytes(release.image)
        (tmp_path / f"{name}.elf").write_bytes(release.elf)
        (tmp_path / f"{name}.map").write_text(release.map)
    old, new = releases()
    patch = tmp_path / "old-new.patch"
    patch.write_bytes(encode(old.image, new.image).raw)

    def hand_made(base: bytes, raw: bytes) -> Trace:
        assert (base, raw) == (old.image, patch.read_bytes())
        return hand_made_trace(old, new)

    monkeypatch.setattr("muster.cli.delta_explain.trace", hand_made)
    return Files(tmp_path / "old.bin", tmp_path / "new.bin", patch)


def test_engineer_reads_what_made_the_patch_large(run: Run, files: Files) -> None:
    lines = run("delta", "explain", files.old, files.patch, *files.elfs).stdout.splitlines()
    assert lines[0].startswith(f"The patch has {files.patch.stat().st_size:,} bytes, ")
    assert any("is new code and data: added (25 bytes)." in line for line in lines)
    assert any(line.startswith("Gone: 1 with ") and "gone" in line for line in lines)
    added = next(line for line in lines if " added " in line and "explained.o" in line)
    assert added.split()[0] == "25.0"
    assert added.endswith("new               literal 25.0")
    assert any(" grew by " in line for line in lines)


def test_facts_add_up_to_the_patch(run_json: RunJson, files: Files) -> None:
    facts = run_json("delta", "explain", files.old, files.patch, *files.elfs)
    assert facts["patch_size"] == files.patch.stat().st_size
    assert sum(row["bits"] for row in facts["rows"]) == pytest.approx(8 * facts["patch_size"], abs=0.5)
    assert sum(share["bits"] for share in facts["shares"]) == pytest.approx(8 * facts["patch_size"], abs=0.5)
    added = next(row for row in facts["rows"] if row["name"] == "added")
    assert (added["bits"], added["change"], added["object_file"]) == (200.0, "new", "explained.o")
    assert added["spent_bits"] == {"literal": 200.0}
    assert added["address"].startswith("0x0802")
    assert facts["removed"][0]["name"] == "gone"


@pytest.mark.parametrize(("by", "name"), [("object", "explained.o"), ("section", ".text")])
def test_rows_can_be_object_files_or_sections(by: str, name: str, run_json: RunJson, files: Files) -> None:
    rows = run_json("delta", "explain", files.old, files.patch, *files.elfs, "--by", by)["rows"]
    assert name in [row["name"] for row in rows]


def test_top_limits_the_rows(run: Run, run_json: RunJson, files: Files) -> None:
    assert len(run_json("delta", "explain", files.old, files.patch, "--top", 2)["rows"]) == 2
    last = run("delta", "explain", files.old, files.patch, "--top", 2).stdout.splitlines()[-1]
    assert last.startswith("and ")
    assert last.endswith(" together")


def test_page_is_written(run: Run, files: Files, tmp_path: Path) -> None:
    run("delta", "explain", files.old, files.patch, *files.elfs, "--html", tmp_path / "why.html")
    page = (tmp_path / "why.html").read_text()
    assert "<h1>old-new.patch: where its bits go</h1>" in page
    assert ">added</text>" in page


def test_without_elf_files_rows_are_addresses(run: Run, files: Files) -> None:
    text = run("delta", "explain", files.old, files.patch).stdout
    assert "Hint: With --target-elf and --base-elf" in text
    assert " 0x08020000 " in text


def test_map_beside_the_elf_file_is_used_if_it_is_of_the_same_link(run: Run, run_json: RunJson, files: Files) -> None:
    def object_of_added() -> str:
        rows = run_json("delta", "explain", files.old, files.patch, *files.elfs)["rows"]
        return str(next(row["object_file"] for row in rows if row["name"] == "added"))

    assert object_of_added() == "explained.o"
    files.new.with_suffix(".map").write_text(releases()[0].map)
    assert object_of_added() == "explained.c"
    wrong = ["--target-map", files.new.with_suffix(".map")]
    assert (
        "map is not of this ELF" in run("delta", "explain", files.old, files.patch, *files.elfs, *wrong, code=1).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{old}.bin", "{old}.bin"], 2, "is not a patch"),
        (["{old}.bin", "{patch}", "--base-elf", "{old}.elf"], 2, "need --target-elf"),
        (["-", "{patch}", "--base-elf", "{old}.elf", "--target-elf", "{new}.elf"], 2, "needs a BASE"),
        (["{new}.bin", "{patch}"], 1, "(OTA_ERR_PATCH_BASE)"),
        (["-", "{patch}"], 1, "(OTA_ERR_PATCH_BASE)"),
        (["{old}.bin", "{patch}", "--target-elf", "{old}.elf"], 1, "old.elf: the ELF file is not this image's"),
        (["{old}.bin", "{patch}", "--target-elf", "{new}.bin"], 1, "new.bin: not an ELF file"),
        (["{old}.bin", "{patch}", "--target-elf", "{new}.elf", "--target-map", "{new}.bin"], 1, "not a linker map"),
    ],
)
def test_wrong_input_is_one_clear_line(arguments: list[str], code: int, message: str, run: Run, files: Files) -> None:
    names = {"old": files.old.with_suffix(""), "new": files.new.with_suffix(""), "patch": files.patch}
    result = run("delta", "explain", *(argument.format(**names) for argument in arguments), code=code)
    assert message in result.stderr
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].lower().startswith("error: ")


@pytest.fixture
def real_files(tmp_path: Path) -> Files:
    """The same releases and what the coder makes of them."""
    for name, release in zip(("old", "new"), releases(), strict=True):
        (tmp_path / f"{name}.bin").write_bytes(release.image)
        (tmp_path / f"{name}.elf").write_bytes(release.elf)
        (tmp_path / f"{name}.map").write_text(release.map)
    return Files(tmp_path / "old.bin", tmp_path / "new.bin", tmp_path / "real.patch")


def test_real_patch_is_explained(run: Run, run_json: RunJson, real_files: Files, tmp_path: Path) -> None:
    files, page = real_files, tmp_path / "why.html"
    run("delta", "make", files.old, files.new, "-o", files.patch)
    facts = run_json("delta", "explain", files.old, files.patch, *files.elfs, "--html", page)
    assert sum(row["bits"] for row in facts["rows"]) == pytest.approx(8 * facts["patch_size"], abs=0.5)
    rows = {row["name"]: row for row in facts["rows"]}
    assert abs(rows["end of the stream"]["bits"]) <= 32
    assert rows["added"]["change"] == "new"
    assert rows["added"]["bits"] > 3 * rows["added"]["size"]
    assert rows["added"]["bits"] > 8 * rows["moved"]["bits"]
    assert (rows["grew"]["grown"] or 0) > 0
    assert ">grew</text>" in page.read_text()
    text = run("delta", "explain", files.old, files.patch, *files.elfs).stdout
    assert "is new code and data: added (" in text


def test_full_image_is_new_as_a_whole(run: Run, run_json: RunJson, real_files: Files) -> None:
    files = real_files
    run("delta", "make", "--full", files.new, "-o", files.patch, "--profile", "large")
    facts = run_json("delta", "explain", "-", files.patch, "--target-elf", files.new.with_suffix(".elf"))
    causes = {share["cause"] for share in facts["shares"]}
    assert "new code and data" in causes
    assert causes.isdisjoint({"changed code and data", "references to what moved"})
    assert not facts["hints"]


def test_elf_files_say_where_other_images_are_linked_to(run: Run, run_json: RunJson, real_files: Files) -> None:
    files = real_files
    run("delta", "make", files.old, files.new, "-o", files.patch, "--kind", "raw")
    rows = run_json("delta", "explain", files.old, files.patch, *files.elfs)["rows"]
    assert next(row["address"] for row in rows if row["name"] == "added").startswith("0x0802")
    # Nothing knows where a raw image without an ELF file lies.
    rows = run_json("delta", "explain", files.old, files.patch)["rows"]
    assert "0x00000000" in [row["address"] for row in rows]


def test_cheap_rows_are_shown_to_who_asks_for_them(run: Run, real_files: Files) -> None:
    files = real_files
    run("delta", "make", files.old, files.new, "-o", files.patch)
    explain = ["delta", "explain", files.old, files.patch, *files.elfs]
    few, many = (run(*explain, *top).stdout.splitlines() for top in ([], ["--top", 1000]))
    assert len(few) < len(many)
    assert few[-1].startswith("and ")
