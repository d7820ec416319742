# SPDX-License-Identifier: Apache-2.0
"""Calling devices, events and webhooks from the command line, against a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from muster.cli.main import main
from muster.client import ServerClient
from muster.protocol import VariableType
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.products.service import NewProduct, create
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, EMAIL, ORGANIZATION, listen_app, make_settings
from tests.ota_server.simulated import SimulatedDevice

URL = "https://example.com/in"


class Terminal:
    """A shell with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def run(self, *arguments: str, code: int = 0) -> Result:
        environment = {"MUSTER_SERVER": self.url, "MUSTER_TOKEN": self.token}
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").output)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The server has one product, whose devices are trusted."""
    with listen_app(make_settings(tmp_path / "server"), SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, 0))
        product = NewProduct(keys.PRODUCT, "Thermostat", auto_approve=True)
        services.database.write(lambda c: create(c, 1, product, 0))
        yield Terminal(url, token)


def test_device_is_watched_called_and_read(terminal: Terminal) -> None:
    with httpx.Client(base_url=terminal.url, timeout=60) as http:

        def post(path: str, body: bytes) -> tuple[int, bytes]:
            response = http.post(path, content=body, headers=CBOR)
            return response.status_code, response.content

        device = SimulatedDevice(post, lambda *_: None, bytes(12), keys.key("lamp"), keys.image(1))
        device.functions = {"set": len}
        device.variables = {"level": (VariableType.DOUBLE, 0.5), "mode": (VariableType.TEXT, "heat")}
        device.check_in()
        name = device.device_id.hex()
        assert terminal.run("device", "watch", name, "--seconds", "60").output.startswith("watched until 2")
        is_over = threading.Event()

        def live() -> None:
            while not is_over.is_set():
                device.check_in(hold_s=1)

        thread = threading.Thread(target=live)
        thread.start()
        try:
            assert terminal.run("device", "call", name, "set", "four").output == "4\n"
            assert terminal.json("device", "call", name, "set")["return_value"] == 0
            assert terminal.run("device", "get", name, "level").output == "0.5\n"
            assert terminal.run("device", "get", name, "mode").output == "heat\n"
            assert terminal.run("device", "signal", name).output == "shows itself\n"
            assert terminal.json("device", "signal", name, "--off")["signaling"] is False
        finally:
            is_over.set()
            thread.join()
    assert "has no function nothing" in terminal.run("device", "call", name, "nothing", code=1).output


def test_published_event_is_printed_by_who_subscribed(terminal: Terminal) -> None:
    # Another terminal's commands: there is one standard output in this process.
    with ThreadPoolExecutor(1) as pool, ServerClient(terminal.url, terminal.token) as client:
        heard = pool.submit(terminal.run, "event", "subscribe", "lamp", "--max", "1", "--json")
        while not heard.done():
            client.publish_event(keys.PRODUCT, "lamp", "on")
    told = json.loads(heard.result().output)
    assert terminal.run("event", "publish", "lamp", "off").output == "published lamp\n"
    assert (told["event"], told["data"], told["coreid"]) == ("lamp", "on", "api")
    assert "spark/" in terminal.run("event", "publish", "spark/status", code=1).output


@pytest.mark.parametrize("whose", [(), ("--product", str(keys.PRODUCT)), ("--org", "warm-rooms")])
def test_webhooks_are_made_listed_shown_and_removed(terminal: Terminal, tmp_path: Path, whose: tuple[str, ...]) -> None:
    file = tmp_path / "more.json"
    file.write_text('{"requestType": "PUT", "json": {"celsius": "{{celsius}}"}}')
    made = terminal.json("webhook", "create", "temperature", URL, "--file", str(file), *whose)
    assert len(made["secret"]) == 48
    [listed] = terminal.json("webhook", "list", *whose)["webhooks"]
    assert (listed["requestType"], listed["url"]) == ("PUT", URL)
    assert f"temperature              PUT {URL}" in terminal.run("webhook", "list", *whose).output
    assert terminal.json("webhook", "log", made["id"], *whose)["deliveries"] == []
    terminal.run("webhook", "enable", made["id"], *whose)
    terminal.run("webhook", "delete", made["id"], *whose)
    assert terminal.run("webhook", "list", *whose).output == ""
    assert "there is no webhook" in terminal.run("webhook", "log", made["id"], *whose, code=1).output


def test_files_that_hold_no_fields_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    for text, words in (("[]", "no JSON object"), ("{", "no JSON")):
        file.write_text(text)
        assert words in terminal.run("webhook", "create", "t", URL, "--file", str(file), code=1).output
