# SPDX-License-Identifier: Apache-2.0
"""The rows of Particle's API that the server must have, and a note of which of them were asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Row:
    """A method and a path (`:d` stands for anything), and what tells it from others of the same path.

    `marker`: a part of content type, query or body.
    """

    method: str
    path: str
    marker: str = ""

    def __str__(self) -> str:
        return " ".join((self.method, self.path, self.marker)).strip()

    def is_path(self, method: str, path: str) -> bool:
        return method == self.method and re.fullmatch(re.sub(r":\w+", "[^/]+", self.path), path) is not None


@dataclass
class Requests:
    """ASGI middleware that notes what was asked for: method, path, and the rest as one text."""

    app: ASGIApp
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        kind = dict(scope["headers"]).get(b"content-type", b"")
        body = bytearray()

        async def noted() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        try:
            await self.app(scope, noted, send)
        finally:
            sent = b" ".join((kind, scope["query_string"], bytes(body))).decode("latin-1")
            self.seen.append((scope["method"], scope["path"], sent))

    def has(self, row: Row, rows: list[Row]) -> bool:
        """Whether a row was asked for. A request is that of the path that says most of it."""
        return any(
            row.method == method and row.marker in sent and row.path == _path_of(method, path, rows)
            for method, path, sent in self.seen
        )


def _path_of(method: str, path: str, rows: list[Row]) -> str | None:
    paths = [row.path for row in rows if row.is_path(method, path)]
    return min(paths, key=lambda path: path.count(":"), default=None)


def _rows(text: str) -> list[Row]:
    return [Row(*line.split(maxsplit=2)) for line in text.strip().splitlines()]


ACCOUNTS = _rows("""
POST /oauth/token grant_type=password
POST /oauth/token grant_type=client_credentials
POST /oauth/token scope=customer
POST /oauth/token grant_type=refresh_token
POST /oauth/token grant_type=authorization_code
GET /v1/user
GET /v1/access_tokens/current
DELETE /v1/access_tokens/current
DELETE /v1/access_tokens/:t
DELETE /v1/access_tokens
GET /v1/clients
POST /v1/clients
PUT /v1/clients/:c
DELETE /v1/clients/:c
GET /v1/products/:p/clients
POST /v1/products/:p/clients
PUT /v1/products/:p/clients/:c
DELETE /v1/products/:p/clients/:c
POST /v1/products/:p/customers
POST /v1/products/:p/customers response_type=token
POST /v1/products/:p/customers no_password
GET /v1/products/:p/customers
PUT /v1/products/:p/customers/:e
DELETE /v1/products/:p/customers/:e
""")

TEAMS = _rows("""
GET /v1/orgs
GET /v1/orgs/:o
GET /v1/orgs/:o/products
GET /v1/orgs/:o/team
POST /v1/orgs/:o/team
DELETE /v1/orgs/:o/team/:u
GET /v1/products
GET /v1/user/products
GET /v1/products/:p
POST /v1/products
PUT /v1/products/:p
DELETE /v1/products/:p
GET /v1/products/:p/team
POST /v1/products/:p/team username
POST /v1/products/:p/team friendly_name
POST /v1/products/:p/team/:u
PUT /v1/products/:p/team/:u
DELETE /v1/products/:p/team/:u
PUT /v1/products/:p/team/:u/token
""")

DEVICES = _rows("""
GET /v1/devices
GET /v1/devices/:d
POST /v1/devices "id"
POST /v1/devices product_id
DELETE /v1/devices/:d
PUT /v1/devices/:d "name"
PUT /v1/devices/:d "notes"
PUT /v1/devices/:d signal
PUT /v1/devices/:d multipart/form-data
PUT /v1/devices/:d/ping
GET /v1/devices/:d/:v
GET /v1/devices/:d/:v format=raw
POST /v1/devices/:d/:f
POST /v1/device_claims
POST /v1/products/:p/device_claims
GET /v1/products/:p/devices
POST /v1/products/:p/devices multipart/form-data
POST /v1/products/:p/devices "id"
POST /v1/products/:p/devices "ids"
GET /v1/products/:p/devices/:d
GET /v1/products/:p/devices/:d/:v
POST /v1/products/:p/devices/:d/:f
PUT /v1/products/:p/devices/:d "name"
PUT /v1/products/:p/devices/:d "notes"
PUT /v1/products/:p/devices/:d signal
PUT /v1/products/:p/devices/:d desired_firmware_version
PUT /v1/products/:p/devices/:d development
PUT /v1/products/:p/devices/:d "groups"
PUT /v1/products/:p/devices/:d multipart/form-data
PUT /v1/products/:p/devices
DELETE /v1/products/:p/devices/:d
DELETE /v1/products/:p/devices/:d "deny":true
DELETE /v1/products/:p/devices/:d/owner
""")

FIRMWARE = _rows("""
GET /v1/products/:p/groups
POST /v1/products/:p/groups
GET /v1/products/:p/groups/:g
PUT /v1/products/:p/groups/:g
DELETE /v1/products/:p/groups/:g
GET /v1/products/:p/firmware
POST /v1/products/:p/firmware multipart/form-data
GET /v1/products/:p/firmware/:v
PUT /v1/products/:p/firmware/:v
DELETE /v1/products/:p/firmware/:v
GET /v1/products/:p/firmware/:v/binary
PUT /v1/products/:p/firmware/release
""")

EVENTS = _rows("""
GET /v1/events
GET /v1/events/:n
GET /v1/devices/events
GET /v1/devices/events/:n
GET /v1/devices/:d/events
GET /v1/devices/:d/events/:n
GET /v1/products/:p/events
GET /v1/products/:p/events/:n
GET /v1/products/:p/devices/:d/events
GET /v1/orgs/:o/events
POST /v1/devices/events
POST /v1/products/:p/events
""")
