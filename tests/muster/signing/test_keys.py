# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muster.errors import FileFault, KeyFormatError
from muster.signing.keys import PrivateKey, PublicKey, read_private_key, write_private_key

# RFC 8032 section 7.1: secret key, public key, message, signature.
_RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), _RFC_8032)
def test_vectors_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = PrivateKey(bytes.fromhex(seed))
    assert key.public_key.raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert key.public_key.holds(bytes.fromhex(signature), bytes.fromhex(message))
    assert not key.public_key.holds(bytes.fromhex(signature), bytes.fromhex(message) + b"x")


def test_key_id_is_the_start_of_the_hash() -> None:
    public = PrivateKey(bytes(32)).public_key
    assert public.key_id == hashlib.sha256(public.raw).digest()[:8]


def test_signature_of_other_length_does_not_hold() -> None:
    assert not PrivateKey(bytes(32)).public_key.holds(bytes(63), b"")


def test_seed_is_not_shown() -> None:
    key = PrivateKey(b"s" * 32)
    assert "ssss" not in repr(key)
    assert (b"s" * 32).hex() not in repr(key)


def test_pem_survives() -> None:
    key = PrivateKey(b"s" * 32)
    assert PrivateKey.from_pem(key.to_pem()) == key


def _foreign_pems() -> list[bytes]:
    other = ec.generate_private_key(ec.SECP256R1())
    encrypted = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    plain = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return [b"", b"not a key", encrypted, plain]


@pytest.mark.parametrize("pem", _foreign_pems(), ids=["empty", "text", "encrypted", "elliptic"])
def test_other_files_are_refused(pem: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    with pytest.raises(KeyFormatError, match=r"key\.pem"):
        read_private_key(path)


def test_public_key_is_read_from_hex_and_pem() -> None:
    public = PrivateKey(b"s" * 32).public_key
    pem = (
        Ed25519PrivateKey.from_private_bytes(b"s" * 32)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert PublicKey.from_text(public.raw.hex().upper() + "\n") == public
    assert PublicKey.from_text(pem.decode()) == public
    for text in ("", "abcd", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(KeyFormatError):
            PublicKey.from_text(text)


def test_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    write_private_key(path, PrivateKey(bytes(32)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileFault, match="exists already"):
        write_private_key(path, PrivateKey(bytes([1]) * 32))
    assert read_private_key(path) == PrivateKey(bytes(32))
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    winners = []

    def write(number: int) -> None:
        try:
            write_private_key(path, PrivateKey(bytes([number]) * 32))
        except FileFault:
            return
        winners.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert read_private_key(path) == PrivateKey(bytes(winners) * 32)


def test_missing_file_and_folder_are_faults(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="cannot read"):
        read_private_key(tmp_path / "missing.pem")
    with pytest.raises(FileFault, match="cannot write"):
        write_private_key(tmp_path / "missing" / "key.pem", PrivateKey(bytes(32)))
