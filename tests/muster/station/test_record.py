# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.csv_text import csv_row
from muster.errors import FileFault, FormatError, ValueOutOfRange
from muster.signing.keys import PublicKey
from muster.station.record import COLUMNS, Record, Result, Unit, parse

HEADER = csv_row(*COLUMNS)
UNIT = Unit(
    time="2026-11-23T12:00:00Z",
    product=1234,
    device_id="0123456789abcdef01234567",
    platform="photon",
    firmware_version=1,
    serial_number="SN-00001",
    name="Thermostat SN-00001",
    groups="alpha beta",
    key=PublicKey(bytes(range(32))),
    result=Result.REGISTERED,
    why="",
)

_lines = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=300).filter(
    lambda text: text.isprintable() and text == text.strip()
)
_words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
units = st.builds(
    Unit,
    time=st.datetimes().map(lambda at: f"{at:%Y}".zfill(4) + f"-{at:%m-%dT%H:%M:%SZ}"),
    product=st.integers(1, 65_534),
    device_id=st.binary(min_size=12, max_size=12).map(bytes.hex),
    platform=st.sampled_from(("photon", "p1", "electron", "31")),
    firmware_version=st.integers(0, 65_535),
    serial_number=st.just("") | _words,
    name=_lines,
    groups=st.lists(_words, max_size=3).map(" ".join),
    key=st.none() | st.binary(min_size=32, max_size=32).map(PublicKey),
    result=st.sampled_from(Result),
    why=_lines,
)


@given(st.lists(units, max_size=3))
def test_every_record_is_read_as_it_was_written(made: list[Unit]) -> None:
    assert parse(HEADER + "".join(csv_row(*unit.to_cells()) for unit in made)) == made


@given(st.text() | st.text().map(lambda text: HEADER + text))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except FormatError:
        return
    assert found == []
    assert text in ("", HEADER, HEADER.rstrip())


@given(units, st.integers(0, len(COLUMNS) - 1), st.text(max_size=40))
def test_changed_cell_is_refused_or_another_unit(unit: Unit, at: int, text: str) -> None:
    cells = list(unit.to_cells())
    cells[at] = text
    try:
        found = Unit.from_cells(cells)
    except FormatError:
        return
    assert list(found.to_cells()) == cells or COLUMNS[at] == "key"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "it has 0 cells"),
        ("a,b", "it has 2 cells"),
        ('"open', "not CSV"),
        (csv_row(*replace(UNIT, key=PublicKey(bytes(32))).to_cells()[:9], *UNIT.to_cells()[9:]), "fingerprint"),
        ("x" * 9000, "8192"),
    ],
)
def test_bad_line_is_named(line: str, why: str) -> None:
    good = csv_row(*UNIT.to_cells())
    with pytest.raises(FormatError, match=f"line 3: .*{why}"):
        parse(HEADER + good + line.rstrip() + "\r\n" + good)


@pytest.mark.parametrize(
    "change",
    [
        {"time": "now"},
        {"device_id": "0" * 23},
        {"product": 0},
        {"serial_number": "with space"},
        {"name": "two\nlines"},
        {"why": "x" * 301},
        {"groups": "a  b"},
    ],
)
def test_unit_that_is_none_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValueOutOfRange):
        replace(UNIT, **change)  # type: ignore[arg-type]


def test_record_is_kept_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    with Record(path) as record:
        assert record.units == []
        record.append(UNIT)
    other = replace(UNIT, device_id="f" * 24, result=Result.NOT_REGISTERED, why="no answer")
    with Record(path) as record:
        record.append(other)
        assert record.units == [UNIT, other]
    assert parse(path.read_text()) == [UNIT, other]


@given(st.data())
def test_line_that_power_cut_short_is_dropped(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("record") / "units.csv"
    whole = (HEADER + csv_row(*UNIT.to_cells())).encode()
    last = csv_row(*replace(UNIT, device_id="f" * 24).to_cells()).encode()
    path.write_bytes((whole + last)[: data.draw(st.integers(0, len(whole + last) - 1))])
    before = parse(path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1].decode())
    with Record(path) as record:
        assert record.units == before
        record.append(UNIT)
    assert parse(path.read_text()) == [*before, UNIT]


def test_other_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for text in ("my notes", "my notes\n", "id,key\n"):
        path.write_text(text)
        with pytest.raises(FormatError, match="no record of a station"):
            Record(path)
        assert path.read_text() == text


def test_two_stations_do_not_share_a_record(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    with Record(path), pytest.raises(FileFault, match="another station"):
        Record(path)
    with Record(path) as record:
        assert record.units == []


def test_newest_line_counts_but_for_refusals(tmp_path: Path) -> None:
    with Record(tmp_path / "units.csv") as record:
        late = replace(UNIT, result=Result.NOT_REGISTERED, why="no answer")
        for unit in (late, UNIT, replace(UNIT, result=Result.REFUSED, why="another key")):
            record.append(unit)
        assert record.latest() == {UNIT.device_id: UNIT}
