# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muster.build.driver import Built
from muster.image.image import Image
from tests.muster.cli.conftest import Run, RunJson
from tests.muster.cli.emulated import board_at_pty
from tests.vectors import fixed

BuildFirmware = Callable[..., Built]


@pytest.fixture
def blinks(built: BuildFirmware) -> tuple[Built, Built]:
    """Blink, versions 1 and 2."""
    return built("blink", "photon", 1), built("blink", "photon", 2)


def test_flash_sends_a_patch_from_a_known_base(run_json: RunJson, blinks: tuple[Built, Built]) -> None:
    before, after = blinks
    said: list[str] = []
    with board_at_pty(before.image_path.with_suffix(".hex"), said) as port:
        facts = run_json("flash", port, after.image_path, "--from", after.image_path, "--from", before.image_path)
        assert (facts["version_before"], facts["version"], facts["slot"], facts["state"]) == (1, 2, "B", "CONFIRMED")
        assert facts["identity"] == after.identity.hex()
        assert facts["sent_as"] == "patch"
        assert facts["sent_bytes"] < facts["full_bytes"]
        again = run_json("flash", port, after.image_path)
        assert (again["was_running_already"], again["sent_as"], again["sent_bytes"]) == (True, None, 0)
    assert [line.partition(": ")[2] for line in said] == ["reset (power on)", "reset (software)"]


def test_flash_sends_the_full_image_where_the_base_is_not_known(run: Run, blinks: tuple[Built, Built]) -> None:
    before, after = blinks
    with board_at_pty(before.image_path.with_suffix(".hex")) as port:
        result = run("flash", port, after.image_path, "--from", after.image_path)
    assert "sent as              full" in result.stdout
    assert "state                CONFIRMED" in result.stdout
    assert result.stderr == ""  # no terminal, no progress bar


def test_image_that_does_not_fit_the_device_is_refused_at_once(
    run: Run, built: BuildFirmware, blinks: tuple[Built, Built]
) -> None:
    with board_at_pty(blinks[0].image_path.with_suffix(".hex")) as port:
        platform = run("flash", port, built("blink", "p1", 1).image_path, code=1).stderr
        product = run("flash", port, built("thermostat", "photon").image_path, code=1).stderr
    assert platform == "error: the image is for p1, the device is a photon (OTA_ERR_PLATFORM)\n"
    assert product == "error: the image is for product 1234, the device runs product 1001 (OTA_ERR_PRODUCT)\n"


def test_image_that_the_device_refuses_is_an_error(run: Run, blinks: tuple[Built, Built], tmp_path: Path) -> None:
    """Unsigned: what the image says of itself is right, so only the device can refuse it."""
    before, after = blinks
    unsigned = tmp_path / "unsigned.bin"
    unsigned.write_bytes(Image.from_bytes(after.image_path.read_bytes()).without_signatures().raw)
    with board_at_pty(before.image_path.with_suffix(".hex")) as port:
        result = run("flash", port, unsigned, "--quiet", code=1)
        assert result.stderr.startswith("error: the device refuses the update: ")
        assert "(OTA_ERR_SIGNERS)" in result.stderr
        assert '"version": 1' in run("monitor", port, "--json").stdout


def test_port_that_is_not_there_is_one_line(run: Run, image_file: Path, tmp_path: Path) -> None:
    result = run("flash", tmp_path / "no-port", image_file, code=1)
    assert result.stderr.startswith(f"error: cannot open {tmp_path / 'no-port'}: ")
    assert result.stderr.count("\n") == 1


def test_file_that_is_no_image_is_refused_before_the_port_is_opened(run: Run, tmp_path: Path) -> None:
    junk = tmp_path / "junk.bin"
    junk.write_bytes(bytes(2000))
    result = run("flash", tmp_path / "no-port", junk, code=1)
    assert result.stderr.startswith(f"error: {junk}: the image starts at 0x00000000")
    image = tmp_path / "image.bin"
    image.write_bytes(fixed.small_image().raw)
    result = run("flash", tmp_path / "no-port", image, "--from", junk, code=1)
    assert result.stderr.startswith(f"error: {junk}: ")


def test_missing_file_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("flash", "/dev/null", tmp_path / "missing.bin", code=2).stderr
