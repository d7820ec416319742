# SPDX-License-Identifier: Apache-2.0
"""A server that a browser can open, and pages that must not complain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.services import Services
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, HandClock, Server, listen_app, make_settings

WAIT_MS = 60_000


class ListeningServer(Server):
    """A server on a real socket."""

    parts: Services

    @property
    def services(self) -> Services:
        return self.parts


@pytest.fixture
def live(tmp_path: Path) -> Iterator[ListeningServer]:
    settings = make_settings(tmp_path / "server")
    with listen_app(settings, SystemClock()) as (services, url), httpx.Client(base_url=url) as client:
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        server = ListeningServer(settings.data_dir, HandClock(), client, token)  # type: ignore[arg-type]
        server.parts = services
        server.product()
        for version in (1, 2):
            server.publish(keys.image(version))
        yield server


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.fill("[name=email]", EMAIL)
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector(".tiles", timeout=WAIT_MS)


@contextlib.contextmanager
def watched(browser: Browser, url: str, **options: bool | str) -> Iterator[Page]:
    """A page that must not log anything: a refused script or style would."""
    said: list[str] = []
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        sign_in(page, url)
        yield page
    finally:
        page.close()
    assert said == []
