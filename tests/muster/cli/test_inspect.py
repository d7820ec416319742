# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from muster.delta import encode
from muster.device import bootlog
from muster.device.hexfile import board_hex, factory_hex, segments_of
from muster.keystore import KeyStore
from muster.layout import FLASH_ADDR, FLASH_SIZE, Slot
from muster.signing.signer import sign_image
from tests.muster.cli.conftest import Run, RunJson
from tests.vectors import fixed

_BOOTLOADER = bytes(0x184) + b"TOOB\x03\x00\x06\x00" + bytes(100) + b"\x01"


@pytest.fixture
def store(key_folder: Path) -> KeyStore:
    return KeyStore.open(key_folder, os.urandom)


@pytest.fixture
def hex_text(store: KeyStore) -> str:
    image = sign_image(fixed.small_image(), store.signer("development"))
    return board_hex(_BOOTLOADER, image, store.identity(1234, 6, 2), store.keyset())


def _file(folder: Path, raw: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(raw)
    return path


def test_image(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    image = fixed.signed_image("release-1", "release-2")
    path = _file(tmp_path, image.raw)
    facts = run_json("inspect", path)
    assert facts["kind"] == "image"
    assert facts["identity"] == image.identity.hex()
    assert (facts["product_id"], facts["product_version"], facts["platform"]) == (1234, 7, "photon")
    assert facts["linked_for"] == "A"
    assert len(facts["signatures"]) == 2
    text = run("inspect", path).stdout
    assert f"identity          {image.identity.hex()}\n" in text
    assert "product version   7\n" in text


def test_image_as_it_lies_in_slot_b(run_json: RunJson, tmp_path: Path) -> None:
    image = fixed.signed_image("release-1")
    facts = run_json("inspect", _file(tmp_path, image.installed_in(Slot.B)))
    assert (facts["linked_for"], facts["identity"]) == ("B", image.identity.hex())


def test_keyset(run_json: RunJson, tmp_path: Path) -> None:
    facts = run_json("inspect", _file(tmp_path, fixed.keyset_v1().to_bytes()))
    assert (facts["kind"], facts["version"], facts["release_threshold"]) == ("key set", 1, 2)
    assert facts["online_keys"][0]["public_key"] == fixed.key("online-1").public_key.raw.hex()


def test_factory_hex_has_an_identity_without_a_device(
    hex_text: str, store: KeyStore, run_json: RunJson, tmp_path: Path
) -> None:
    image = sign_image(fixed.small_image(), store.signer("release-1"))
    raw = factory_hex(hex_text, image, store.keyset()).encode()
    page = run_json("inspect", _file(tmp_path, raw))["identity_page"]
    assert (page["product_id"], page["lifecycle"], page["device_id"], page["device_key"]) == (
        1234,
        "production",
        None,
        None,
    )


def test_patch(run_json: RunJson, tmp_path: Path) -> None:
    base, target = fixed.small_image(), fixed.large_image()
    path = _file(tmp_path, encode(base.raw, target.raw).raw)
    facts = run_json("inspect", path)
    assert facts["kind"] == "patch"
    assert facts["base_check"] == base.identity[:3].hex()
    assert facts["target_check"] == target.identity[:4].hex()
    assert facts["length_change"] == len(target.raw) - len(base.raw)
    assert facts["header_size"] + facts["stream_size"] == facts["size"] == path.stat().st_size


@pytest.mark.parametrize("size", [1024, FLASH_SIZE // 64])
def test_patch_is_recognized_whatever_else_has_its_length(size: int, run_json: RunJson, tmp_path: Path) -> None:
    """An identity page or a boot log."""
    header = encode(b"old", b"new").header.to_bytes()
    facts = run_json("inspect", _file(tmp_path, header.ljust(size, b"?")))
    assert (facts["kind"], facts["content"], facts["size"]) == ("patch", "raw", size)


def test_identity_page_without_its_secret(run: Run, run_json: RunJson, tmp_path: Path, store: KeyStore) -> None:
    page = store.identity(1234, 6, 2)
    path = _file(tmp_path, page.to_bytes())
    facts = run_json("inspect", path)
    assert (facts["kind"], facts["lifecycle"], facts["device_id"]) == ("identity page", "development", "0" * 24)
    for printed in (run("inspect", path).stdout, run("inspect", path, "--json").stdout):
        assert page.device_key.seed.hex() not in printed


@pytest.mark.parametrize("sectors", [1, 2])
def test_boot_log(sectors: int, run: Run, run_json: RunJson, tmp_path: Path, store: KeyStore) -> None:
    record = bootlog.BootRecord(7, bootlog.RecordType.REJECTED, Slot.B, 256 + 15, 3, bytes(16), 1)
    raw = bootlog.new_sector(4, [store.keyset()], [record]) + b"\xff" * (sectors - 1) * bootlog.SECTOR_SIZE
    facts = run_json("inspect", _file(tmp_path, raw))
    assert (facts["kind"], facts["generation"], facts["confirmed"]) == ("boot log", 4, None)
    assert facts["outcome"]["reason"] == "OTA_ERR_HASH"
    assert "reason OTA_ERR_HASH" in run("inspect", tmp_path / "file").stdout


def test_bootloader(run_json: RunJson, tmp_path: Path) -> None:
    facts = run_json("inspect", _file(tmp_path, _BOOTLOADER))
    assert (facts["kind"], facts["version"], facts["platform"], facts["size"]) == (
        "bootloader",
        3,
        "photon",
        len(_BOOTLOADER),
    )


def test_hex_and_flash_dump_hold_the_same(run_json: RunJson, hex_text: str, tmp_path: Path, store: KeyStore) -> None:
    of_hex = run_json("inspect", _file(tmp_path, hex_text.encode()))
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for segment in segments_of(hex_text):
        at = segment.addr - FLASH_ADDR
        flash[at : at + len(segment.data)] = segment.data
    of_flash = run_json("inspect", _file(tmp_path, bytes(flash)))
    assert (of_hex["kind"], of_flash["kind"]) == ("hex", "flash")
    for part in ("bootloader", "identity_page", "boot_log", "record_store", "slot_a", "slot_b"):
        assert of_hex[part] == of_flash[part]
    assert of_hex["boot_log"]["confirmed"]["slot"] == "A"
    assert of_hex["slot_a"]["product_id"] == 1234
    assert of_hex["slot_b"] is None
    assert of_hex["record_store"] is None
    assert of_hex["segments"][0] == {"address": "0x08000000", "size": len(_BOOTLOADER)}


def test_damaged_part_of_a_flash_says_why(run_json: RunJson, tmp_path: Path) -> None:
    flash = bytearray(b"\xff" * FLASH_SIZE)
    image = bytearray(fixed.small_image().raw)
    image[0x300] ^= 1
    flash[0x20000 : 0x20000 + len(image)] = image
    facts = run_json("inspect", _file(tmp_path, bytes(flash)))
    assert facts["slot_a"]["status"] == "OTA_ERR_HASH"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b":nonsense",
        b"MUSP",
        bytes(1024),
        b"\x82\x59\x00",
        b":04000000AABBCCDDEE\n",  # whole, but outside the flash
    ],
)
def test_other_file_is_one_line(raw: bytes, run: Run, tmp_path: Path) -> None:
    result = run("inspect", _file(tmp_path, raw), code=1)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
