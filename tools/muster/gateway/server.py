# SPDX-License-Identifier: Apache-2.0
"""The server as a gateway sees it (docs/spec/device_protocol.md sections 4 and 5)."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httpx

from muster.errors import EnvironmentFault
from muster.gateway.port import NOT_REACHED, OK, Exchange, Reply
from muster.serial.messages import EXCHANGE_SIZE_MAX

HOLD_MAX_S = 25.0
"""For so long a server may keep a check-in back."""
EXCHANGE_TIMEOUT_S = HOLD_MAX_S + 20.0
CONNECT_TIMEOUT_S = 5.0
FETCH_TIMEOUT_S = 60.0
KEEP_ALIVE_S = 30.0
"""Shorter than the server keeps an idle connection, so that a message never meets one that is just being closed."""
FETCH_TRIES = 3
PAUSE_SIZE_MAX = 5

_CBOR = {"content-type": "application/cbor"}
_PLAIN = {"accept-encoding": "identity"}
_PARTIAL = 206
_GONE = (404, 410)
_BUSY = (429, 503)
"""With a pause that the device shall make. A proxy's page says nothing to a device."""


class ServerSilent(EnvironmentFault):
    """The server was not reached, broke off, or is too busy: another time it may answer."""


class DeviceServer(Protocol):
    """What a gateway needs of a server."""

    async def exchange(self, exchange: Exchange) -> Reply:
        """Posts a message. Never raises: a server that does not answer makes a reply with status NOT_REACHED."""
        ...

    async def fetch(self, digest: bytes, size_max: int) -> bytes | None:
        """The bytes that have this SHA-256, unchecked; None when the server says that it has none.

        Raises:
            ServerSilent: no answer, a broken one, or more than `size_max` bytes.
        """
        ...


class HttpServer:
    """A DeviceServer over HTTP. An async context manager; to be used by one event loop."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`url` is where the server listens, such as http://127.0.0.1:8000; `transport` is for tests.

        Raises:
            EnvironmentFault: the URL is none of http or https.
        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise EnvironmentFault(f"{url} is no URL: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise EnvironmentFault(f"{url} is no http or https URL")
        self._http = httpx.AsyncClient(
            base_url=f"{url.rstrip('/')}/device/v1",
            headers=_PLAIN,
            timeout=httpx.Timeout(EXCHANGE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # A held check-in keeps its connection busy: there is one for each device.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEP_ALIVE_S),
            transport=transport,
        )

    async def __aenter__(self) -> HttpServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def exchange(self, exchange: Exchange) -> Reply:
        try:
            async with (
                asyncio.timeout(EXCHANGE_TIMEOUT_S),
                self._http.stream("POST", f"/{exchange.kind}", content=exchange.body, headers=_CBOR) as response,
            ):
                body = bytearray()
                if response.status_code == OK:
                    await _read(response, body, EXCHANGE_SIZE_MAX)
                elif response.status_code in _BUSY and response.headers.get("content-type") == _CBOR["content-type"]:
                    await _read(response, body, PAUSE_SIZE_MAX)
                return Reply(response.status_code, bytes(body))
        except (httpx.HTTPError, TimeoutError, ServerSilent):
            return Reply(NOT_REACHED)

    async def fetch(self, digest: bytes, size_max: int) -> bytes | None:
        body = bytearray()
        for _ in range(FETCH_TRIES):
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_S):
                    return await self._fetch_rest(digest.hex(), body, size_max)
            except (httpx.HTTPError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
        raise ServerSilent(f"the patch does not come: {reason}")

    async def _fetch_rest(self, name: str, body: bytearray, size_max: int) -> bytes | None:
        """Goes on where an earlier try broke off."""
        headers = {"range": f"bytes={len(body)}-"}
        async with self._http.stream("GET", f"/patches/{name}", headers=headers) as response:
            if response.status_code in _GONE:
                return None
            if response.status_code == OK:
                body.clear()
            elif response.status_code != _PARTIAL:
                raise ServerSilent(f"the server answers with status {response.status_code}")
            await _read(response, body, size_max)
        return bytes(body)


async def _read(response: httpx.Response, body: bytearray, size_max: int) -> None:
    async for part in response.aiter_raw():
        body += part
        if len(body) > size_max:
            raise ServerSilent(f"the server's answer has more than {size_max} bytes")
