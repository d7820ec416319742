# SPDX-License-Identifier: Apache-2.0
"""The management API is as its description says, whatever an administrator sends to it (schemathesis)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, listen_app, make_settings

ENDS_TOKENS = r"^/access_tokens|^/user$"
"""Routes after which the administrator may have to sign in again."""
STREAMS = r"/events"
"""Routes whose answers to GET do not end."""
CONFIG = """\
[output.sanitization]
enabled = true

# Many rules stand in no schema: what an upload holds, what a status allows. They are 400 as well.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429"]
"""
EXISTING = """
[parameters]
"path.organization" = "warm-rooms"
"path.product" = ["thermostat", "1234"]
"path.device" = ["0123456789abcdef01234567", "76543210fedcba9876543210"]
"path.group" = "kitchen"
"path.version" = 1
"""
"""Makes routes meet what the server has."""
DEVICES = ["0123456789abcdef01234567", "76543210fedcba9876543210"]


@dataclass(frozen=True)
class Prober:
    """schemathesis, and the server that it talks to."""

    folder: Path
    url: str
    token: str
    examples: int

    def run(self, config: str, *options: str) -> None:
        """Fails with what it found."""
        (self.folder / "schemathesis.toml").write_text(config)
        command = [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(self.folder / "schemathesis.toml")),
            *("run", f"{self.url}/v1/openapi.json", "--header", f"Authorization: Bearer {self.token}"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(self.examples)),
            *("--no-color", "--continue-on-failure", "--generation-database", "none", *options),
        ]
        done = subprocess.run(command, cwd=self.folder, env={**os.environ}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def prober(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Prober]:
    """The server has a product with a group and two devices."""
    with listen_app(make_settings(tmp_path / "server"), SystemClock()) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"{url}/v1", headers=headers) as client:
            client.post("/products", json={"product": {"id": keys.PRODUCT, "name": "Thermostat"}}).raise_for_status()
            product = f"/products/{keys.PRODUCT}"
            client.post(f"{product}/groups", json={"name": "kitchen"}).raise_for_status()
            client.post(f"{product}/devices", json={"ids": DEVICES}).raise_for_status()
            image = keys.image(1)
            client.post(f"{product}/firmware", files={"file": ("firmware.bin", image.raw)}).raise_for_status()
        full = bool(request.config.getoption("--full"))
        yield Prober(tmp_path, url, token, 200 if full else 10)


def test_routes_answer_as_described(prober: Prober) -> None:
    prober.run(CONFIG, "--exclude-path-regex", f"{ENDS_TOKENS}|{STREAMS}")


def test_routes_that_publish_answer_as_described(prober: Prober) -> None:
    prober.run(CONFIG + EXISTING, "--include-path-regex", STREAMS, "--exclude-method", "GET")


def test_routes_answer_as_described_for_what_there_is(prober: Prober) -> None:
    prober.run(CONFIG + EXISTING, "--include-path-regex", r"\{", "--exclude-path-regex", f"{ENDS_TOKENS}|{STREAMS}")


def test_routes_that_end_tokens_answer_as_described(prober: Prober) -> None:
    prober.run(CONFIG, "--include-path-regex", ENDS_TOKENS)
