# SPDX-License-Identifier: Apache-2.0
"""Bytes of the messages of an update, before transport.

Run: python tests/benchmarks/message_sizes.py [--json]
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
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from muster.client import ServerClient, Stage
from muster.fleet.wire import connect
from muster.protocol import DeviceIdentity, DeviceSession, DeviceState, Report
from muster.signing.keys import write_private_key
from tests.ota_server import keys

UP_GOAL, DOWN_GOAL = 96, 64
"""Bytes that a routine check-in may have, before transport."""


@dataclass
class Client:
    """A device over one kept connection; `sizes` are bytes up and down by message."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        device_id = hashlib.sha256(b"bench").digest()[:12]
        self.session = DeviceSession(DeviceIdentity(device_id, keys.key("bench"), keys.PRODUCT, 6))
        self.interval_s = 300
        self.uptime_s = 0

    @property
    def state(self) -> DeviceState:
        return DeviceState(IDENTITY, 1, 0, 1, 0, 0, 1, 1, self.interval_s)

    async def connect(self, host: str, port: int) -> None:
        self.wire = await connect(host, port)

    async def post(self, path: str, body: bytes) -> bytes:
        fields = f"host: b\r\ncontent-type: application/cbor\r\ncontent-length: {len(body)}"
        status, answer = await self.wire.ask(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        if status != 200:
            raise RuntimeError(f"{path}: {status}")
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
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = measure(Path(folder))
    if chosen.json:
        print(json.dumps(sizes, indent=2))
        return
    print(f"{'message':<28} {'up':>6} {'down':>6}   bytes before transport")
    for name, (up, down) in sizes.items():
        goal = f"   goal {UP_GOAL} / {DOWN_GOAL}" if name == "routine check-in" else ""
        print(f"{name:<28} {up:>6} {down:>6}{goal}")


def measure(folder: Path) -> dict[str, tuple[int, int]]:
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
            return asyncio.run(talk(url, token))
        finally:
            server.terminate()


async def talk(url: str, token: str) -> dict[str, tuple[int, int]]:
    """The messages of one device."""
    with ServerClient(url, token) as api:
        api.create_product(keys.PRODUCT, "Benchmark", auto_approve=True)
        for version in (1, 2):
            api.publish(keys.image(version).raw, keys.PRODUCT)
        host, _, port = url.removeprefix("http://").partition(":")
        client = Client()
        await client.connect(host, int(port))
        await client.open()
        for name in ("first check-in of a session", "check-in after it", "routine check-in"):
            await client.check_in(name, ROUTINE)
        number = api.create_rollout(keys.PRODUCT, 2, [Stage(100, 1000, 1000)])["id"]
        assert isinstance(number, int)
        api.move_rollout(keys.PRODUCT, number, "start")
        while "offer" not in client.sizes:
            await client.check_in("waiting", Report(hold_s=5))
        client.wire.close()
    shown = ("opening", "first check-in of a session", "routine check-in", "offer")
    return {name: client.sizes[name] for name in shown}


if __name__ == "__main__":
    main()
