# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from muster.device.identity_page import ANY_CHIP
from muster.errors import FileFault, KeyFormatError, ValueOutOfRange
from muster.keystore import KEY_NAMES, KeyStore, key_path
from muster.layout import Lifecycle
from muster.signing.keyset import accept_chain
from muster.signing.signer import sign_image
from muster.signing.verify import DeviceFacts, check_full
from tests.vectors import fixed


def _counting() -> object:
    made: list[int] = []

    def random_bytes(size: int) -> bytes:
        made.append(size)
        return hashlib.sha256(bytes([len(made)])).digest()[:size]

    return random_bytes


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore.open(tmp_path / "keys", _counting())  # type: ignore[arg-type]


def test_first_use_makes_private_files(store: KeyStore) -> None:
    assert sorted(path.name for path in store.folder.iterdir()) == sorted(f"{name}.pem" for name in KEY_NAMES)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    for name in KEY_NAMES:
        assert stat.S_IMODE(key_path(store.folder, name).stat().st_mode) == 0o600
    assert len({key.seed for key in store.keys.values()}) == len(KEY_NAMES)


def test_second_use_has_the_same_keys(store: KeyStore) -> None:
    def never(size: int) -> bytes:
        raise AssertionError("no key is made")

    assert KeyStore.open(store.folder, never).keys == store.keys


def test_missing_key_is_made_again(store: KeyStore) -> None:
    key_path(store.folder, "online").unlink()
    again = KeyStore.open(store.folder, lambda size: b"n" * size)
    assert again.keys["online"].seed == b"n" * 32
    assert again.keys["development"] == store.keys["development"]


def test_processes_at_the_same_time_have_the_same_keys(tmp_path: Path) -> None:
    stores: list[KeyStore] = []
    start = threading.Barrier(4)

    def open_store() -> None:
        start.wait()
        stores.append(KeyStore.open(tmp_path / "keys", os.urandom))

    threads = [threading.Thread(target=open_store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    assert all(store.keys == stores[0].keys for store in stores)


def test_damaged_key_is_refused_and_kept(store: KeyStore) -> None:
    key_path(store.folder, "online").write_text("damaged")
    with pytest.raises(KeyFormatError, match=r"online\.pem"):
        KeyStore.open(store.folder, os.urandom)
    assert key_path(store.folder, "online").read_text() == "damaged"


def test_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFault, match="key folder"):
        KeyStore.open(tmp_path / "file" / "keys", os.urandom)


def test_keyset_is_accepted_by_the_roots_and_always_the_same(store: KeyStore) -> None:
    keyset = accept_chain(store.roots, [store.keyset()])
    assert keyset == store.keyset()
    assert keyset.content.version == 1
    assert keyset.content.release_threshold == 1
    assert len(keyset.signatures) == store.roots.threshold == 2


def test_development_key_signs_for_development_devices(store: KeyStore) -> None:
    image = sign_image(fixed.small_image(), store.signer("development"))
    check_full(image, DeviceFacts(), store.keyset().content, Lifecycle.DEVELOPMENT)


def test_identity_is_a_development_one_for_any_chip(store: KeyStore) -> None:
    page = store.identity(7, 6, 3)
    assert page == store.identity(7, 6, 3)
    assert (page.product_id, page.hardware_revision, page.device_id) == (7, 3, ANY_CHIP)
    assert page.lifecycle is Lifecycle.DEVELOPMENT
    assert page.roots == store.roots
    assert page.device_key != store.identity(7, 8, 3).device_key


def test_unknown_name_is_refused(store: KeyStore) -> None:
    with pytest.raises(ValueOutOfRange, match="development"):
        store.signer("release-9")


def test_secrets_are_not_shown(store: KeyStore) -> None:
    shown = repr(store)
    for key in store.keys.values():
        assert key.seed.hex() not in shown
        assert repr(key.seed) not in shown
