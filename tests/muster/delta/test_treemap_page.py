# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from muster.delta.explain import Explanation, Row, explain
from muster.delta.trace import Coding
from muster.delta.treemap_page import ROWS_SHOWN, treemap_page
from tests.muster.delta.explained import hand_made_trace, patch_size, releases


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    old, new = releases()
    trace = hand_made_trace(old, new)
    return explain(trace, patch_size(trace), new.program(), old.program())


class _Tags(HTMLParser):
    """Every element with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_page_holds_everything_it_needs(explanation: Explanation) -> None:
    tags = _Tags(treemap_page(explanation, "v1-v2.patch")).found
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in tags)
    links = [value for _, attrs in tags for name, value in attrs.items() if name in ("href", "src")]
    ids = {attrs["id"] for _, attrs in tags if "id" in attrs}
    assert links
    assert {f"#{name}" for name in ids} >= set(links)


def test_equal_patches_give_equal_pages(explanation: Explanation) -> None:
    assert treemap_page(explanation, "a") == treemap_page(explanation, "a")


def test_tile_says_what_it_is_when_pointed_at(explanation: Explanation) -> None:
    page = treemap_page(explanation, "v1-v2.patch")
    share = 100 * 200 / (8 * explanation.patch_size)
    assert f"<title>added: 25 bytes, {share:.1f} % of the patch\nexplained.o, .text, 0x" in page
    assert "bytes of code or data, new\nliteral 25 bytes</title>" in page


def test_names_cannot_break_the_page() -> None:
    row = Row("operator<<\"&'</svg><script>", "<b>.o", ".text", 0, 10, 800.0, {Coding.LITERAL: 800.0})
    page = treemap_page(Explanation(100, 1000, 0, (row,), (), (), ("<i>",)), "<script>")
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "operator&lt;&lt;&#34;" in page


def test_names_keep_their_ends_where_they_are_cut() -> None:
    rows = tuple(
        Row(name, f"{number}.o", ".text", number, 1, 8.0, {Coding.LITERAL: 8.0})
        for number, name in enumerate(["ota_delta_" + 20 * "x" + suffix for suffix in ("_end", "_begin")] * 8)
    )
    page = treemap_page(Explanation(len(rows), 1000, 0, rows, (), (), ()), "p")
    assert re.search("<text [^>]*>…x*_end</text>", page)


def test_long_tables_end_with_their_rest() -> None:
    rows = tuple(
        Row(f"f{number}", "a.o", ".text", number, 1, 8.0, {Coding.HIT: 8.0}) for number in range(ROWS_SHOWN + 7)
    )
    page = treemap_page(Explanation(len(rows), 1000, 0, rows, (), (), ()), "p")
    assert len(re.findall("<tr id=", page)) == ROWS_SHOWN
    assert "and 7 more with 7.0 bytes together" in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "shown"), [(390, "narrow"), (1200, "wide")])
def test_page_fits_its_window(
    scheme: str, width: int, shown: str, explanation: Explanation, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(treemap_page(explanation, "v1-v2.patch"), encoding="utf-8")
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [page.is_visible(f".{name} svg") for name in ("narrow", "wide")] == [shown == "narrow", shown == "wide"]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(23, 24, 26)") == (scheme == "dark")
    # Letters are not drawn so small that nobody can read them.
    scale = page.evaluate(f"document.querySelector('.{shown} svg').getScreenCTM().a")
    assert scale > 0.9
    page.close()
