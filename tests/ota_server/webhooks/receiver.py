# SPDX-License-Identifier: Apache-2.0
"""A server elsewhere, which webhooks send to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """A server elsewhere. `statuses`: what it answers, one after another; then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    answer: bytes = b"thanks"
    location: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    """Listens on a free port of this machine."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.requests.append((self.command, self.path, headers, body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            if made.location:
                self.send_header("location", made.location)
            self.send_header("content-length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  # the base's names

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
