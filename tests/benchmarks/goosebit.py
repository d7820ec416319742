# SPDX-License-Identifier: Apache-2.0
"""gooseBit as a peer: installed from PyPI into an environment of its own, with registered devices, serving polls."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy.engine import URL

from muster.errors import EnvironmentFault
from muster.fleet.seeded import seeded
from muster.fleet.tally import Latencies
from muster.fleet.wire import Wire, connect

REQUIREMENTS = ("goosebit[postgresql]==0.2.12", "uvloop==0.23.0", "httptools==0.9.0")
STARTS_IN_S = 60
_ENVIRONMENT = Path(__file__).parents[2] / "build" / "goosebit"

_SEED = """
import asyncio, sys
from tortoise import Tortoise
from goosebit.db.config import TORTOISE_CONF
from goosebit.db.models import Device, Hardware, UpdateStateEnum

async def main() -> None:
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas()
    hardware, _ = await Hardware.get_or_create(model="default", revision="default")
    ids = sys.stdin.read().split()
    state = UpdateStateEnum.REGISTERED
    devices = [Device(id=one, hardware=hardware, sw_version="1.0.0", last_state=state) for one in ids]
    await Device.bulk_create(devices, batch_size=1000)
    await Tortoise.close_connections()

asyncio.run(main())
"""

_RUN = """
import socket, uvicorn
from goosebit import app
server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning"))
server.run(sockets=[socket.socket(fileno={})])
"""


def install() -> Path:
    """Its Python, with it installed."""
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


@contextmanager
def serving(folder: Path, database: URL | None, seed: str, count: int) -> Iterator[tuple[int, str, int]]:
    """A server with so many registered devices: its process, host and port."""
    python = install()
    uri = f"sqlite://{folder}/goosebit.sqlite3"
    if database is not None:
        uri = f"postgres://{database.username}:@/{database.database}"
    # As its documentation has it (README of 0.2.12), with what costs least: no address kept, uvicorn's fastest parts.
    environment = {
        **os.environ,
        "GOOSEBIT_DB_URI": uri,
        "GOOSEBIT_TRACK_DEVICE_IP": "false",
        "GOOSEBIT_ARTIFACTS_DIR": str(folder / "artifacts"),
    }
    if database is not None:
        # Its address cannot name a socket's folder; asyncpg looks here.
        environment["PGHOST"] = str(database.query["host"])
    ids = "\n".join(seeded(seed, number).device_id.hex() for number in range(count))
    subprocess.run([str(python), "-c", _SEED], input=ids, text=True, env=environment, cwd=folder, check=True)
    with (folder / "goosebit.log").open("w") as log, socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = [str(python), "-c", _RUN.format(number)]
        with subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, pass_fds=[number]
        ) as server:
            host, port = listener.getsockname()
            listener.close()
            try:
                _wait(f"http://{host}:{port}/")
                yield server.pid, host, port
            finally:
                server.terminate()


async def poll(host: str, port: int, seed: str, count: int, connections: int, seconds: float) -> tuple[Latencies, int]:
    """Asks for polls of all devices in turn; how long each took, and how many there were."""
    times, done = Latencies(), 0
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def work(wire: Wire) -> None:
        nonlocal done
        while loop.time() < end:
            device_id = seeded(seed, done % count).device_id.hex()
            began = loop.time()
            status, _ = await wire.ask(f"GET /DEFAULT/controller/v1/{device_id} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            if status != 200:
                raise EnvironmentFault(f"gooseBit answers a poll with {status}")
            times.add(loop.time() - began)
            done += 1

    wires = [await connect(host, port) for _ in range(connections)]
    await asyncio.gather(*map(work, wires))
    for wire in wires:
        wire.close()
    return times, done


def _wait(url: str) -> None:
    """It answers as soon as it takes what has come to its socket."""
    try:
        httpx.get(url, timeout=STARTS_IN_S)
    except httpx.TransportError as error:
        raise EnvironmentFault("gooseBit did not start") from error
