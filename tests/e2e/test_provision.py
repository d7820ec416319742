# SPDX-License-Identifier: Apache-2.0
"""A factory station: two boards with the factory HEX at ptys, the command line, and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import main
from muster.keystore import RELEASE, KeyStore
from muster.signing.signer import sign_image
from muster.station import Record
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.products.service import NewProduct, create
from tests.e2e.board import SOUND, Victim
from tests.e2e.served import settings_of
from tests.muster.cli.emulated import board_at_pty
from tests.ota_server.conftest import EMAIL, ORGANIZATION, listen_app

NOBODY = "http://127.0.0.1:9"


class Factory:
    """A shell at the station, two boards at `ports`, and a server at `url`."""

    def __init__(self, folder: Path, keys: Path, url: str, token: str, product: int) -> None:
        self.folder = folder
        self.url = url
        self.product = product
        self.ports = str(folder / "board-*")
        self.units = folder / "units.csv"
        self.hex_path = folder / "factory.hex"
        self._environment = {"MUSTER_KEYS": str(keys), "MUSTER_TOKEN": token}

    def run(self, *arguments: object, code: int = 0, url: str | None = None) -> Result:
        environment = {**self._environment, "MUSTER_SERVER": url or self.url}
        result = CliRunner().invoke(main, [str(one) for one in arguments], env=environment)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def provision(self, *arguments: object, code: int = 0, url: str | None = None) -> list[Any]:
        """What it says of each unit, and at the end of all."""
        command = ("device", "provision", "--json", *arguments)
        return [json.loads(line) for line in self.run(*command, code=code, url=url).stdout.splitlines()]

    @contextmanager
    def process(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """The same as a process of its own."""
        environment = {**os.environ, **self._environment, "MUSTER_SERVER": self.url}
        command = [sys.executable, "-c", "from muster.cli.main import main; main()", *map(str, arguments)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as running:
            try:
                yield running
            finally:
                running.kill()

    def forget(self) -> None:
        """Removes every device from the server."""
        product = ("--product", self.product)
        for device in json.loads(self.run("device", "list", *product, "--json").stdout)["devices"]:
            self.run("device", "remove", device["id"], *product)

    def known(self, device_id: str) -> Any:
        """The device on the server."""
        return json.loads(self.run("device", "show", device_id, "--product", self.product, "--json").stdout)


@pytest.fixture(scope="module")
def factory(victim: Victim, key_store: KeyStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    folder = tmp_path_factory.mktemp("factory")
    image = sign_image(victim.image(SOUND), key_store.signer(RELEASE))
    signed = folder / "signed.bin"
    signed.write_bytes(image.raw)
    product = image.manifest.product_id
    with (
        listen_app(settings_of(folder / "server", key_store), SystemClock()) as (services, url),
        ExitStack() as boards,
    ):
        token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, 0))
        services.database.write(lambda c: create(c, 1, NewProduct(product, "Victim"), 0))
        factory = Factory(folder, key_store.folder, url, token, product)
        factory.run("device", "factory-hex", victim.built(SOUND).folder, signed, "-o", factory.hex_path)
        for seed in (1, 2):
            boards.enter_context(board_at_pty(factory.hex_path, seed=seed, link=folder / f"board-{seed}"))
        yield factory


def test_boards_are_registered_once_and_written_down(factory: Factory) -> None:
    factory.forget()
    bulk = ("--port", factory.ports, "--record", factory.units, "--count", 2, "--serial-number-prefix", "SN-")
    *units, summary = factory.provision(*bulk, "--name", "Victim {serial_number}", "--claim")
    assert [unit["result"] for unit in units] == ["registered"] * 2
    assert [unit["serial_number"] for unit in units] == ["SN-00001", "SN-00002"]
    assert summary == {"units": 2, "registered": 2, "already_provisioned": 0, "not_registered": 0, "refused": 0}
    for unit in units:
        device = factory.known(unit["id"])
        assert (device["status"], device["fingerprint"]) == ("active", unit["fingerprint"])
        assert (device["serial_number"], device["name"]) == (unit["serial_number"], unit["name"])
    assert len({unit["fingerprint"] for unit in units}) == 2
    before = factory.units.read_bytes()
    *again, _ = factory.provision(*bulk)
    assert {unit["id"]: unit["result"] for unit in again} == {unit["id"]: "already provisioned" for unit in units}
    assert factory.units.read_bytes() == before


def test_units_that_the_server_has_not_heard_of_are_registered_later(factory: Factory) -> None:
    path = factory.folder / "late.csv"
    factory.forget()
    bulk = ("--port", factory.ports, "--record", path, "--count", 2, "--product", factory.product)
    *units, summary = factory.provision(*bulk, code=1, url=NOBODY)
    assert [unit["result"] for unit in units] == ["not registered"] * 2
    assert summary["not_registered"] == 2
    assert "no answer from" in units[0]["why"]
    *late, _ = factory.provision("--register", path)
    assert [(unit["id"], unit["result"]) for unit in late] == [(unit["id"], "registered") for unit in units]
    assert factory.known(units[0]["id"])["fingerprint"] == units[0]["fingerprint"]
    assert factory.provision("--register", path)[-1]["units"] == 0
    with Record(path) as record:
        assert len(record.units) == 4


def test_port_that_cannot_be_used_is_told_once(factory: Factory) -> None:
    no_port = factory.folder / "no_port"
    no_port.touch()
    ports = ("--port", no_port, "--port", factory.ports, "--count", 2)
    record = ("--record", factory.folder / "unusable.csv", "--product", factory.product)
    said = factory.run("device", "provision", *ports, *record)
    assert said.stderr.count(f"cannot open {no_port}") == 1


def test_station_takes_boards_as_they_come_until_it_is_interrupted(factory: Factory) -> None:
    link = factory.folder / "late-1"
    arguments = ("--port", factory.folder / "late-*", "--record", factory.folder / "process.csv")
    with factory.process("device", "provision", "--product", factory.product, *arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "waiting for boards" in process.stderr.readline()
        for seed in (3, 4):
            with board_at_pty(factory.hex_path, seed=seed, link=link):
                assert process.stdout.readline().startswith("registered  ")
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "2 units: 2 registered\n"
        assert process.wait() == 0
    with Record(factory.folder / "process.csv") as record:
        assert len({unit.device_id for unit in record.units}) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--record", "units.csv"), "--port and --record, or --register"),
        (("--port", "/dev/null"), "--port and --record, or --register"),
        (("--port", "x", "--record", "y", "--name", "{serial_number}"), "needs --serial-numbers"),
        (("--port", "x", "--record", "y", "--serial-numbers", __file__, "--serial-number-prefix", "a"), "or --serial"),
    ],
)
def test_what_makes_no_sense_is_told(factory: Factory, arguments: tuple[str, ...], why: str) -> None:
    said = factory.run("device", "provision", *arguments, code=2)
    assert why in " ".join(said.stderr.split())
