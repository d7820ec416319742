# SPDX-License-Identifier: Apache-2.0
"""Particle's own command line, the real server and the real firmware."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from muster.keystore import KeyStore
from ota_server.organizations.service import add_administrator
from tests.e2e.board import NEWER, SOUND, Victim
from tests.e2e.served import CHECK_IN_INTERVAL_S, Fleet, ServedBoard, boards_of, settings_of
from tests.foreign.particle_command import CLIENT, ParticleCommand
from tests.ota_server.conftest import EMAIL, ORGANIZATION, PASSWORD, listen_app


@dataclass(frozen=True)
class Bench:
    """The command, signed in, and a board whose owner its user is. Time goes on while a command runs."""

    particle: ParticleCommand
    fleet: Fleet
    board: ServedBoard
    client: httpx.Client

    def run(self, *arguments: str) -> str:
        with ThreadPoolExecutor(1) as pool:
            said = pool.submit(self.particle.run, *arguments)
            self.fleet.wait(said.done)
            return said.result()


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, victim: Victim, key_store: KeyStore
) -> Iterator[Bench]:
    cache = request.config.cache
    assert cache is not None
    # Time is virtual for the board only.
    settings = replace(
        settings_of(tmp_path_factory.mktemp("server"), key_store),
        password_clients=(CLIENT,),
        call_timeout_s=300.0,
        hold_max_s=0.5,
    )
    with boards_of(victim, key_store) as fleet, listen_app(settings, fleet.clock) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        token = services.database.write(lambda c: add_administrator(c, EMAIL, hashed, ORGANIZATION, 0))
        particle = ParticleCommand.install(cache.mkdir("node"), tmp_path_factory.mktemp("particle_cli"), url)
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
            product = {"id": fleet.image(SOUND).manifest.product_id, "name": "Victim"}
            product |= {"auto_approve": True, "check_in_interval_s": CHECK_IN_INTERVAL_S}
            client.post("/v1/products", json={"product": product}).raise_for_status()
            board = fleet.add(1, client)
            fleet.wait(lambda: board.count("check-in") >= 2)
            particle.run("login", "--username", EMAIL, "--password", PASSWORD)
            particle.run("cloud", "claim", board.id)
            yield Bench(particle, fleet, board, client)


def test_subscriber_hears_what_is_published(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(bench.particle.run, "subscribe", "--max", "1", "kitchen/")
        # When it listens is not told.
        for _ in range(20):
            if not heard.done():
                bench.particle.run("publish", "kitchen/door", "open")
    event = json.loads(heard.result().splitlines()[-2])
    assert (event["name"], event["data"]) == ("kitchen/door", "open")


def test_event_of_the_device_is_heard(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(bench.particle.run, "subscribe", "--max", "1", "said", "--device", bench.board.id)
        for _ in range(20):
            if not heard.done():
                bench.run("call", bench.board.id, "say", "hello")
        assert '"data":"hello"' in heard.result()


def test_functions_and_variables_are_listed(bench: Bench) -> None:
    listed = bench.run("list")
    assert f"[{bench.board.id}] (Product" in listed
    assert "online" in listed
    assert "int say (String args)" in listed
    assert "said (int32)" in listed


def test_function_is_called_and_variable_is_read(bench: Bench) -> None:
    assert bench.run("call", bench.board.id, "say", "hello").splitlines()[-1] == "0"
    assert bench.run("get", bench.board.id, "last").splitlines()[-1] == "hello"


def test_device_is_told_to_show_itself(bench: Bench) -> None:
    bench.run("cloud", "nyan", bench.board.id, "on")
    bench.run("cloud", "nyan", bench.board.id, "off")


def test_development_device_is_flashed(bench: Bench, tmp_path: Path) -> None:
    image = bench.fleet.image(NEWER)
    (tmp_path / "firmware.bin").write_bytes(image.raw)
    refused = bench.particle.run("flash", "--cloud", bench.board.id, str(tmp_path / "firmware.bin"), expect=1)
    assert "development" in refused
    path = f"/v1/products/{image.manifest.product_id}/devices/{bench.board.id}"
    bench.client.put(path, json={"development": True}).raise_for_status()
    assert "Flash success" in bench.run("flash", "--cloud", bench.board.id, str(tmp_path / "firmware.bin"))
    told = image.manifest.identity_prefix
    bench.fleet.wait(lambda: bench.board.confirmed == told and bench.board.log.facts.outcome is None)
    bench.board.assert_confirmed(image)
