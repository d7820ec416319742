# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.keystore import KEY_NAMES, KeyStore
from muster.signing.keys import read_private_key, write_private_key
from muster.signing.keyset import KeySet, check_successor
from muster.user_folders import keys_folder as chosen_folder
from tests.muster.cli.conftest import Run, RunJson
from tests.vectors import fixed


def _never(size: int) -> bytes:
    raise AssertionError("every key exists")


def test_list_makes_the_keys_and_shows_no_secret(run: Run, run_json: RunJson, key_folder: Path) -> None:
    facts = run_json("keys", "list")
    assert facts["folder"] == str(key_folder)
    assert sorted(facts["keys"]) == sorted(KEY_NAMES)
    printed = run("keys", "list").stdout
    for key in KeyStore.open(key_folder, _never).keys.values():
        assert key.public_key.key_id.hex() in printed
        assert key.seed.hex() not in printed


def test_folder_is_the_users_data_folder_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUSTER_KEYS")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert chosen_folder() == tmp_path / "data" / "muster" / "keys"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert chosen_folder() == tmp_path / "home" / ".local" / "share" / "muster" / "keys"


def test_new_key_is_never_written_over_another(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    path = tmp_path / "mine.pem"
    facts = run_json("keys", "new", path)
    assert read_private_key(path).public_key.raw.hex() == facts["public_key"]
    assert "exists already" in run("keys", "new", path, code=1).stderr
    assert read_private_key(path).public_key.raw.hex() == facts["public_key"]


def test_show_knows_names_files_and_hexadecimal(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    public = fixed.key("release-1").public_key
    private_file, public_file = tmp_path / "release.pem", tmp_path / "release.pub"
    write_private_key(private_file, fixed.key("release-1"))
    public_file.write_text(public.raw.hex())
    for text in (private_file, f"file:{private_file}", public_file, public.raw.hex()):
        facts = run_json("keys", "show", text)
        assert (facts["key_id"], facts["public_key"]) == (public.key_id.hex(), public.raw.hex())
        assert fixed.key("release-1").seed.hex() not in run("keys", "show", text).stdout
    assert run_json("keys", "show", "online")["key_id"] == run_json("keys", "list")["keys"]["online"]
    assert "no key nonsense" in run("keys", "show", "nonsense", code=1).stderr


def test_keyset_is_the_development_one_by_default(run_json: RunJson, key_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "keyset.cbor"
    assert run_json("keys", "keyset", "-o", output)["version"] == 1
    assert KeySet.from_bytes(output.read_bytes()) == KeyStore.open(key_folder, _never).keyset()


def test_keyset_follows_another(run_json: RunJson, key_folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.cbor", tmp_path / "2.cbor"
    run_json("keys", "keyset", "-o", first)
    run_json("keys", "new", tmp_path / "release-2.pem")
    options = ["--after", first, "--release", "release-1", "--release", tmp_path / "release-2.pem", "--threshold", 2]
    roots = [option for name in ("root-1", "root-3") for option in ("--sign", key_folder / f"{name}.pem")]
    facts = run_json("keys", "keyset", "-o", second, *options, *roots)
    assert (facts["version"], facts["release_threshold"], len(facts["release_keys"])) == (2, 2, 2)
    current, new = (KeySet.from_bytes(path.read_bytes()) for path in (first, second))
    check_successor(new, current.content.version, current.content.roots)
    assert new.content.development_keys == current.content.development_keys


def test_keyset_without_a_signer_is_refused(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "keyset.cbor"
    assert "1 to 3 signatures" in run("keys", "keyset", "-o", output, "--version", 3, "--threshold", 1, code=1).stderr
    assert not output.exists()
