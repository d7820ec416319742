# SPDX-License-Identifier: Apache-2.0
"""Garbage, huge, slow and truncated requests get the right status, and the server goes on."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_server import http
from ota_server.api import body as bodies
from ota_server.clock import SystemClock
from ota_server.errors import Unavailable
from ota_server.settings import Settings
from tests.ota_server import keys
from tests.ota_server.conftest import CBOR, Server, listen_app, make_settings

POSTS = ["/device/v1/open", "/device/v1/check-in"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"\x00" * 1008, b"{}", b"\x83\x44\xa1\x01\x18\x18\xa0\x40", os.urandom(200), b"\x9b" + 8 * b"\xff"],
)
def test_garbage_is_400_with_an_empty_body(server: Server, path: str, body: bytes) -> None:
    assert server.post(path, body) == (400, b"")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=1008), st.sampled_from(POSTS))
def test_no_bytes_make_the_server_fail(server: Server, body: bytes, path: str) -> None:
    status, answer = server.post(path, body)
    assert status in (400, 401)
    assert answer == b""


@pytest.mark.parametrize("path", POSTS)
def test_more_than_1008_bytes_are_413(server: Server, path: str) -> None:
    assert server.post(path, bytes(1009)) == (413, b"")
    pieces = iter([bytes(600), bytes(600)])
    response = server.client.post(path, content=pieces, headers=CBOR)
    assert response.status_code == 413


def test_another_content_type_is_415_and_another_method_405(server: Server) -> None:
    for headers in ({}, {"content-type": "application/json"}):
        assert server.client.post(POSTS[1], content=b"x", headers=headers).status_code == 415
    assert server.client.get(POSTS[1]).status_code == 405
    assert server.client.post("/device/v1/nothing", content=b"", headers=CBOR).status_code == 404


@pytest.mark.parametrize("name", ["00", "zz" * 32, "AB" * 32, "../../muster.sqlite3", "%2e%2e%2fonline.pem", 64 * "0"])
def test_unknown_digests_are_404(server: Server, name: str) -> None:
    assert server.client.get(f"/device/v1/patches/{name}").status_code == 404


def test_images_and_elf_files_are_not_served_to_devices(stocked: Server) -> None:
    release = stocked.api("GET", f"/products/{keys.PRODUCT}/firmware/1")
    for image in release["images"]:
        assert stocked.client.get(f"/device/v1/patches/{image['sha256']}").status_code == 404


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=10-", 206, 10, None),
        ("bytes=0-999999", 206, 0, None),
        ("bytes=999999-", 416, 0, 0),
        ("bytes=9-3", 416, 0, 0),
        ("bytes=-5", 200, 0, None),
        ("bytes=0-1,3-4", 200, 0, None),
        ("lines=1-2", 200, 0, None),
        (None, 200, 0, None),
    ],
)
def test_ranges_of_a_patch(stocked: Server, wanted: str | None, status: int, first: int, last: int | None) -> None:
    patches = stocked.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
    path = f"/device/v1/patches/{patches[0]['digest']}"
    whole = stocked.client.get(path).content
    response = stocked.client.get(path, headers={} if wanted is None else {"range": wanted})
    assert response.status_code == status
    assert response.headers["accept-ranges" if status != 416 else "content-range"]
    if status != 416:
        assert response.content == whole[first : None if last is None else last + 1]
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_full_queue_is_503_with_retry_after(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("too much to do")

    server.product()
    device = server.device()
    device.check_in()
    monkeypatch.setattr(server.services.database, "submit_together", refuse)
    response = server.client.post(POSTS[1], content=device.session.seal(device.state), headers=CBOR)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.content == b"\x05", "CBOR, for devices behind a gateway"


def test_one_bad_check_in_does_not_fail_its_batch(stocked: Server) -> None:
    database = stocked.services.database
    gate = threading.Event()
    first = database.submit(lambda _: gate.wait(60))
    futures = [database.submit(lambda _, number=number: 1 // (number % 2)) for number in range(6)]  # type: ignore[misc]
    gate.set()
    assert first.result(60)
    for number, future in enumerate(futures):
        if number % 2:
            assert future.result(60) == 1
        else:
            with pytest.raises(ZeroDivisionError):
                future.result(60)


def say(address: tuple[str, int], *pieces: bytes, shut: bool = False) -> bytes:
    """Sends pieces and reads to the end."""
    with socket.create_connection(address, timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A listening server that is patient for a fifth of a second only."""
    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", 0.2)
    made = make_settings(tmp_path / "server")
    impatient = Settings(made.data_dir, made.online_key, made.keysets, request_timeout_s=0.2)
    with listen_app(impatient, SystemClock()) as (_, url):
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


def test_a_body_of_a_person_that_comes_too_slowly_is_408(
    quick: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_PAUSE_S", 0.2)
    for path in (b"/v1/orgs", b"/oauth/token", b"/sign-in"):
        head = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n" % path
        answer = say(quick, head + b"content-length: 100\r\n\r\n", b"only this")
        assert b" 408 " in answer.split(b"\r\n")[0], path
        assert b"connection: close" in answer


def test_a_reader_that_takes_nothing_is_cut_off(quick: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SEND_TIMEOUT_S", 0.2)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(quick)
        connection.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)
        waiting = select.poll()
        waiting.register(connection, select.POLLHUP | select.POLLERR)
        assert waiting.poll(60_000), "the server ends it"


def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    settings = replace(make_settings(tmp_path / "server"), connections_max=10)
    with listen_app(settings, SystemClock()) as (services, url), contextlib.ExitStack() as stack:
        host, port = url.removeprefix("http://").split(":")
        for number in range(30):
            connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=60))
            connection.sendall(b"GET /health/live HTTP/1.1\r\n"[: 1 + number % 20])
        answer = say((host, int(port)), b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b" 200 " in answer.split(b"\r\n")[0]
        assert services.connection_measures.open <= 10


HEAD = b"POST /device/v1/check-in HTTP/1.1\r\nhost: x\r\ncontent-type: application/cbor\r\n"


def test_slow_and_cut_requests_end_and_the_server_goes_on(quick: tuple[str, int]) -> None:
    assert say(quick, b"POST /device") == b"", "a head that never ends"
    assert b" 408 " in say(quick, HEAD + b"content-length: 100\r\n\r\n", b"only this").split(b"\r\n")[0]
    assert b" 500 " not in say(quick, HEAD + b"content-length: 100\r\n\r\n", b"cut", shut=True)
    assert b" 413 " in say(quick, HEAD + b"content-length: 99999999999\r\n\r\n").split(b"\r\n")[0]
    assert b" 400 " in say(quick, b"\x00\x01\x02garbage\r\n\r\n").split(b"\r\n")[0]
    # The rest of an endless head is not read, so that its sender may see a reset instead of the answer.
    with contextlib.suppress(ConnectionError):
        assert b" 400 " in say(quick, b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 200_000).split(b"\r\n")[0]
    closing = HEAD + b"connection: close\r\ncontent-length: 1\r\n\r\n\xff"
    assert b" 400 " in say(quick, closing).split(b"\r\n")[0]
