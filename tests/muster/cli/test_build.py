# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from muster.build.driver import source_root
from muster.cli.main import main
from muster.image.image import Image
from muster.keystore import KeyStore

BLINK = str(source_root() / "firmware/products/blink")


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
