# SPDX-License-Identifier: Apache-2.0
"""What the story happens in: a server process, a mail server, devices, and people with a browser each."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from muster.build.driver import Built
from muster.demo.fleet import Board, BoardPlan, Fleet
from muster.demo.processes import MusterProcess
from muster.image.image import Image
from muster.keystore import ONLINE, RELEASE, KeyStore, key_path
from muster.signing.keys import PrivateKey
from muster.signing.signer import sign_image
from tests.conftest import BuildFirmware
from tests.ota_server.mail.mail_server import PUBLIC_URL, SENDER, MailServer, link_in
from tests.ota_server.organizations.route_table import PAGES, PUBLIC_PAGES
from tests.ota_server.simulated import SimulatedDevice

WAIT_MS = 90_000
START_TIMEOUT_S = 60.0
LOOKS_MAX = 200
SPEED = 20.0
"""How fast the emulated board's time goes."""
ANA, BEN, CARA = "ana@example.com", "ben@example.com", "cara@example.com"
PASSWORD = "correct horse"
APP = "https://app.example.com/done"
"""Where a customer's app is: the browsers answer in its place."""
PLATFORM = "photon"
CSP_LISTENER = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""


@dataclass(frozen=True)
class Firmware:
    """The thermostat in both versions, signed for production."""

    key_store: KeyStore
    built: BuildFirmware

    def image(self, version: int) -> Path:
        """The file to upload."""
        path = self.elf(version).with_name(f"thermostat-{version}.bin")
        path.write_bytes(self.parsed(version).raw)
        return path

    def elf(self, version: int) -> Path:
        return self._made(version).image_path.with_suffix(".elf")

    def parsed(self, version: int) -> Image:
        unsigned = Image.from_bytes(self._made(version).image_path.read_bytes())
        return sign_image(unsigned, self.key_store.signer(RELEASE))

    def board(self) -> BoardPlan:
        """An emulated board that runs version 1."""
        bootloader = (self._made(1).folder / "bootloader.bin").read_bytes()
        store = self.key_store
        key = PrivateKey(bytes(range(32)))
        return BoardPlan("hall", 5, bootloader, self.parsed(1), store.roots, store.keyset(), key, None)

    def _made(self, version: int) -> Built:
        return self.built("thermostat", PLATFORM, version)


@dataclass
class World:
    """A server that has just been started for the first time, and who comes to it.

    Attributes:
        url: of the server.
        set_up_url: what it has told, for the first account.
        complaints: what any browser's console said, broken content security policies included.
        walked: routes of pages that were asked for, as the table of them has them.
    """

    folder: Path
    browser: Browser
    firmware: Firmware
    mail_server: MailServer
    exits: ExitStack
    url: str = ""
    set_up_url: str = ""
    complaints: list[str] = field(default_factory=list)
    walked: set[str] = field(default_factory=set)

    def start(self) -> None:
        """Starts the server, which nobody has an account on."""
        keyset = self.folder / "keyset.cbor"
        keyset.write_bytes(self.firmware.key_store.keyset().to_bytes())
        options = {
            "--data": self.folder / "server",
            "--port": 0,
            "--online-key": key_path(self.firmware.key_store.folder, ONLINE),
            "--keyset": keyset,
            "--smtp": "127.0.0.1",
            "--smtp-port": self.mail_server.port,
            "--smtp-tls": "none",
            "--mail-from": SENDER,
            "--public-url": PUBLIC_URL,
            "--hook-network": "127.0.0.1/32",
        }
        arguments = [str(one) for option in options.items() for one in option]
        server = self.exits.enter_context(MusterProcess("serve", *arguments, log_path=self.folder / "serve.log"))
        self.set_up_url = server.wait_for_line("nobody has an account yet: make the first one at ", START_TIMEOUT_S)
        self.url = self.set_up_url.partition("/set-up")[0]
        self.client = self.exits.enter_context(httpx.Client(base_url=self.url))

    def board(self) -> tuple[Board, Callable[[], None]]:
        """An emulated board on a gateway, off; and what gives it power."""
        fleet = self.exits.enter_context(Fleet([self.firmware.board()], lambda _line: None))
        (board,) = fleet.boards
        gateway = self.exits.enter_context(
            MusterProcess("gateway", "--port", board.path, "--server", self.url, log_path=self.folder / "gateway.log")
        )
        gateway.wait_for_line("forwarding ", START_TIMEOUT_S)

        def power_on() -> None:
            fleet.power_on()
            fleet.start(SPEED)

        return board, power_on

    def simulated(self, number: int) -> SimulatedDevice:
        """A simulated device that runs version 1 and has not been heard."""

        def post(path: str, body: bytes) -> tuple[int, bytes]:
            response = self.client.post(path, content=body, headers={"content-type": "application/cbor"})
            return response.status_code, response.content

        def get(path: str, first: int, last: int) -> bytes | None:
            response = self.client.get(path, headers={"range": f"bytes={first}-{last}"})
            return response.content if response.status_code == 206 else None

        key, keyset = PrivateKey(bytes([number]) * 32), self.firmware.key_store.keyset()
        return SimulatedDevice(post, get, bytes([number]) * 12, key, self.firmware.parsed(1), keyset=keyset)

    # People

    def person(self, **options: Any) -> Page:
        """Somebody with a browser of their own."""
        context = self.browser.new_context(accept_downloads=True, timezone_id="UTC", base_url=self.url, **options)
        self.exits.callback(context.close)
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(CSP_LISTENER)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._note(request.method, request.url))
        context.route(f"{urlsplit(APP)._replace(path='').geturl()}/**", lambda one: one.fulfill(body="<p>The app</p>"))
        page = context.new_page()
        # A link that says that it leads to a file asks for it unseen.
        page.on("download", lambda file: self._note("GET", file.url))
        return page

    def sign_in(self, page: Page, email: str = ANA, password: str = PASSWORD) -> None:
        page.goto("/sign-in")
        fill(page, {"E-mail": email, "Password": password})
        page.get_by_role("button", name="Sign in").click()

    def link(self, recipient: str) -> str:
        """The path of the link in the next mail to them; mails to others, which only tell of something, are left."""
        while (mail := self.mail_server.wait_for_mail())["To"] != recipient:
            pass
        return link_in(mail)

    def _hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.page.url if message.page else ''}: {message.text}")

    def _note(self, method: str, url: str) -> None:
        route = route_of(method, urlsplit(url).path) if url.startswith(self.url) else None
        if route is not None:
            self.walked.add(route)


def route_of(method: str, path: str) -> str | None:
    """The route in the table of pages that a request is for: of several that fit the one with the fewest parameters."""
    found = [name for name, pattern in _patterns().items() if pattern.fullmatch(f"{method} {path}")]
    return min(found, key=lambda name: name.count("{"), default=None)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    def pattern(name: str) -> str:
        parts = re.split(r"(\{\w+(?::\w+)?\})", name)
        return "".join(
            re.escape(part) if not part.startswith("{") else r"\d+" if ":" in part else "[^/]+" for part in parts
        )

    return {name: re.compile(pattern(name)) for name in (*PAGES, *PUBLIC_PAGES)}


def fill(page: Page, fields: dict[str, str]) -> None:
    """Types into the fields with these labels; a list takes the choice of that name."""
    for label, value in fields.items():
        box = page.get_by_label(label, exact=True).or_(page.get_by_role("combobox", name=label, exact=True))
        if box.evaluate("one => one.tagName") == "SELECT":
            box.select_option(label=value)
        else:
            box.fill(value)


def press(page: Page, *names: str) -> None:
    """Presses buttons and follows links, one after another."""
    for name in names:
        page.get_by_role("main").get_by_role("button", name=name).or_(
            page.get_by_role("main").get_by_role("link", name=name)
        ).first.click()


def go_to(page: Page, place: str) -> None:
    """Follows a link of the side bar."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=place, exact=True).click()


def home(page: Page) -> None:
    """To the only product that there is."""
    go_to(page, "Muster")


def reload_until(page: Page, text: str) -> None:
    """Looks at a page that does not change by itself again and again, until it shows this."""
    wanted = page.get_by_role("main").get_by_text(text).locator("visible=true").first
    for _ in range(LOOKS_MAX):
        if wanted.is_visible():
            return
        page.reload()
    expect(wanted).to_be_visible()


def sees(page: Page, *texts: str | re.Pattern[str]) -> None:
    """Waits until the page shows all of these."""
    for text in texts:
        expect(page.get_by_role("main").get_by_text(text).locator("visible=true").first).to_be_visible(timeout=WAIT_MS)


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    """Waits for a page by its heading."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=WAIT_MS)


def download(page: Page, name: str) -> bytes:
    """Follows a link to a file; what is in it."""
    with page.expect_download() as got:
        press(page, name)
    return Path(got.value.path()).read_bytes()
