# SPDX-License-Identifier: Apache-2.0
"""A real server process: killed with -9 it has lost nothing that it acknowledged; it stops cleanly when asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from muster.client import ServerClient, ServerRefused, ServerUnreachable, Stage
from muster.signing.keys import write_private_key
from tests.ota_server import keys
from tests.ota_server.simulated import SimulatedDevice

MUSTER = [sys.executable, "-c", "from muster.cli.main import main; main()"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_private_key(tmp_path / "online.pem", keys.key("online"))
    (tmp_path / "keyset.cbor").write_bytes(keys.keyset().to_bytes())
    return tmp_path / "data"


def arguments(data: Path) -> list[str]:
    folder = data.parent
    return ["serve", "--data", str(data), "--online-key", f"{folder}/online.pem", "--keyset", f"{folder}/keyset.cbor"]


def init(data: Path, email: str = "ana@example.com") -> str:
    """Makes an account and returns its token."""
    done = subprocess.run(
        [*MUSTER, *arguments(data), "--init", "--email", email, "--password-stdin", "--json"],
        input="correct horse\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["token"])


@contextmanager
def process(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A running server and a client of it."""
    command = [*MUSTER, *arguments(data), "--port", "0", *options]
    with (
        (data.parent / "serve.log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ}) as running,
    ):
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line.startswith("serving on http://127.0.0.1:"), line
        try:
            with httpx.Client(base_url=line.split()[-1]) as client:
                yield running, client
        finally:
            running.kill()


def api_of(client: httpx.Client, token: str) -> ServerClient:
    return ServerClient(str(client.base_url), token)


def device_at(client: httpx.Client, number: int) -> SimulatedDevice:
    device = SimulatedDevice(None, None, bytes([number]) * 12, keys.key(f"d{number}"), keys.image(1))  # type: ignore[arg-type]
    move(device, client)
    return device


def move(device: SimulatedDevice, client: httpx.Client) -> None:
    """Lets a device talk to another server process."""

    def post(path: str, body: bytes) -> tuple[int, bytes]:
        response = client.post(path, content=body, headers={"content-type": "application/cbor"})
        return response.status_code, response.content

    def get(path: str, first: int, last: int) -> bytes | None:
        response = client.get(path, headers={"range": f"bytes={first}-{last}"})
        return response.content if response.status_code == 206 else None

    device.post, device.get = post, get


def until_offered(device: SimulatedDevice) -> None:
    """Checks in until the patch is made."""
    while device.check_in(hold_s=5).offer is None:
        assert device.running.manifest.product_version == 1


def test_kill_9_loses_nothing_that_was_acknowledged(data: Path) -> None:
    token = init(data)
    with process(data) as (running, client), api_of(client, token) as api:
        api.create_product(keys.PRODUCT, "Thermostat", auto_approve=True)
        for version in (1, 2):
            api.publish(keys.image(version).raw, keys.PRODUCT)
        made = api.create_rollout(keys.PRODUCT, 2, [Stage(100, 3, 0)])
        api.move_rollout(keys.PRODUCT, 1, "start")
        assert made["status"] == "draft"
        devices = [device_at(client, number) for number in (1, 2, 3)]
        for device in devices:
            device.log("before the kill")
            until_offered(device)
        devices[0].update()
        devices[1].fetch()
        assert not devices[0].unsent_logs
        running.send_signal(signal.SIGKILL)
        running.wait()
    with process(data) as (running, client), api_of(client, token) as api:
        counters = api.rollout(keys.PRODUCT, 1)["rollout"]
        assert isinstance(counters, dict)
        assert counters["counters"]["confirmed"] == 1
        for device in devices:
            move(device, client)
            device.update()
            seen = api.device(keys.PRODUCT, device.device_id.hex())
            assert seen["firmware_version"] == 2
            assert [line["text"] for line in seen["logs"]] == ["before the kill"]  # type: ignore[attr-defined]
        shown = api.rollout(keys.PRODUCT, 1)["rollout"]
        assert isinstance(shown, dict)
        assert shown["status"] == "completed"
        assert shown["counters"]["confirmed"] == shown["counters"]["offered"] == 3


def test_clean_stop_keeps_sessions_and_answers_held_requests(data: Path) -> None:
    token = init(data)
    with process(data) as (running, client), api_of(client, token) as api:
        api.create_product(keys.PRODUCT, "Thermostat", auto_approve=True)
        device = device_at(client, 1)
        for _ in range(3):
            device.check_in()
        session = device.session.keys
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    with process(data) as (_, client):
        move(device, client)
        device.check_in()
        assert device.session.keys == session


def test_clients_that_only_hold_on_keep_nobody_out_and_cannot_stop_a_stop(data: Path) -> None:
    token = init(data)
    watched = ("--connections", "40", "--log", "json", "--access-log", "people")
    with process(data, *watched) as (running, client), api_of(client, token) as api, contextlib.ExitStack() as stack:
        host, port = str(client.base_url.host), client.base_url.port or 0
        head = b"POST /v1/orgs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        for number in range(100):
            slow = stack.enter_context(socket.create_connection((host, port), timeout=60))
            slow.sendall(head if number % 10 == 0 else head[: 20 + number % 60])
        api.create_product(keys.PRODUCT, "Thermostat", auto_approve=True)
        device = device_at(client, 1)
        device.check_in()
        device.check_in()
        answer = client.get("/v1/user", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        measured = client.get("/metrics").text
        assert "muster_connections_ended_total" in measured
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    lines = [json.loads(line) for line in (data.parent / "serve.log").read_text().splitlines()]
    told = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
    assert [(line["route"], line["status"]) for line in told] == [("/v1/user", 200)]
    assert not any(line["logger"] == "ota_server.access" and "device" in line["route"] for line in lines)


def test_init_refuses_bad_accounts_in_one_line(data: Path) -> None:
    init(data)
    for email, password, text in (
        ("ana@example.com", "correct horse", "has an account already"),
        ("nobody", "correct horse", "not an e-mail address"),
        ("eva@example.com", "short", "a password has 8 to"),
    ):
        done = subprocess.run(
            [*MUSTER, *arguments(data), "--init", "--email", email, "--password-stdin"],
            input=password + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_client_says_in_one_line_what_is_wrong(data: Path) -> None:
    init(data)
    with process(data) as (_, client), api_of(client, 40 * "0") as api:
        with pytest.raises(ServerRefused, match="access token is not valid"):
            api.products()
        url = str(client.base_url)
    with ServerClient(url, 40 * "0") as api, pytest.raises(ServerUnreachable, match="no answer from"):
        api.products()


def test_private_files_are_for_the_server_only(data: Path) -> None:
    (data.parent / "online.pem").unlink()
    subprocess.run(
        [*MUSTER, "serve", "--data", str(data), "--keyset", str(data.parent / "keyset.cbor")],
        capture_output=True,
        check=False,
    )
    assert (data / "online.pem").stat().st_mode & 0o777 == 0o600
    token = init_with_made_key(data)
    assert token
    assert (data / "muster.sqlite3").stat().st_mode & 0o077 == 0
    assert data.stat().st_mode & 0o077 == 0
    assert token.encode() not in (data / "muster.sqlite3").read_bytes()


def init_with_made_key(data: Path) -> str:
    done = subprocess.run(
        [*MUSTER, "serve", "--data", str(data), "--init", "--email", "a@b.c", "--password-stdin", "--json"],
        input="correct horse\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["token"])
