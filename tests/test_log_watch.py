# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from muster.build.driver import source_root
from muster.signing.keys import PrivateKey
from ota_server.accounts import service
from tests.log_watch import LogWatch

LEAKING = """\
import logging
from ota_server.accounts import service

def test_it() -> None:
    token = service.new_token()
    service.hash_of(token)
    logging.getLogger("ota_server").{level}("made %s", {what})
"""


@pytest.fixture
def watch() -> LogWatch:
    """One that hears only what this test tells it."""
    return LogWatch()


def log(watch: LogWatch, text: str) -> None:
    watch.handle(logging.LogRecord("ota_server", logging.DEBUG, __file__, 1, text, None, None))


def test_line_with_a_known_secret_is_told_without_it(watch: LogWatch) -> None:
    watch.secrets.add("correct horse")
    log(watch, "signed in with correct horse\nfrom 127.0.0.1")
    assert watch.leaks([]) == ["ota_server: signed in with [secret]"]


def test_file_of_another_process_is_read(watch: LogWatch, tmp_path: Path) -> None:
    (tmp_path / "serve.txt").write_text(f"ready\ntoken {service.new_token()}\n-----BEGIN PRIVATE KEY-----\n")
    assert watch.leaks([tmp_path / "serve.txt"]) == [
        "serve.txt: token [secret]",
        "serve.txt: -----BEGIN [secret]-----",
    ]


def test_digests_and_device_ids_are_no_secrets(watch: LogWatch, tmp_path: Path) -> None:
    (tmp_path / "serve.txt").write_text(f"{'0123456789abcdef' * 4} {'01234567' * 3}\n")
    assert watch.leaks([tmp_path / "serve.txt"]) == []


@pytest.mark.parametrize(
    ("level", "what", "leaks"),
    [("debug", "token", True), ("error", "token", True), ("error", "'a token'", False)],
)
@pytest.mark.parametrize("workers", [0, 2])
def test_run_fails_when_a_test_let_a_token_into_the_log(
    tmp_path: Path, level: str, what: str, leaks: bool, workers: int
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = full: long\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_it.py").write_text(LEAKING.format(level=level, what=what))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--numprocesses={workers}", str(tmp_path)]
    environment = {"PYTHONPATH": str(source_root()), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ("ota_server: made [secret]" in done.stdout) == leaks, done.stdout + done.stderr
    assert done.returncode == (1 if leaks else 0)


def test_private_keys_are_remembered(watch: LogWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateKey, "__post_init__", PrivateKey.__post_init__)
    watch._remember(PrivateKey, "__post_init__", lambda arguments, _result: arguments[0].seed.hex())
    PrivateKey(bytes(range(32)))
    assert bytes(range(32)).hex() in watch.secrets
