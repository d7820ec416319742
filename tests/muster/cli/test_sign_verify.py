# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.image.image import Image
from muster.signing.keys import write_private_key
from tests.muster.cli.conftest import Run, RunJson
from tests.vectors import fixed


@pytest.fixture
def keyset_file(tmp_path: Path) -> Path:
    path = tmp_path / "keyset.cbor"
    path.write_bytes(fixed.keyset_v1().to_bytes())
    return path


def _key_file(folder: Path, name: str) -> Path:
    path = folder / f"{name}.pem"
    if not path.exists():
        write_private_key(path, fixed.key(name))
    return path


def test_development_key_signs_by_default(run_json: RunJson, image_file: Path) -> None:
    signed = run_json("sign", image_file)
    assert signed["file"] == str(image_file)
    assert len(signed["signatures"]) == 1
    verified = run_json("verify", image_file)
    assert verified["valid"] is True
    assert verified["development_signatures"] == signed["signatures"]


def test_named_keys_sign_for_production(run_json: RunJson, image_file: Path, keyset_file: Path, tmp_path: Path) -> None:
    keys = [f"file:{_key_file(tmp_path, name)}" for name in ("release-1", "release-2")]
    output = tmp_path / "signed.bin"
    before = image_file.read_bytes()
    run_json("sign", image_file, "--key", keys[0], "--key", keys[1], "-o", output)
    assert image_file.read_bytes() == before
    assert Image.from_bytes(output.read_bytes()) == fixed.signed_image("release-1", "release-2")
    facts = run_json(
        "verify", output, "--keyset", keyset_file, "--product", 1234, "--platform", "photon", "--hardware", 2
    )
    assert len(facts["release_signatures"]) == 2


@pytest.mark.parametrize(
    ("option", "value", "status"),
    [
        ("--product", "1235", "OTA_ERR_PRODUCT"),
        ("--platform", "p1", "OTA_ERR_PLATFORM"),
        ("--platform", "10", "OTA_ERR_PLATFORM"),
        ("--hardware", "4", "OTA_ERR_HARDWARE"),
        ("--bootloader", "0", "OTA_ERR_BOOTLOADER_TOO_OLD"),
        ("--counter", "3", "OTA_ERR_SECURITY_COUNTER"),
    ],
)
def test_image_for_another_device_is_refused(option: str, value: str, status: str, run: Run, image_file: Path) -> None:
    run("sign", image_file)
    result = run("verify", image_file, option, value, code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert f"({status})" in result.stderr


def test_unsigned_image_is_refused(run: Run, image_file: Path, keyset_file: Path) -> None:
    assert "(OTA_ERR_SIGNERS)" in run("verify", image_file, code=1).stderr
    assert "(OTA_ERR_SIGNERS)" in run("verify", image_file, "--keyset", keyset_file, code=1).stderr


def test_development_signature_is_not_enough_for_production(run: Run, image_file: Path) -> None:
    run("sign", image_file)
    assert "(OTA_ERR_SIGNERS)" in run("verify", image_file, "--lifecycle", "production", code=1).stderr


def test_damaged_image_is_refused_by_both(run: Run, image_file: Path) -> None:
    raw = bytearray(image_file.read_bytes())
    raw[0x300] ^= 1
    image_file.write_bytes(raw)
    for command in ("sign", "verify", "inspect"):
        assert "(OTA_ERR_HASH)" in run(command, image_file, code=1).stderr
    assert image_file.read_bytes() == raw


def test_wrong_usage_is_exit_code_2(run: Run, image_file: Path, tmp_path: Path) -> None:
    run("sign", code=2)
    run("sign", tmp_path / "missing.bin", code=2)
    run("verify", image_file, "--hardware", "70000", code=2)


def test_bad_key_is_one_line(run: Run, image_file: Path) -> None:
    assert (
        run("sign", image_file, "--key", "pkcs11:x", code=1).stderr == "error: no signer for pkcs11: (known: file:)\n"
    )
    assert "no platform zero" in run("verify", image_file, "--platform", "zero", code=1).stderr
