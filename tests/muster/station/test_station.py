# SPDX-License-Identifier: Apache-2.0
"""What becomes of boards, without ports and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from muster.client import ServerRefused, ServerUnreachable
from muster.errors import ValueOutOfRange
from muster.layout import Lifecycle
from muster.serial import Info
from muster.signing.keys import PublicKey
from muster.station import Known, Labels, Record, Result, SerialNumbers, Station, Unit
from tests.muster.serial.simulated import info_of

PRODUCT = 1
NOW = "2026-11-23T12:00:00Z"


def board(number: int = 1, key: int | None = None, **fields: object) -> Info:
    """A board for production that runs the product; with a key of its own."""
    made = {
        "device_id": bytes([number]) * 12,
        "device_key": bytes([key or number]) * 32,
        "lifecycle": int(Lifecycle.PRODUCTION),
        **fields,
    }
    return replace(info_of(), **made)  # type: ignore[arg-type]


class Server:
    """Registry of a product; `error` is raised by everything."""

    def __init__(self) -> None:
        self.devices: dict[str, Known] = {}
        self.registered: list[Unit] = []
        self.error: Exception | None = None
        self.refuses: Exception | None = None

    def known(self, device_id: str) -> Known | None:
        if self.error is not None:
            raise self.error
        return self.devices.get(device_id)

    def register(self, unit: Unit) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.registered.append(unit)
        self.devices[unit.device_id] = Known(unit.fingerprint, "active", unit.serial_number)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path / "units.csv") as record:
        yield record


@pytest.fixture
def station(record: Record, server: Server) -> Station:
    numbers = SerialNumbers.counted("SN-", [])
    return Station(PRODUCT, record, server, lambda: NOW, numbers, Labels("Room {serial_number}", "factory"))


def fingerprint(number: int) -> str:
    return PublicKey(bytes([number]) * 32).fingerprint


def test_new_board_is_registered_and_written_down(station: Station, record: Record, server: Server) -> None:
    unit = station.take(board())
    assert (unit.result, unit.serial_number, unit.name, unit.groups) == (
        Result.REGISTERED,
        "SN-00001",
        "Room SN-00001",
        "factory",
    )
    assert (unit.time, unit.device_id, unit.platform, unit.fingerprint) == (NOW, "01" * 12, "photon", fingerprint(1))
    assert record.units == [unit]
    assert [one.device_id for one in server.registered] == [unit.device_id]


def test_board_that_comes_again_is_known_without_another_line(station: Station, record: Record, server: Server) -> None:
    first = station.take(board())
    server.error = ServerUnreachable("away")
    again = station.take(board())
    assert (again.result, again.serial_number) == (Result.ALREADY, first.serial_number)
    assert record.units == [first]


def test_board_that_the_server_knows_keeps_what_it_has_there(station: Station, server: Server) -> None:
    server.devices["01" * 12] = Known(fingerprint(1), "active", "OLD-7")
    unit = station.take(board())
    assert (unit.result, unit.serial_number, unit.name, unit.groups) == (Result.ALREADY, "OLD-7", "", "")
    assert server.registered == []
    assert station.take(board(2)).serial_number == "SN-00001"


@pytest.mark.parametrize("known", [Known("", "expected", "OLD-7"), Known(fingerprint(1), "quarantined", "OLD-7")])
def test_id_that_was_imported_or_a_key_that_waits_is_registered(station: Station, server: Server, known: Known) -> None:
    server.devices["01" * 12] = known
    unit = station.take(board())
    assert (unit.result, unit.serial_number) == (Result.REGISTERED, "OLD-7")


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (board(product_id=2), "it runs product 2"),
        (board(device_key=b""), "it has no key"),
        (board(lifecycle=int(Lifecycle.DEVELOPMENT)), "development board"),
    ],
)
def test_board_that_is_none_for_the_station_is_refused(
    station: Station, server: Server, record: Record, info: Info, why: str
) -> None:
    unit = station.take(info)
    assert unit.result is Result.REFUSED
    assert why in unit.why
    assert (unit.serial_number, server.registered, record.units) == ("", [], [unit])


def test_other_key_of_a_known_id_is_refused_by_record_and_by_server(station: Station, server: Server) -> None:
    station.take(board())
    by_record = station.take(board(key=9))
    server.devices["02" * 12] = Known(fingerprint(2), "active", "")
    by_server = station.take(board(2, key=8))
    for unit, who in ((by_record, "the record"), (by_server, "the server")):
        assert unit.result is Result.REFUSED
        assert unit.why.startswith(f"{who} knows it by key")
        assert unit.fingerprint[:16] in unit.why
    assert len(server.registered) == 1
    assert station.take(board()).result is Result.ALREADY


def test_two_boards_with_one_key_are_refused(station: Station) -> None:
    station.take(board())
    unit = station.take(board(2, key=1))
    assert unit.result is Result.REFUSED
    assert "01" * 12 in unit.why


def test_denied_device_is_not_brought_back(station: Station, server: Server) -> None:
    server.devices["01" * 12] = Known(fingerprint(1), "denied", "")
    assert station.take(board()).result is Result.REFUSED
    assert server.registered == []


def test_unit_waits_for_a_server_that_is_away(station: Station, server: Server, record: Record) -> None:
    server.error = ServerUnreachable("no answer\nat all")
    waiting = station.take(board())
    assert (waiting.result, waiting.why, waiting.serial_number) == (
        Result.NOT_REGISTERED,
        "no answer at all",
        "SN-00001",
    )
    assert station.take(board(2)).serial_number == "SN-00002"
    assert [unit.result for unit in station.register_pending()] == [Result.NOT_REGISTERED] * 2
    server.error = None
    done = station.register_pending()
    assert [(unit.result, unit.serial_number) for unit in done] == [
        (Result.REGISTERED, "SN-00001"),
        (Result.REGISTERED, "SN-00002"),
    ]
    assert [unit.name for unit in server.registered] == ["Room SN-00001", "Room SN-00002"]
    assert station.register_pending() == []
    assert record.latest()["01" * 12] == done[0]


def test_unit_that_waits_is_registered_when_it_comes_again(station: Station, server: Server) -> None:
    server.error = ServerUnreachable("away")
    station.take(board())
    server.error = None
    assert (unit := station.take(board())).result is Result.REGISTERED
    assert unit.serial_number == "SN-00001"
    assert station.register_pending() == []


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (400, Result.REFUSED),
        (409, Result.REFUSED),
        (401, Result.NOT_REGISTERED),
        (403, Result.NOT_REGISTERED),
        (429, Result.NOT_REGISTERED),
        (503, Result.NOT_REGISTERED),
    ],
)
def test_refusals_of_units_and_of_the_station_are_told_apart(
    station: Station, server: Server, status: int, result: Result
) -> None:
    facts: dict[str, object] = {"refused": [{"line": 2, "reason": "device 33 has the serial number SN-00001"}]}
    server.refuses = ServerRefused("nothing was imported", status, "invalid", facts)
    unit = station.take(board())
    assert (unit.result, unit.why) == (result, "device 33 has the serial number SN-00001")
    server.refuses = None
    assert station.take(board(2)).serial_number == ("SN-00001" if result is Result.REFUSED else "SN-00002")


def test_record_of_another_product_is_not_used(station: Station, record: Record, server: Server) -> None:
    station.take(board())
    with pytest.raises(ValueOutOfRange, match="the record is of product 1, not 2"):
        Station(2, record, server, lambda: NOW)


def test_unit_without_a_serial_number_is_not_registered(record: Record, server: Server) -> None:
    station = Station(PRODUCT, record, server, lambda: NOW, SerialNumbers.listed(["A1"], []))
    station.take(board())
    with pytest.raises(ValueOutOfRange, match="no serial number is left"):
        station.take(board(2))
    assert [unit.device_id for unit in server.registered] == ["01" * 12]
    assert len(record.units) == 1
