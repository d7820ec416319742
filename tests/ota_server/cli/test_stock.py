# SPDX-License-Identifier: Apache-2.0
"""Products, devices, their owners and versions from the command line, against a real server."""

from __future__ import annotations

import os
import pty
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.muster.serial.simulated import SimulatedDevice
from tests.ota_server import keys
from tests.ota_server.cli.test_commands import Terminal
from tests.ota_server.conftest import listen_app, make_settings

DEVICE = 24 * "a"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Terminal]:
    """A server with one product and one device."""
    with listen_app(make_settings(tmp_path / "server"), SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, "a@b.c", "-", "Warm Rooms", 0))
        terminal = Terminal(url, token, tmp_path, services)
        terminal.json("product", "create", str(keys.PRODUCT), "Thermostat")
        key = keys.key("d").public_key.raw.hex()
        assert terminal.run("device", "import", terminal.file("ids", f"{DEVICE} {key}".encode())).exit_code == 0
        yield terminal


def test_product_is_made_changed_and_removed(shop: Terminal) -> None:
    assert shop.json("product", "set", "--claiming", "id", "--check-in-interval", "60")["claiming"] == "id"
    assert "60" in shop.run("product", "show").output
    assert shop.run("product", "set").exit_code == 1
    shop.json("product", "create", "7", "Seven", "--org", "warm-rooms", "--auto-approve")
    assert [one["id"] for one in shop.json("product", "list")["products"]] == [7, keys.PRODUCT]
    assert shop.run("product", "remove", "--product", "7").exit_code == 0
    assert "Thermostat" in shop.run("product", "list").output


def test_devices_are_imported_and_exported_as_a_table(shop: Terminal) -> None:
    sent = f"id,name,groups\n{DEVICE},kitchen,beta\n{24 * 'b'},,\n".encode()
    assert "updated  1" in shop.run("device", "import", shop.file("devices.csv", sent)).output
    table = shop.folder / "out.csv"
    assert shop.run("device", "export", "--group", "beta", "--output", str(table)).exit_code == 0
    assert [line[:26] for line in table.read_text().splitlines()[1:]] == [f'"{DEVICE}"']
    refused = shop.run("device", "import", shop.file("devices.csv", b"id,name\nnonsense,x\n"))
    assert refused.exit_code == 1
    assert "line 2: an id has 24 hexadecimal digits" in refused.output
    assert shop.json("device", "import", str(table))["existingDeviceIds"] == [DEVICE]
    partly = shop.run("device", "import", shop.file("devices.txt", f"{DEVICE}\nnonsense\n".encode()))
    assert partly.exit_code == 1
    assert "not imported: nonsense" in partly.stderr


def test_device_is_claimed_given_up_and_removed(shop: Terminal) -> None:
    assert shop.json("device", "claim", DEVICE)["claimed"] is True
    assert shop.json("device", "show", DEVICE)["owner"] == "a@b.c"
    shop.run("device", "give-up", DEVICE)
    shop.json("device", "claim", DEVICE)
    shop.run("device", "remove", DEVICE, "--owner")
    assert shop.json("device", "show", DEVICE)["owner"] is None
    assert shop.json("device", "set", DEVICE, "--serial-number", "S1")["serial_number"] == "S1"
    assert shop.run("device", "remove", DEVICE).output == f"{DEVICE} is removed\n"
    assert shop.run("device", "show", DEVICE).exit_code == 1
    assert shop.run("device", "remove", DEVICE, "--owner", "--deny").exit_code == 2
    assert shop.run("device", "claim", DEVICE, "--port", "none").exit_code == 2


def test_claim_code_is_printed_or_given_to_the_device_at_a_port(shop: Terminal) -> None:
    assert len(shop.json("device", "claim")["claim_code"]) == 63
    device = SimulatedDevice()
    with at_port(device) as port:
        assert shop.json("device", "claim", "--port", port)["port"] == port
    assert len(device.claim_code) == 63


@contextmanager
def at_port(device: SimulatedDevice) -> Iterator[str]:
    """A simulated device at the far end of a pty."""
    far, near = pty.openpty()

    def run() -> None:
        while data := os.read(far, 4096):
            if data == b"\xff":
                return
            os.write(far, device.receive(data))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(near)
    finally:
        os.write(near, b"\xff")
        thread.join(60)
        os.close(near)
        os.close(far)


def test_version_is_released_renamed_and_removed(shop: Terminal) -> None:
    for version in (1, 2):
        shop.json("publish", shop.file("image.bin", keys.image(version).raw))
    assert "has not run on a device" in shop.run("release", "make", "1").output
    assert shop.json("release", "make", "1", "--force")["product_default"] is True
    shop.run("device", "set", DEVICE, "--group", "beta")
    assert shop.run("release", "make", "1", "--group", "beta", "--dry-run").output == "would update 0 devices\n"
    assert shop.json("release", "make", "1", "--group", "beta", "--no-default")["groups"] == ["beta"]
    assert "beta" in shop.run("release", "list").output
    assert shop.json("release", "make", "1", "--no-groups")["groups"] == []
    assert shop.json("release", "set", "2", "--title", "Spring")["title"] == "Spring"
    assert shop.run("release", "remove", "2").exit_code == 0
    assert [one["version"] for one in shop.json("release", "list")["releases"]] == [1]
    assert shop.run("release", "remove", "1").exit_code == 1


def test_development_device_is_flashed(shop: Terminal) -> None:
    image = shop.file("image.bin", keys.image(3).raw)
    assert "not marked for development" in shop.run("device", "flash", DEVICE, image).output
    shop.run("device", "set", DEVICE, "--development")
    assert shop.json("device", "flash", DEVICE, image)["status"] == "Update started"
