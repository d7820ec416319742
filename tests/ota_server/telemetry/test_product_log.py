# SPDX-License-Identifier: Apache-2.0
"""The log of a product: everything that its devices told, in one order, found again by page, filter and text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert
from sqlalchemy.engine import URL

from ota_server.devices.models import DeviceStatus, devices
from ota_server.errors import Invalid
from ota_server.telemetry import product_log
from ota_server.telemetry.models import HistoryKind, events, history, logs
from ota_server.telemetry.product_log import Entry, EntryKind, Level, Place, Wanted
from tests.ota_server import keys
from tests.ota_server.conftest import DATABASES, HandClock, Server, make_settings, new_database, run_server

LOG = f"/products/{keys.PRODUCT}/log"
AN_ORGANIZATION = 1
HAPPENED = {
    Level.DEBUG: HistoryKind.OPENED,
    Level.INFO: HistoryKind.CONFIRMED,
    Level.WARNING: HistoryKind.NO_CONTACT,
    Level.ERROR: HistoryKind.CRASH,
}

TEXTS = st.sampled_from(["warm", "Warm%", "cold", "100_%", "ünder"])
PLACES = st.builds(Place, st.integers(0, 10**15 - 1), st.sampled_from(list(EntryKind)), st.integers(0, 10**18 - 1))


@given(PLACES)
def test_place_is_read_as_it_was_written(place: Place) -> None:
    assert Place.parse(str(place)) == place


@given(st.text(max_size=40))
def test_other_text_is_no_place(text: str) -> None:
    try:
        place = Place.parse(text)
    except Invalid:
        return
    assert Place.parse(str(place)) == place


@dataclass(frozen=True)
class Row:
    """Something to be kept: of device 0 or 1."""

    kind: EntryKind
    at_ms: int
    device: int
    level: Level
    text: str


ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(list(EntryKind)),
        st.integers(1, 6),
        st.integers(0, 1),
        st.sampled_from(list(Level)),
        TEXTS,
    ),
    max_size=24,
)
WANTED = st.builds(
    Wanted,
    kinds=st.frozensets(st.sampled_from(list(EntryKind)), max_size=2),
    level=st.sampled_from(list(Level)),
    version=st.none() | st.integers(1, 2),
    text=st.just("") | TEXTS.map(lambda text: text[1:4].upper() if text.isascii() else text[1:4]),
    since_ms=st.none() | st.integers(1, 6),
    until_ms=st.none() | st.integers(1, 6),
)


@pytest.fixture(scope="module", params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all examples: each takes its rows back."""
    made: Iterator[URL | None] = new_database(request)
    folder: Path = tmp_path_factory.mktemp("log")
    for server in run_server(make_settings(folder / "server", database=next(made)), HandClock()):
        server.product()
        yield server


class Undo(Exception):
    """Ends a write so that nothing is kept."""


@settings(max_examples=40)
@given(rows=ROWS, wanted=WANTED, limit=st.integers(1, 7), looked_max=st.integers(1, 30))
def test_pages_hold_what_is_wanted_once_and_newest_first(
    shared: Server, rows: list[Row], wanted: Wanted, limit: int, looked_max: int
) -> None:
    def check(connection: Connection) -> None:
        kept = keep(connection, rows)
        expected = [entry for entry in kept if is_wanted(entry, wanted)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(product_log, "LOOKED_MAX", max(looked_max, limit))
            assert [entry.place for entry in every_page(connection, wanted, limit)] == [one.place for one in expected]
        raise Undo

    with pytest.raises(Undo):
        shared.services.database.write(check)


def every_page(connection: Connection, wanted: Wanted, limit: int) -> Iterator[Entry]:
    while True:
        page = product_log.read(connection, keys.PRODUCT, wanted, limit)
        assert len(page.entries) <= limit
        assert page.next is None or page.next != wanted.before
        yield from page.entries
        if page.next is None:
            return
        wanted = replace(wanted, before=page.next)


def keep(connection: Connection, rows: list[Row]) -> list[Entry]:
    """Writes rows; returns them as entries, newest first."""
    numbers = []
    for number in (1, 2):
        values = {"device_id": f"{number:024x}", "product_id": keys.PRODUCT, "name": "", "notes": ""}
        made = connection.execute(
            insert(devices).values(**values, status=DeviceStatus.ACTIVE, development=False, product_version=number)
        )
        assert made.inserted_primary_key is not None
        numbers.append(made.inserted_primary_key[0])
    entries = []
    for row in rows:
        told = {"device_row": numbers[row.device], "product_id": keys.PRODUCT, "at_ms": row.at_ms}
        name, level = "", row.level
        if row.kind is EntryKind.LOG:
            statement = insert(logs).values(**told, level=int(row.level), text=row.text)
        elif row.kind is EntryKind.EVENT:
            name, level = "sensor", Level.INFO
            whose = {"organization_id": AN_ORGANIZATION, "core_id": "0" * 24, "ttl_s": 60}
            statement = insert(events).values(**told, **whose, name=name, data=row.text)
        else:
            kind = HAPPENED[row.level]
            name, level = kind.value, product_log.LEVELS[kind]
            statement = insert(history).values(**told, kind=kind, text=row.text)
        key = connection.execute(statement).inserted_primary_key
        assert key is not None
        entries.append(Entry(Place(row.at_ms, row.kind, key[0]), f"{row.device + 1:024x}", level, name, row.text))
    order = list(EntryKind)
    return sorted(entries, key=lambda one: (-one.at_ms, order.index(one.place.kind), -one.place.id))


def is_wanted(entry: Entry, wanted: Wanted) -> bool:
    version = int(entry.device_id or "0", 16)
    return (
        (not wanted.kinds or entry.place.kind in wanted.kinds)
        and entry.level >= wanted.level
        and wanted.version in (None, version)
        and (wanted.text.lower() in entry.text.lower() or wanted.text.lower() in entry.name)
        and (wanted.since_ms is None or entry.at_ms >= wanted.since_ms)
        and (wanted.until_ms is None or entry.at_ms < wanted.until_ms)
    )


def test_log_holds_what_devices_told_and_what_happened_to_them(server: Server) -> None:
    server.product()
    first, second = server.device(1), server.device(2)
    for device in (first, second):
        device.open()
        device.check_in()
    first.log("the fan stands still")
    first.publish("sensor/fan", "0")
    first.check_in()
    told = {(entry["kind"], entry["name"], entry["text"]) for entry in server.api("GET", LOG)["log"]}
    assert ("log", "", "the fan stands still") in told
    assert ("event", "sensor/fan", "0") in told
    assert {entry["device"] for entry in server.api("GET", LOG)["log"]} == {
        first.device_id.hex(),
        second.device_id.hex(),
    }
    [found] = server.api("GET", f"{LOG}?text=FAN&kind=log&device={first.device_id.hex()}")["log"]
    assert (found["level"], found["device"]) == ("info", first.device_id.hex())
    assert server.api("GET", f"{LOG}?level=error")["log"] == []


def logged(server: Server, lines: list[str]) -> None:
    """A device tells these lines, one in each check-in."""
    server.product()
    device = server.device()
    device.open()
    for line in lines:
        device.log(line)
        device.check_in()


def test_log_goes_on_where_a_page_ended(server: Server) -> None:
    logged(server, [f"line {number}" for number in range(5)])
    seen: list[str] = []
    place: str | None = ""
    while place is not None:
        page = server.api("GET", f"{LOG}?kind=log&limit=2&before={place}")
        seen += [entry["text"] for entry in page["log"]]
        place = page["next"]
    assert seen == [f"line {number}" for number in (4, 3, 2, 1, 0)]


def test_log_as_csv_is_whole_and_runs_nothing_in_a_spreadsheet(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ota_server.api.manage_log.LIMIT_MAX", 2)
    logged(server, [f"=1+{number}" for number in range(3)])
    headers = {"authorization": f"Bearer {server.token}"}
    text = server.client.get(f"/v1{LOG}?format=csv&kind=log", headers=headers).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["text"] for row in rows] == ["'=1+2", "'=1+1", "'=1+0"]


@pytest.mark.parametrize("query", ["before=3", "before=1-logs-2", "kind=shout", "level=loud", "limit=0", "since=7"])
def test_query_that_means_nothing_is_refused(server: Server, query: str) -> None:
    server.product()
    server.api("GET", f"{LOG}?{query}", 400)
