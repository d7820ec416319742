# SPDX-License-Identifier: Apache-2.0
"""Keys come into the data folder whole, whatever is cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.errors import FileFault
from muster.keystore import ONLINE, KeyStore
from muster.signing.keys import write_private_key
from ota_server.settings import Settings, prepare, use_development_keys
from tests.ota_server import keys


def test_start_goes_on_where_one_was_cut_short(tmp_path: Path, key_store: KeyStore) -> None:
    """Between the online key and the key set that names it."""
    settings = Settings(tmp_path)
    write_private_key(settings.online_key_path, key_store.keys[ONLINE])
    assert settings.may_use_development_keys()
    assert use_development_keys(settings, key_store)
    prepare(settings)
    assert settings.read_keysets() == [key_store.keyset()]
    assert not settings.may_use_development_keys()


def test_online_key_of_ones_own_is_not_taken_for_the_development_key(tmp_path: Path, key_store: KeyStore) -> None:
    settings = Settings(tmp_path)
    write_private_key(settings.online_key_path, keys.key("online"))
    assert not use_development_keys(settings, key_store)
    prepare(settings)
    with pytest.raises(FileFault, match="give one with --keyset"):
        settings.read_keysets()
