# SPDX-License-Identifier: Apache-2.0
"""Tokens are kept in the keyring, or in a file that nobody else can read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import PasswordDeleteError

from muster import token_store
from muster.errors import FileFault

URL, OTHER = "http://127.0.0.1:8000", "https://ota.example.com"


class Memory(KeyringBackend):
    """A keyring that is there."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of the user's own, and no keyring unless a test brings one."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def test_without_a_keyring_tokens_are_in_a_file_for_their_owner_alone() -> None:
    assert token_store.load(URL) is None
    assert token_store.save(URL, "one") == str(token_store.tokens_file())
    token_store.save(OTHER, "two")
    assert (token_store.load(URL), token_store.load(f"{OTHER}/")) == ("one", "two")
    assert stat.S_IMODE(token_store.tokens_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(token_store.tokens_file().parent.stat().st_mode) == 0o700
    token_store.forget(URL)
    token_store.forget(URL)
    assert (token_store.load(URL), token_store.load(OTHER)) == (None, "two")


def test_keyring_is_used_where_there_is_one() -> None:
    token_store.save(URL, "from the file")
    backend = Memory()
    keyring.set_keyring(backend)
    assert token_store.load(URL) == "from the file"
    assert token_store.save(URL, "one") == "the system's keyring"
    assert backend.kept == {("muster", URL): "one"}
    assert "from the file" not in token_store.tokens_file().read_text()
    assert token_store.load(URL) == "one"
    token_store.forget(URL)
    assert token_store.load(URL) is None


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1]"])
def test_damaged_file_says_what_to_do(content: bytes) -> None:
    token_store.tokens_file().parent.mkdir(parents=True)
    token_store.tokens_file().write_bytes(content)
    with pytest.raises(FileFault, match="remove it and sign in again"):
        token_store.load(URL)
