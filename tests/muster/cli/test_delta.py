# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from tests.muster.cli.conftest import Run, RunJson
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
    assert header["target_identity"] == fixed.large_image().manifest.identity_prefix.hex()


def test_patch_for_another_base_is_refused(run: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    base, target = images
    patch, made = tmp_path / "patch", tmp_path / "made.bin"
    run("delta", "make", base, target, "-o", patch)
    assert "(OTA_ERR_PATCH_BASE)" in run("delta", "apply", target, patch, "-o", made, code=1).stderr
    assert not made.exists()


def test_other_file_is_no_patch(run: Run, images: tuple[Path, Path]) -> None:
    assert "not a patch" in run("delta", "inspect", images[0], code=2).stderr
