# SPDX-License-Identifier: Apache-2.0
"""Bytes of the messages of an update, and check-ins per second of one server process on SQLite.

Run: python tests/benchmarks/bench_checkin.py [--seconds 5] [--devices 256] [--json]
The clients share this machine's cores with the server, so the rate is a lower bound.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from muster.client import ServerClient, Stage
from muster.protocol import DeviceIdentity, DeviceSession, DeviceState, Report
from muster.signing.keys import write_private_key
from tests.ota_server import keys

UP_GOAL, DOWN_GOAL = 96, 64
"""Bytes that a routine check-in may have, before transport."""


@dataclass(frozen=True)
class Facts:
    """What was measured; `sizes` are bytes up and down by message."""

    sizes: dict[str, tuple[int, int]]
    check_ins_per_s: float
    openings_per_s: float


@dataclass
class Client:
    """A device of the benchmark over one kept connection."""

    number: int
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        device_id = hashlib.sha256(f"bench {self.number}".encode()).digest()[:12]
        self.session = DeviceSession(DeviceIdentity(device_id, keys.key(f"bench {self.number}"), keys.PRODUCT, 6))
        self.interval_s = 300
        self.uptime_s = 0

    @property
    def state(self) -> DeviceState:
        return DeviceState(IDENTITY, 1, 0, 1, 0, 0, 1, 1, self.interval_s)

    async def connect(self, host: str, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection(host, port)

    async def post(self, path: str, body: bytes) -> bytes:
        fields = f"host: b\r\ncontent-type: application/cbor\r\ncontent-length: {len(body)}"
        head = f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n"
        self.writer.write(head.encode() + body)
        answer_head = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer_head.split(b"\r\n")
        size = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
        answer = await self.reader.readexactly(size)
        if b" 200 " not in lines[0]:
            raise RuntimeError(f"{path}: {lines[0].decode()}")
        return answer

    async def open(self) -> None:
        request = self.session.begin(1, os.urandom(32), os.urandom(16))
        answer = await self.post("/device/v1/open", request)
        self.session.finish(answer, keys.keyset().content.online_keys)
        self.sizes["opening"] = len(request), len(answer)

    async def check_in(self, name: str, report: Report) -> None:
        message = self.session.seal(self.state, report)
        raw = await self.post("/device/v1/check-in", message)
        answer = self.session.open(raw)
        if answer.next_s:
            self.interval_s = answer.next_s
        self.sizes[name] = len(message), len(raw)
        if answer.offer is not None:
            self.sizes["offer"] = len(message), len(raw)


IDENTITY = keys.image(1).identity[:8]
ROUTINE = Report(uptime_s=123_456, health={1: 1840, 2: 0, 3: 0, 4: 1, 5: 0})


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--devices", type=int, default=256)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measure(Path(folder), chosen.devices, chosen.seconds)
    if chosen.json:
        print(json.dumps(asdict(facts), indent=2))
        return
    print(f"{'message':<28} {'up':>6} {'down':>6}   bytes before transport")
    for name, (up, down) in facts.sizes.items():
        goal = f"   goal {UP_GOAL} / {DOWN_GOAL}" if name == "routine check-in" else ""
        print(f"{name:<28} {up:>6} {down:>6}{goal}")
    print(f"\n{facts.check_ins_per_s:,.0f} check-ins per second, {chosen.devices} devices, one process, SQLite")
    print(f"{facts.openings_per_s:,.0f} openings per second")


def measure(folder: Path, devices: int, seconds: float) -> Facts:
    """Starts a server of its own and talks to it."""
    write_private_key(folder / "online.pem", keys.key("online"))
    (folder / "keyset.cbor").write_bytes(keys.keyset().to_bytes())
    serve = [sys.executable, "-c", "from muster.cli.main import main; main()", "serve", "--data", str(folder / "data")]
    serve += ["--online-key", str(folder / "online.pem"), "--keyset", str(folder / "keyset.cbor")]
    account = ["--init", "--email", "a@b.c", "--password-stdin", "--json"]
    made = subprocess.run([*serve, *account], input="benchmark\n", capture_output=True, text=True, check=True)
    token = json.loads(made.stdout)["token"]
    with subprocess.Popen([*serve, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        try:
            return asyncio.run(talk(url, token, devices, seconds))
        finally:
            server.terminate()


async def talk(url: str, token: str, devices: int, seconds: float) -> Facts:
    """Messages of one device, then all devices at once."""
    with ServerClient(url, token) as api:
        api.create_product(keys.PRODUCT, "Benchmark", auto_approve=True)
        for version in (1, 2):
            api.publish(keys.image(version).raw, keys.PRODUCT)
        host, _, port = url.removeprefix("http://").partition(":")
        clients = [Client(number) for number in range(devices)]
        for client in clients:
            await client.connect(host, int(port))
        openings = await timed(clients, lambda client: client.open(), rounds=1)
        for name in ("first check-in of a session", "check-in after it", "routine check-in"):
            await clients[0].check_in(name, ROUTINE)
        for client in clients[1:]:
            for _ in range(2):
                await client.check_in("warm-up", ROUTINE)
        rate = await timed(clients, lambda client: client.check_in("routine check-in", ROUTINE), seconds=seconds)
        number = api.create_rollout(keys.PRODUCT, 2, [Stage(100, 1000, 1000)])["id"]
        assert isinstance(number, int)
        api.move_rollout(keys.PRODUCT, number, "start")
        while "offer" not in clients[0].sizes:
            await clients[0].check_in("waiting", Report(hold_s=5))
    shown = ("opening", "first check-in of a session", "routine check-in", "offer")
    return Facts({name: clients[0].sizes[name] for name in shown}, rate, openings)


async def timed(
    clients: list[Client], step: Callable[[Client], Awaitable[None]], seconds: float = 0.0, rounds: int = 0
) -> float:
    """Steps per second, all clients at once, for so many rounds or seconds."""
    done = 0
    started = time.perf_counter()

    async def run(client: Client) -> None:
        nonlocal done
        left = rounds
        while left > 0 or time.perf_counter() - started < seconds:
            await step(client)
            done += 1
            left -= 1

    await asyncio.gather(*(run(client) for client in clients))
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
