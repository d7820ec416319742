# SPDX-License-Identifier: Apache-2.0
"""An S3 server of the tests' own, with a new bucket for each test; requests may fail on purpose."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from ota_server.storage.s3 import Bucket

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "no secret", "AWS_REGION": "us-east-1"}
"""What a process needs beside the bucket's address."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class S3Server:
    """Listens on a free port of this machine.

    Attributes:
        failing: the share of requests that are answered with 500, before anything is done.
    """

    endpoint: str = ""
    failing: float = 0.0
    requests: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _dice: random.Random = field(default_factory=lambda: random.Random(7))

    def bucket(self, prefix: str = "muster") -> Bucket:
        """A new one."""
        name = f"bucket{next(self._numbers)}"
        httpx.put(f"{self.endpoint}/{name}").raise_for_status()
        return Bucket(name, prefix, self.endpoint)

    def wrap(self, app: Application) -> Application:
        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            self.requests += 1
            if self._dice.random() < self.failing:
                start("500 Internal Server Error", [("content-length", "0")])
                return [b""]
            return app(environ, start)

        return answer


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """A server until the context ends."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    made = S3Server()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made.endpoint = f"http://{host}:{port}"
    assert server._server is not None
    server._server.app = made.wrap(server._server.app)
    try:
        yield made
    finally:
        server.stop()
