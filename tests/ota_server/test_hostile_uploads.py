# SPDX-License-Identifier: Apache-2.0
"""Uploads that are not what they claim to be: each gets one clear refusal, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from ota_server.devices.models import devices
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server

# Starlette leaves the temporary file of a part that a body breaks off in to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FIRMWARE = f"/products/{keys.PRODUCT}/firmware"
DEVICES = f"/products/{keys.PRODUCT}/devices"
EXAMPLES, FULL_EXAMPLES = 40, 5000

Edit = tuple[str, int, bytes]
edits = st.lists(
    st.tuples(
        st.sampled_from(["overwrite", "insert", "cut", "repeat"]),
        st.integers(0, 2**16),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)
ids = st.integers(0, 20).map(lambda number: f"{number:024x}")
lines = st.lists(ids | st.text(max_size=40), max_size=20).map("\n".join)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the product and its version 1."""
    for server in run_server(make_settings(tmp_path_factory.mktemp("server") / "server"), HandClock()):
        server.product()
        server.publish(keys.image(1))
        yield server


@cache
def image() -> bytes:
    return keys.image(2).raw


@cache
def elf() -> bytes:
    return keys.elf(2)


def edited(raw: bytes, changes: list[Edit]) -> bytes:
    """`raw` with every change made, one after another."""
    for kind, at, data in changes:
        place = at % (len(raw) + 1)
        if kind == "overwrite":
            raw = raw[:place] + data + raw[place + len(data) :]
        elif kind == "insert":
            raw = raw[:place] + data + raw[place:]
        elif kind == "cut":
            raw = raw[:place] + raw[place + 64 * data[0] :]
        else:
            raw = raw[:place] + raw[place // 2 : place] + raw[place:]
    return raw


def upload(server: Server, path: str, **request: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {server.token}", **request.pop("headers", {})}
    answer = server.client.post(f"/v1{path}", headers=headers, **request)
    if answer.is_error:
        assert answer.status_code in (400, 413), answer.text
        assert answer.json()["error_description"]
    return answer


def try_image(server: Server, changes: list[Edit]) -> None:
    """A changed image is never taken."""
    raw, before = edited(image(), changes), server.api("GET", FIRMWARE)
    if raw != image():
        assert upload(server, FIRMWARE, files={"file": ("firmware.bin", raw)}).status_code == 400
        assert server.api("GET", FIRMWARE) == before


def try_elf(server: Server, changes: list[Edit]) -> None:
    """It is not what devices get, and may differ where the image says nothing."""
    files = {"file": ("firmware.bin", image()), "elf": ("firmware.elf", edited(elf(), changes))}
    upload(server, FIRMWARE, files=files)


def try_multipart(server: Server, changes: list[Edit]) -> None:
    """Whatever the form's parts are."""
    sent = httpx2.Request("POST", "http://127.0.0.1/", files={"file": ("ids", b"0123456789abcdef01234567\n" * 3)})
    headers = {"content-type": sent.headers["content-type"]}
    upload(server, DEVICES, headers=headers, content=edited(sent.read(), changes))


def try_list(server: Server, raw: bytes) -> None:
    """A list of devices, in any encoding: every id that it says is new is there, and no other."""
    before = count(server)
    answer = upload(server, DEVICES, files={"file": ("ids", raw)})
    assert count(server) - before == (answer.json()["updated"] if answer.is_success else 0)


def count(server: Server) -> int:
    with server.services.database.read() as connection:
        return connection.execute(select(func.count()).select_from(devices)).scalar_one()


UPLOADS: dict[str, tuple[Callable[[Server, Any], None], st.SearchStrategy[Any]]] = {
    "image": (try_image, edits),
    "elf": (try_elf, edits),
    "multipart": (try_multipart, edits),
    "list": (try_list, st.binary(max_size=4096) | lines.map(str.encode)),
}


def run(kind: str, server: Server, examples: int) -> None:
    attempt, strategy = UPLOADS[kind]

    @settings(max_examples=examples)
    @given(strategy)
    def each(sent: Any) -> None:
        attempt(server, sent)

    each()


@pytest.mark.parametrize("kind", UPLOADS)
def test_hostile_uploads_are_refused_whole(kind: str, target: Server) -> None:
    run(kind, target, EXAMPLES)


@pytest.mark.full
@pytest.mark.parametrize("kind", UPLOADS)
def test_many_hostile_uploads_are_refused_whole(kind: str, target: Server) -> None:
    run(kind, target, FULL_EXAMPLES)
