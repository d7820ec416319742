# SPDX-License-Identifier: Apache-2.0
"""The server over HTTP, as a gateway asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from muster.errors import EnvironmentFault
from muster.gateway import Exchange, ExchangeKind, HttpServer, Reply, ServerSilent
from muster.serial.messages import EXCHANGE_SIZE_MAX

Handler = Callable[[httpx.Request], httpx.Response]

OPENING = Exchange(ExchangeKind.OPEN, 1, b"opening")
PATCH = bytes(range(256)) * 10
DIGEST = bytes(range(32))


def exchange(handler: Handler, what: Exchange = OPENING) -> Reply:
    async def run() -> Reply:
        async with HttpServer("http://server:8000/", httpx.MockTransport(handler)) as server:
            return await server.exchange(what)

    return asyncio.run(run())


def fetch(handler: Handler, size_max: int = 10_000) -> bytes | None:
    async def run() -> bytes | None:
        async with HttpServer("http://server:8000", httpx.MockTransport(handler)) as server:
            return await server.fetch(DIGEST, size_max)

    return asyncio.run(run())


class Body(httpx.AsyncByteStream):
    """Bytes as they come over a connection."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class Broken(Body):
    """Some bytes, then the connection is gone."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        raise httpx.ReadError("connection reset")


@pytest.mark.parametrize("kind", list(ExchangeKind))
def test_messages_are_posted_where_the_protocol_says(kind: ExchangeKind) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert str(request.url) == f"http://server:8000/device/v1/{kind}"
        assert request.headers["content-type"] == "application/cbor"
        return httpx.Response(200, stream=Body(request.content[::-1]))

    assert exchange(handler, Exchange(kind, 1, b"message")) == Reply(200, b"egassem")


def test_a_refusal_keeps_its_status_and_loses_its_body() -> None:
    assert exchange(lambda _: httpx.Response(401, stream=Body(b"why"))) == Reply(401)


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_a_busy_server_asks_for_is_handed_on_and_a_proxys_page_is_not(status: int) -> None:
    cbor, html = {"content-type": "application/cbor"}, {"content-type": "text/html"}
    assert exchange(lambda _: httpx.Response(status, stream=Body(b"\x18\x1e"), headers=cbor)) == Reply(
        status, b"\x18\x1e"
    )
    assert exchange(lambda _: httpx.Response(status, stream=Body(b"<p>busy"), headers=html)) == Reply(status)


def test_a_redirection_is_not_followed() -> None:
    assert exchange(lambda _: httpx.Response(302, headers={"location": "http://other/"})) == Reply(302)


def test_no_connection_is_status_0() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert exchange(handler) == Reply(0)


def test_an_answer_cut_short_is_status_0() -> None:
    assert exchange(lambda _: httpx.Response(200, stream=Broken(b"half"))) == Reply(0)


def test_an_endless_answer_is_status_0() -> None:
    assert exchange(lambda _: httpx.Response(200, stream=Body(bytes(EXCHANGE_SIZE_MAX + 1)))) == Reply(0)


def test_a_patch_is_fetched_by_its_digest() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/device/v1/patches/{DIGEST.hex()}"
        assert request.headers["range"] == "bytes=0-"
        return httpx.Response(206, stream=Body(PATCH))

    assert fetch(handler) == PATCH


def test_a_fetch_that_breaks_off_goes_on_where_it_was() -> None:
    wanted: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        wanted.append(request.headers["range"])
        first = int(wanted[-1].removeprefix("bytes=").removesuffix("-"))
        if len(wanted) < 3:
            return httpx.Response(206, stream=Broken(PATCH[first : first + 1000]))
        return httpx.Response(206, stream=Body(PATCH[first:]))

    assert fetch(handler) == PATCH
    assert wanted == ["bytes=0-", "bytes=1000-", "bytes=2000-"]


def test_a_server_without_ranges_is_read_from_the_beginning() -> None:
    answers = [httpx.Response(200, stream=Broken(PATCH[:1000])), httpx.Response(200, stream=Body(PATCH))]
    assert fetch(lambda _: answers.pop(0)) == PATCH


def test_a_fetch_that_breaks_off_again_and_again_is_given_up() -> None:
    with pytest.raises(ServerSilent, match="connection reset"):
        fetch(lambda _: httpx.Response(206, stream=Broken(b"x")))


@pytest.mark.parametrize("status", [404, 410])
def test_an_unknown_digest_is_none(status: int) -> None:
    assert fetch(lambda _: httpx.Response(status)) is None


@pytest.mark.parametrize("status", [401, 416, 500, 503])
def test_any_other_status_is_silence(status: int) -> None:
    with pytest.raises(ServerSilent, match=str(status)):
        fetch(lambda _: httpx.Response(status))


def test_a_patch_that_no_slot_holds_is_not_read_to_its_end() -> None:
    with pytest.raises(ServerSilent, match="more than 100 bytes"):
        fetch(lambda _: httpx.Response(200, stream=Body(bytes(101))), size_max=100)


@pytest.mark.parametrize("url", ["ftp://server", "server:8000", "http://", "/etc"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(EnvironmentFault):
        HttpServer(url)
