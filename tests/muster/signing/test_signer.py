# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.errors import FileFault, UnknownSigner
from muster.signing.keys import PrivateKey, write_private_key
from muster.signing.signer import signer_from_uri

_KEY = PrivateKey(b"k" * 32)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "a key.pem"
    write_private_key(path, _KEY)
    return path


def test_file_uri_and_bare_path_name_the_same_key(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(key_file.parent)
    for uri in (f"file:{key_file}", key_file.as_uri(), str(key_file), key_file.name, f"file:{key_file.name}"):
        signer = signer_from_uri(uri)
        assert signer.public_key == _KEY.public_key
        assert signer.key_id == _KEY.public_key.key_id
        assert signer.public_key.holds(signer.sign(b"message"), b"message")


def test_unknown_scheme_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(UnknownSigner, match=r"pkcs11: \(known: file:\)"):
        signer_from_uri("pkcs11:token=release")


def test_missing_key_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FileFault):
        signer_from_uri(f"file:{tmp_path}/missing.pem")
