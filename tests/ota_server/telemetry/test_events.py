# SPDX-License-Identifier: Apache-2.0
"""Events reach whoever listens and may hear them, and nobody else."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.api import event_stream
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.organizations.service import add_administrator
from ota_server.products.service import NewProduct, create
from ota_server.services import Services
from ota_server.telemetry import events, presence, streams
from ota_server.telemetry.models import EventEntry, Source
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, HandClock, Server, listen_app, make_settings

PRODUCT = f"/products/{keys.PRODUCT}"


@dataclass
class Listening:
    """What a stream has brought."""

    response: httpx.Response
    lines: Iterator[str]
    alive: list[str] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        """The next event."""
        name = ""
        for line in self.lines:
            if line.startswith(":"):
                self.alive.append(line)
            elif line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return {"event": name, **json.loads(line.removeprefix("data: "))}
        raise EOFError


@dataclass
class Running:
    """A server on a socket: streams cannot be read from one in this thread."""

    services: Services
    url: str
    token: str
    clock: HandClock

    @contextmanager
    def listen(self, path: str, token: str | None = None, **headers: str) -> Iterator[Listening]:
        headers = headers or {"authorization": f"Bearer {token or self.token}"}
        with (
            httpx.Client(base_url=f"{self.url}/v1", headers=headers, timeout=30) as client,
            client.stream("GET", path) as response,
        ):
            lines = response.iter_lines()
            if response.status_code == 200:
                assert next(lines) == ":ok"
            yield Listening(response, lines)

    def publish(self, path: str = PRODUCT, expect: int = 200, token: str | None = None, **event: Any) -> Any:
        headers = {"authorization": f"Bearer {token or self.token}"}
        response = httpx.post(f"{self.url}/v1{path}/events", headers=headers, json=event, timeout=30)
        assert response.status_code == expect, response.text
        return response.json()

    def write(self, work: Callable[[Connection], Any]) -> Any:
        return self.services.database.write(work)


@pytest.fixture
def running(tmp_path: Path, clock: HandClock) -> Iterator[Running]:
    """It has a product of one organization and, of another one, a stranger with a product."""
    with listen_app(make_settings(tmp_path / "server"), clock) as (services, url):
        now_ms = clock.now_ms()
        token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, now_ms))
        services.database.write(lambda c: create(c, 1, NewProduct(keys.PRODUCT, "Thermostat"), now_ms))
        yield Running(services, url, token, clock)


def stranger(running: Running) -> str:
    token = running.write(lambda c: add_administrator(c, "stranger@example.com", "-", "Strangers", 0))
    running.write(lambda c: create(c, 2, NewProduct(7, "Seven"), 0))
    return str(token)


def publish_by_device(running: Running, name: str, data: str = "") -> None:
    source = Source(1, keys.PRODUCT, None, "0123456789abcdef01234567")
    entry = EventEntry(running.clock.now_ms(), name, data)
    running.write(lambda c: events.publish_told(c, source, [entry], running.clock.now_ms()))
    running.services.jobs.streams.wake()


@pytest.mark.parametrize(
    "path",
    ["/events", "/devices/events", f"{PRODUCT}/events", "/products/thermostat/events/te", "/orgs/warm-rooms/events"],
)
def test_event_that_is_published_is_streamed(running: Running, path: str) -> None:
    with running.listen(path) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert running.publish(name="temperature", data="21.5", ttl=5, private=True) == {"ok": True}
        assert stream.next() == {
            "event": "temperature",
            "data": "21.5",
            "ttl": 5,
            "published_at": "2027-01-15T08:00:00.000Z",
            "coreid": "api",
        }


def test_event_of_the_account_is_its_organizations(running: Running) -> None:
    with running.listen("/events") as everything, running.listen(f"{PRODUCT}/events") as product:
        running.publish("/devices", name="to-all")
        running.publish(name="to-product")
        assert [everything.next()["event"], everything.next()["event"]] == ["to-all", "to-product"]
        assert product.next()["event"] == "to-product"


def test_event_may_come_as_a_form(running: Running) -> None:
    with running.listen("/events/door/") as stream:
        headers = {"authorization": f"Bearer {running.token}"}
        for name in ("window/open", "door/open"):
            form = {"name": name, "data": "front", "private": "false", "ttl": "60"}
            assert httpx.post(f"{running.url}/v1/devices/events", headers=headers, data=form).json() == {"ok": True}
        assert (event := stream.next())["event"] == "door/open"
        assert event["data"] == "front"


def test_token_may_stand_in_the_address(running: Running) -> None:
    with running.listen(f"/events?access_token={running.token}&nonce=1", accept="text/event-stream") as stream:
        running.publish(name="here")
        assert stream.next()["event"] == "here"
    for query in ("", "?access_token=nonsense"):
        with running.listen(f"/events{query}", accept="text/event-stream") as stream:
            assert stream.response.status_code == 401


def test_stranger_hears_nothing(running: Running) -> None:
    token = stranger(running)
    for path in (f"{PRODUCT}/events", "/orgs/warm-rooms/events", f"/devices/{'0' * 24}/events"):
        with running.listen(path, token) as stream:
            assert stream.response.status_code == 404
    with running.listen("/events", token) as stream:
        running.publish(name="secret")
        running.publish("/products/7", token=token, name="own")
        assert stream.next()["event"] == "own"
    running.publish(expect=404, token=token, name="forged")


def test_stream_ends_when_its_token_is_revoked(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "ALIVE_EVERY_S", 0.1)
    with running.listen("/events") as stream:
        running.publish(name="first")
        stream.next()
        running.write(lambda c: accounts.revoke(c, running.token, running.clock.now_ms()))
        with pytest.raises(EOFError):
            stream.next()


def test_stream_ends_when_its_account_leaves_the_team(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "ALIVE_EVERY_S", 0.1)

    def join(connection: Connection) -> tuple[int, str]:
        account_id, token = accounts.create_account(connection, "ben@example.com", "-", 0)
        organizations.add_member(connection, 1, account_id, Role.VIEW_ONLY, 0)
        return account_id, token

    account_id, token = running.write(join)
    running.publish(expect=403, token=token, name="not-mine")
    with running.listen(f"{PRODUCT}/events", token) as product, running.listen("/events", token) as everything:
        running.write(lambda c: organizations.remove_member(c, 1, account_id))
        with pytest.raises(EOFError):
            product.next()
        # What else the account has a part in could still be heard.
        running.write(lambda c: organizations.add_member(c, 1, account_id, Role.VIEW_ONLY, 0))
        while everything.alive.count(":") < 2:
            running.publish(name="again")
            everything.next()


def test_stream_is_kept_alive(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "ALIVE_EVERY_S", 0.05)
    with running.listen("/events") as stream:
        lines = [next(stream.lines) for _ in range(6)]
        assert lines.count(":") >= 2
    assert event_stream.ALIVE_EVERY_S < 15, "Particle's tools wait no longer"


def test_streams_of_an_account_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_OF_ONE_MAX", 2)
    with running.listen("/events"), running.listen("/events"), running.listen("/events") as third:
        assert third.response.status_code == 429
    monkeypatch.setattr(streams, "STREAMS_MAX", 0)
    with running.listen("/events") as stream:
        assert stream.response.status_code == 429


def test_reader_that_is_too_slow_is_dropped() -> None:
    asyncio.run(_fall_behind())


async def _fall_behind() -> None:
    scope = streams.Scope(organizations=frozenset({1}))
    stream = streams.Stream("account 1", scope, "")
    event = events.Event(1, 0, Source(1, None, None, "api"), "n", "", 60)
    for _ in range(streams.WAITING_MAX + 5):
        stream.offer(event)
    found = [await stream.next() for _ in range(streams.WAITING_MAX + 2)]
    assert found == [event] * streams.WAITING_MAX + [None, None]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nevent: b"}, "name"),
        ({"name": " a"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "spark/status"}, "name"),
        ({"name": "Particle/x"}, "name"),
        ({"name": "a", "data": "x" * 1025}, "data"),
        ({"name": "a", "ttl": -1}, "ttl"),
        ({"name": "a", "ttl": 2**24}, "ttl"),
        ({}, "name"),
    ],
)
def test_event_that_nobody_may_publish_is_refused(running: Running, event: dict[str, Any], field: str) -> None:
    assert running.publish(expect=400, **event)["field"] == field


def test_device_cannot_speak_for_the_server_nor_break_a_stream(running: Running) -> None:
    with running.listen(f"{PRODUCT}/events") as stream:
        publish_by_device(running, "spark/status", "offline")
        publish_by_device(running, "a\nevent: forged\r\n", "b\n\nevent: forged\n")
        event = stream.next()
        assert event["event"] == "a?event: forged??"
        assert event["data"] == "b\n\nevent: forged\n"
        assert event["coreid"] == "0123456789abcdef01234567"


@given(name=st.text(max_size=80), data=st.text(max_size=80))
def test_no_event_breaks_a_line(name: str, data: str) -> None:
    kept: list[EventEntry] = []
    source = Source(1, None, None, "api")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "publish", lambda _connection, _source, entries, _now_ms: kept.extend(entries))
        events.publish_told(None, source, [EventEntry(0, name, data)], 0)  # type: ignore[arg-type]
    for entry in kept:
        raw = event_stream._lines_of(events.Event(1, 0, source, entry.name, entry.data, 60))
        lines = raw.decode().splitlines()
        assert [line.split(":")[0] for line in lines] == ["event", "data", ""]
        assert json.loads(lines[1].removeprefix("data: "))["data"] == entry.data


def test_too_many_events_of_an_account_are_429(running: Running) -> None:
    rate = running.services.publish_rate
    for _ in range(600):
        rate.count("1", running.clock.now_ms())
    assert running.publish(expect=429, name="more")["code"] == "too_many_requests"


def test_stopping_server_ends_streams(tmp_path: Path, clock: HandClock) -> None:
    ended = threading.Event()
    with listen_app(make_settings(tmp_path / "server"), clock) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, clock.now_ms()))
        running = Running(services, url, token, clock)
        listening = threading.Event()

        def listen() -> None:
            with running.listen("/events") as stream:
                listening.set()
                with pytest.raises((EOFError, httpx.TransportError)):
                    stream.next()
                ended.set()

        thread = threading.Thread(target=listen)
        thread.start()
        assert listening.wait(30)
        services.feed.close()
        thread.join(30)
    assert ended.is_set()


# What the server says itself


def told(server: Server) -> list[tuple[str, str]]:
    with server.services.database.read() as connection:
        return [(event.name, event.data) for event in events.after(connection, 0, 1000)]


def test_devices_that_come_and_go_are_told_once(server: Server, clock: HandClock) -> None:
    database = server.services.database
    database.write(lambda c: presence.publish_offline(c, clock.now_ms()))
    server.product()
    device = server.device()
    for _ in range(3):
        device.check_in()
    assert [one for one in told(server) if one[0] == "spark/status"] == [("spark/status", "online")]
    clock.advance_s(10_000)
    assert [database.write(partial(presence.publish_offline, now_ms=clock.now_ms())) for _ in range(2)] == [1, 0]
    device.check_in()
    states = [data for name, data in told(server) if name == "spark/status"]
    assert states == ["online", "offline", "online"]


def test_many_devices_that_go_at_once_are_told_each_once(
    server: Server, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BATCH_MAX", 2)
    database = server.services.database
    database.write(lambda c: presence.publish_offline(c, clock.now_ms()))
    server.product()
    for number in range(5):
        server.device(number).check_in()
        clock.advance_s(number // 2)
    clock.advance_s(10_000)
    server.services.jobs.presence.work_off()
    gone = [data for name, data in told(server) if name == "spark/status"]
    assert gone.count("offline") == 5


def test_quarantined_devices_go_unsaid_and_do_not_hold_up_others(
    server: Server, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BATCH_MAX", 2)
    database = server.services.database
    database.write(lambda c: presence.publish_offline(c, clock.now_ms()))
    server.product(auto_approve=False)
    found = [server.device(number) for number in range(4)]
    for device in found:
        device.check_in()
        clock.advance_s(1)
    server.api("POST", f"/products/{keys.PRODUCT}/devices/{found[3].device_id.hex()}/approve")
    found[3].check_in()
    clock.advance_s(10_000)
    server.services.jobs.presence.work_off()
    gone = [event for event in told(server) if event == ("spark/status", "offline")]
    assert len(gone) == 1


def test_updates_and_resets_are_told(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    stocked.rollout(2)
    device.update()
    names = told(stocked)
    assert [data for name, data in names if name == "spark/flash/status"] == ["started", "success"]
    assert ("spark/device/last_reset", "unknown") in names
    hashes = [data for name, data in names if name == "spark/device/app-hash"]
    assert hashes == [keys.image(number).identity[:8].hex() for number in (1, 2)]


def test_failed_update_is_told(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    stocked.rollout(2)
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(1)
    device.check_in()
    assert [data for name, data in told(stocked) if name == "spark/flash/status"][-1] == "failed"


def test_events_of_a_device_are_counted_once(server: Server) -> None:
    server.product()
    device = server.device()
    device.publish("door", "open")
    raw = device.report()
    device.check_in()
    device.unsent_events = [raw.events] if raw.events else []
    device.check_in()
    assert told(server).count(("door", "open")) == 1
    assert [(one["name"], one["data"]) for one in server.seen(device)["events"]].count(("door", "open")) == 1
