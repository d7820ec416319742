# SPDX-License-Identifier: Apache-2.0
"""What every test may use: the long tests' switch, and firmware that is built once per run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from muster.build.driver import BuildRequest, Built, build, source_root
from muster.build.selection import PRODUCTS_FOLDER
from muster.errors import FileFault
from muster.keystore import KEY_NAMES, KeyStore, key_path
from muster.signing.keys import SEED_SIZE, PrivateKey, write_private_key
from tests.log_watch import LogWatchPlugin

CHROMIUM = "/usr/bin/chromium"
MANY_SHORT = Path(__file__).parent / "ota_server" / "organizations"
BuildFirmware = Callable[..., Built]
"""Called with (product, platform, version=None): the name of an example product, a platform, another version."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the tests that take long, too")


def pytest_configure(config: pytest.Config) -> None:
    # No test depends on how busy the machine is. The normal run tries the same examples each time; --full tries others.
    full = bool(config.getoption("--full"))
    quiet = [HealthCheck.too_slow]
    settings.register_profile("muster", deadline=None, derandomize=not full, suppress_health_check=quiet)
    settings.load_profile("muster")
    # What a shell starts in the background ignores Ctrl-C, and so would every program that a test ends with it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The programs that tests start, some hundred, compile no module that one before them has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(source_root() / "build" / "compiled"))
    config.pluginmanager.register(LogWatchPlugin(), "log_watch")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The thousands that take a moment each come last, so that all workers end together.
    items.sort(key=lambda item: MANY_SHORT in item.path.parents)
    if config.getoption("--full"):
        return
    long_ones = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=long_ones)
    items[:] = [item for item in items if item not in long_ones]


@pytest.fixture(scope="session")
def key_store() -> KeyStore:
    """The keys that the tests' firmware is signed with: always the same, so that equal sources give equal images."""
    folder = source_root() / "build" / "test_keys"
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(KEY_NAMES):
        path = key_path(folder, name)
        # Another worker may be making the same key.
        with suppress(FileFault):
            write_private_key(path, PrivateKey(bytes([number]) * SEED_SIZE))
    return KeyStore.open(folder, os.urandom)


@pytest.fixture(scope="session")
def built(key_store: KeyStore) -> BuildFirmware:
    """Builds an example product for one platform with the tests' keys; what is up to date is not built again."""
    root = source_root()

    @cache
    def make(product: str, platform: str, version: int | None = None) -> Built:
        folder = root / PRODUCTS_FOLDER / product
        request = BuildRequest(key_store.folder, product=folder, platforms=(platform,), version=version, jobs=2)
        return build(request, root)[0]

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
