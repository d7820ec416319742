# SPDX-License-Identifier: Apache-2.0
"""Log lines: one each, with the id of the request, whichever thread writes them, and nothing secret."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from ota_server.api.requests import Requests
from ota_server.observe.logs import ACCESS, JsonLines, KeptLines, TextLines
from ota_server.observe.measures import DeviceMeasures, RequestMeasures
from ota_server.observe.request_id import CURRENT, RequestIds
from tests.ota_server.conftest import Server

LINE = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) [a-z_.]+( \[[!-Z^-~]+\])? .*")


def record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("ota_server.some", logging.WARNING, "x.py", 1, message, values, None)
    made.__dict__.update(extra)
    return made


@given(st.text(max_size=200))
def test_every_message_is_one_line(text: str) -> None:
    line = TextLines().format(record("it said %s", text))
    assert line.isprintable()
    assert LINE.fullmatch(line)
    line = JsonLines().format(record("it said %s", text))
    assert "\n" not in line
    assert json.loads(line)["message"].startswith("it said ")


class FullDisk(io.StringIO):
    """Takes nothing until there is space."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_lines_that_a_full_disk_does_not_take_are_written_later() -> None:
    disk = FullDisk()
    handler = logging.StreamHandler(KeptLines(disk))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging, "raiseExceptions", False)
        handler.handle(record("first"))
        handler.handle(record("second"))
    disk.is_full = False
    handler.handle(record("third"))
    assert disk.getvalue() == "first\nsecond\nthird\n"


def test_long_messages_are_cut() -> None:
    assert len(TextLines().format(record("x" * 1_000_000))) < 5000


def test_json_has_the_facts_and_a_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        made = record("it failed", route="/v1/user", status=500, duration_ms=1.5)
        made.exc_info = sys.exc_info()
    told = json.loads(JsonLines().format(made))
    assert told["traceback"].endswith("ValueError: why")
    assert {key: told[key] for key in ("level", "logger", "message", "route", "status", "duration_ms")} == {
        "level": "warning",
        "logger": "ota_server.some",
        "message": "it failed",
        "route": "/v1/user",
        "status": 500,
        "duration_ms": 1.5,
    }
    assert TextLines().format(made).splitlines()[0].endswith("ota_server.some it failed duration_ms=1.5")


@given(st.binary(max_size=80))
def test_ids_are_taken_only_in_a_safe_form(given_id: bytes) -> None:
    made = RequestIds().next(given_id)
    assert re.fullmatch(r"[A-Za-z0-9._:/=+-]{1,64}", made)
    assert made.encode() == given_id or made.endswith("-1")


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """What the server logs, as JSON."""
    found: list[dict[str, object]] = []

    class Keeper(logging.StreamHandler[io.StringIO]):
        def emit(self, one: logging.LogRecord) -> None:
            found.append(json.loads(self.format(one)))

    handler = Keeper(io.StringIO())
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("ota_server")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_the_id_follows_a_request_into_threads_and_the_writer(
    server: Server, lines: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def work(_connection: Connection) -> None:
        seen.append(CURRENT.get())

    services = server.services
    original = services.database.submit

    def submit(wanted: object) -> object:
        original(work)
        return original(wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(services.database, "submit", submit)
    headers = {"authorization": f"Bearer {server.token}", "x-request-id": "proxy/17"}
    made = server.client.post("/v1/orgs", json={"organization": {"name": "Cold Rooms"}}, headers=headers)
    assert made.status_code == 201, made.text
    assert made.headers["x-request-id"] == "proxy/17"
    original(lambda _connection: None).result()
    assert {one for one in seen if one} == {"proxy/17"}, "and what threads do by themselves is of no request"
    assert [line["request_id"] for line in lines if line["logger"] == ACCESS] == ["proxy/17"]


def test_requests_lines_name_routes_and_never_what_is_in_paths(server: Server, lines: list[dict[str, object]]) -> None:
    server.client.delete("/v1/access_tokens/0123456789", headers={"x-request-id": "a b"})
    server.client.get("/v1/events?access_token=0123456789")
    server.post("/device/v1/check-in", b"\xff")
    server.client.get("/0123456789")
    told = [line for line in lines if line["logger"] == ACCESS]
    assert [(line["route"], line["status"], line["level"]) for line in told] == [
        ("/v1/access_tokens/{token}", 404, "info"),
        ("/v1/events", 401, "info"),
        ("/device/v1/check-in", 400, "debug"),
        ("none", 404, "info"),
    ]
    assert "0123456789" not in json.dumps(lines)
    assert len({line["request_id"] for line in told}) == 4


def test_what_fails_is_answered_with_its_id_and_counted() -> None:
    async def fail(_request: Request) -> Response:
        await asyncio.sleep(0)
        raise ValueError("a secret")

    measures = RequestMeasures()
    app = Requests(Starlette(routes=[Route("/fail", fail)]), measures, DeviceMeasures())
    response = TestClient(app, raise_server_exceptions=False).get("/fail")
    assert response.status_code == 500
    name = response.headers["x-request-id"]
    assert "a secret" not in response.text
    bare = Requests(fail_bare, measures, DeviceMeasures())
    response = TestClient(bare, raise_server_exceptions=False).get("/", headers={"x-request-id": name})
    assert response.json()["code"] == "server_error"
    assert name in response.json()["error"]
    assert measures.open == 0


async def fail_bare(*_: object) -> None:
    raise ValueError("a secret")


def test_the_api_and_the_pages_say_which_request_failed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(server.services.database, "read", broken)
    client = TestClient(server.client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    client.cookies.set("muster_session", "x")
    for path in ("/v1/user", "/products/7"):
        response = client.get(path, headers={"authorization": f"Bearer {server.token}"})
        assert response.status_code == 500
        assert f"as request {response.headers['x-request-id']}" in response.text
        assert "a secret" not in response.text
