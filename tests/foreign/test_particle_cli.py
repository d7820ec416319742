# SPDX-License-Identifier: Apache-2.0
"""Particle's own command line works against the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.foreign.particle_command import CLIENT, ParticleCommand
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, listen_app, make_settings

PRODUCT = "thermostat"
DEVICE = "0123456789abcdef01234567"


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParticleCommand]:
    """The command, and a server with one product."""
    cache = request.config.cache
    assert cache is not None
    settings = replace(make_settings(tmp_path_factory.mktemp("server") / "server"), password_clients=(CLIENT,))
    with listen_app(settings, SystemClock()) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        product = {"product": {"id": keys.PRODUCT, "name": "Thermostat"}}
        httpx.post(f"{url}/v1/products", json=product, headers={"authorization": f"Bearer {token}"}).raise_for_status()
        yield ParticleCommand.install(cache.mkdir("node"), tmp_path_factory.mktemp("particle_cli"), url)


@pytest.fixture
def particle(installed: ParticleCommand) -> ParticleCommand:
    """Signed in."""
    installed.run("login", "--username", EMAIL, "--password", PASSWORD)
    return installed


def test_login_with_a_wrong_password_is_refused(installed: ParticleCommand) -> None:
    said = installed.run("login", "--username", EMAIL, "--password", "wrong password", expect=1)
    assert "User credentials are invalid" in said


def test_who_is_signed_in_is_told(particle: ParticleCommand) -> None:
    assert EMAIL in particle.run("whoami")


def test_revoked_token_is_no_use(particle: ParticleCommand) -> None:
    particle.run("token", "revoke", str(particle.config()["access_token"]), "--force")
    assert "Please login" in particle.run("whoami", expect=1)


def test_logout_ends_the_token(particle: ParticleCommand) -> None:
    token = str(particle.config()["access_token"])
    particle.run("logout")
    assert particle.config()["access_token"] is None
    assert "may have expired" in particle.run("login", "--token", token, expect=1)


def test_device_is_added_to_a_product_and_listed(particle: ParticleCommand) -> None:
    assert "Success" in particle.run("product", "device", "add", str(keys.PRODUCT), DEVICE)
    listed = json.loads(particle.run("product", "device", "list", PRODUCT, "--json"))
    assert [device["id"] for device in listed["data"]] == [DEVICE]
    assert DEVICE in particle.run("product", "device", "list", PRODUCT, DEVICE)


def test_device_is_claimed_renamed_and_given_up(particle: ParticleCommand) -> None:
    particle.run("product", "device", "add", str(keys.PRODUCT), DEVICE)
    assert "Successfully claimed" in particle.run("cloud", "claim", DEVICE)
    assert "Successfully renamed" in particle.run("device", "rename", DEVICE, "kitchen")
    assert f"kitchen [{DEVICE}]" in particle.run("list")
    assert "Okay" in particle.run("cloud", "remove", DEVICE, "--yes")
    assert DEVICE not in particle.run("list")


def test_device_is_removed_from_a_product(particle: ParticleCommand) -> None:
    particle.run("product", "device", "add", str(keys.PRODUCT), DEVICE)
    assert "Success" in particle.run("product", "device", "remove", str(keys.PRODUCT), DEVICE)
    assert DEVICE not in particle.run("product", "device", "list", PRODUCT)


def test_webhook_is_made_listed_and_deleted(particle: ParticleCommand) -> None:
    said = particle.run("webhook", "create", "door", "https://hooks.example.com/door")
    webhook = said.split()[-1]
    assert webhook in particle.run("webhook", "list")
    assert "Successfully deleted" in particle.run("webhook", "delete", webhook)
    assert webhook not in particle.run("webhook", "list")
