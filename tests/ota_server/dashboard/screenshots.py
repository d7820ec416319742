# SPDX-License-Identifier: Apache-2.0
"""Takes pictures of the dashboard's main pages, light and dark, wide and narrow, into docs/screenshots.

python -m tests.ota_server.dashboard.screenshots [--all FOLDER]        with it: of every page, elsewhere
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.conftest import CHROMIUM
from tests.ota_server.dashboard.conftest import sign_in
from tests.ota_server.dashboard.showcase import showcase

FOLDER = Path(__file__).parents[3] / "docs" / "screenshots"
SHOWN = {
    "overview": "GET /products/{product}",
    "devices": "GET /products/{product}/devices",
    "device": "GET /products/{product}/devices/{device}",
    "rollout": "GET /products/{product}/rollouts/{rollout:row}",
    "releases": "GET /products/{product}/releases",
    "log": "GET /products/{product}/log",
    "team": "GET /organizations/{organization}/team",
}
"""Names of the committed pictures, and the routes of their pages."""
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]
HEIGHT = 720


def main(folder: Path, of_all: bool) -> None:
    """Starts a server on which everything has happened, and looks at it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, showcase(Path(data)) as shown, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(timezone_id="UTC")
        sign_in(page, f"{shown.url}/products/thermostat")
        names = {re.sub(r"\W+", "-", route).strip("-"): route for route in shown.pages} if of_all else SHOWN
        for name, route in names.items():
            address = f"{shown.url}{shown.pages[route]}"
            if not page.request.get(address).headers["content-type"].startswith("text/html"):
                continue
            page.goto(address)
            for theme, width in LOOKS:
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.set_viewport_size({"width": width, "height": HEIGHT})
                raw = page.screenshot(full_page=of_all)
                (folder / f"{name}-{theme}-{width}.png").write_bytes(raw)
        browser.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Takes pictures of the dashboard's main pages into docs/screenshots.")
    options.add_argument("--all", type=Path, metavar="FOLDER", help="take every page, into this folder")
    chosen: Path | None = options.parse_args().all
    main(chosen or FOLDER, chosen is not None)
