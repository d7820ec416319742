# SPDX-License-Identifier: Apache-2.0
"""Every page of the table of routes in Debian's Chromium: no barrier that axe-core finds, in both themes, wide and
narrow; nothing logged, so that the content security policy holds; nothing runs that somebody has typed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from tests.foreign.packages import installed
from tests.ota_server.dashboard.conftest import sign_in
from tests.ota_server.dashboard.showcase import Showcase, showcase

MARK = "'\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
"""Stands in every text that somebody may choose."""
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

BARRIERS = """async (tags) => {
  const rules = { "target-size": { enabled: true } };
  const found = await axe.run({ runOnly: tags, rules, resultTypes: ["violations"] });
  return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));
}"""
_STRAY = """() => [
  ...[...document.scripts].filter((one) => !one.src.startsWith(location.origin + "/static/")),
  ...document.querySelectorAll("img[src=x], [onerror], base, iframe, object"),
  ...[...document.querySelectorAll("[href], [action], [src]")].filter((one) =>
    /^\\s*(javascript|data|vbscript):/i.test(one.getAttribute("href") ?? one.getAttribute("action") ?? one.src)),
].map((one) => `stray element: ${one.outerHTML.slice(0, 200)}`)"""
OVERFLOW = """() => document.documentElement.scrollWidth > innerWidth
  ? [`scrolls sideways: ${document.documentElement.scrollWidth} of ${innerWidth}`] : []"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showcase]:
    with showcase(tmp_path_factory.mktemp("showcase"), MARK) as made:
        yield made


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's source."""
    cache = request.config.cache
    assert cache is not None
    folder = installed(Path(__file__).parent / "axe", cache.mkdir("node"), tmp_path_factory.mktemp("node"))
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def walk(page: Page, shown: Showcase, axe: str, is_full: bool) -> Iterator[str]:
    """What is wrong, page by page. Each is looked at in one look after the other; in all of them where it is full."""
    said: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", dismiss)
    sign_in(page, f"{shown.url}/products/thermostat")
    for number, (name, path) in enumerate(shown.pages.items()):
        answer = page.request.get(f"{shown.url}{path}")
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page.goto(f"{shown.url}{path}")
        if answer.status != (404 if name == "not found" else 200):
            yield f"{name}: status {answer.status}"
        page.evaluate(axe)
        for theme, width in LOOKS if is_full else [LOOKS[number % len(LOOKS)]]:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            found = page.evaluate(BARRIERS, TAGS) + page.evaluate(_STRAY) + page.evaluate(OVERFLOW)
            yield from (f"{name}, {theme}, {width}: {one}" for one in found)
        # A browser says so itself where a page is not there.
        yield from (f"{name}: {one}" for one in said if "status of 404" not in one)
        said.clear()


def test_no_page_has_a_barrier_or_runs_what_was_typed_in(
    shown: Showcase, browser: Browser, axe: str, request: pytest.FixtureRequest
) -> None:
    page = browser.new_page()
    assert list(walk(page, shown, axe, request.config.getoption("--full"))) == []
    page.goto(f"{shown.url}{shown.pages['GET /products/{product}/log']}")
    assert page.get_by_text(MARK).count() > 5
    page.close()
