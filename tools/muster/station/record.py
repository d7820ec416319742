# SPDX-License-Identifier: Apache-2.0
"""The record of a station: a CSV file with a line for each unit, which only grows."""

from __future__ import annotations

import csv
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from muster.csv_text import csv_row, plain_cell
from muster.errors import FileFault, FormatError, KeyFormatError, ValueOutOfRange
from muster.layout import ID_MAX
from muster.signing.keys import PublicKey

COLUMNS = (
    "time",
    "product",
    "id",
    "platform",
    "firmware_version",
    "serial_number",
    "name",
    "groups",
    "key",
    "fingerprint",
    "result",
    "why",
)
TEXT_MAX = 300
LINE_MAX = 8192
"""Characters; more than the longest line that is written has."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DEVICE_ID = re.compile(r"[0-9a-f]{24}")
_PLATFORM = re.compile(r"[!-~]{1,32}")
_SERIAL_NUMBER = re.compile(r"[!-~]{0,64}")
_GROUPS = re.compile(r"[!-~]{1,64}( [!-~]{1,64}){0,99}|")


class Result(StrEnum):
    """What became of a unit."""

    REGISTERED = "registered"
    """The server knows its id and key."""
    ALREADY = "already provisioned"
    """The server knew them before."""
    NOT_REGISTERED = "not registered"
    """The server was not reached, or let the station do nothing: it is to be registered later."""
    REFUSED = "refused"
    """Board, record or server say no: somebody has to look."""


IS_KNOWN = frozenset({Result.REGISTERED, Result.ALREADY})
"""The server has the unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of a record.

    Attributes:
        time: UTC, as 2026-01-31T12:00:00Z.
        product: id of the product.
        device_id: 24 hexadecimal digits.
        platform: its name, or its number when it has none.
        firmware_version: product version that it runs.
        serial_number: empty without one.
        name: empty without one.
        groups: names with spaces between, or empty.
        key: the public key, or None: the board has none.
        why: what more there is to say, one line.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    time: str
    product: int
    device_id: str
    platform: str
    firmware_version: int
    serial_number: str
    name: str
    groups: str
    key: PublicKey | None
    result: Result
    why: str

    def __post_init__(self) -> None:
        for name, value, pattern in (
            ("time", self.time, _TIME),
            ("id", self.device_id, _DEVICE_ID),
            ("platform", self.platform, _PLATFORM),
            ("serial_number", self.serial_number, _SERIAL_NUMBER),
            ("groups", self.groups, _GROUPS),
        ):
            if not pattern.fullmatch(value):
                raise ValueOutOfRange(f"{value[:80]!r} is no {name}")
        for name, value in (("name", self.name), ("why", self.why)):
            if len(value) > TEXT_MAX or not value.isprintable() or value != value.strip():
                raise ValueOutOfRange(f"{name} is one line of at most {TEXT_MAX} characters")
        if not 1 <= self.product <= ID_MAX or not 0 <= self.firmware_version <= 0xFFFF:
            raise ValueOutOfRange("product or firmware_version are out of range")

    @property
    def fingerprint(self) -> str:
        """Of the key; empty without one."""
        return "" if self.key is None else self.key.fingerprint

    def to_cells(self) -> tuple[str, ...]:
        """The cells under COLUMNS."""
        return (
            self.time,
            str(self.product),
            self.device_id,
            self.platform,
            str(self.firmware_version),
            self.serial_number,
            self.name,
            self.groups,
            "" if self.key is None else self.key.raw.hex(),
            self.fingerprint,
            self.result.value,
            self.why,
        )

    @classmethod
    def from_cells(cls, cells: list[str]) -> Unit:
        """Raises FormatError."""
        if len(cells) != len(COLUMNS):
            raise FormatError(f"it has {len(cells)} cells, not {len(COLUMNS)}")
        time, product, device_id, platform, version, serial_number, name, groups, key, fingerprint, result, why = cells
        if result not in {known.value for known in Result}:
            raise FormatError(f"there is no result {result[:40]!r}")
        try:
            unit = cls(
                time,
                _number(product),
                device_id,
                platform,
                _number(version),
                serial_number,
                name,
                groups,
                PublicKey.from_text(key) if key else None,
                Result(result),
                why,
            )
        except (ValueOutOfRange, KeyFormatError) as error:
            raise FormatError(str(error)) from error
        if fingerprint != unit.fingerprint:
            raise FormatError("the fingerprint is not the key's")
        return unit


def parse(text: str) -> list[Unit]:
    """The units of a whole record, each line ended.

    Raises:
        FormatError: a line is none of a record; the message names it.
    """
    units: list[Unit] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            cells = _cells(line)
            if number > 1:
                units.append(Unit.from_cells(cells))
            elif tuple(cells) != COLUMNS:
                raise FormatError("the first line does not name the columns of a record")
        except FormatError as error:
            raise FormatError(f"line {number}: {error}") from error
    return units


class Record:
    """A record that is open for one station: its units, in the order of their lines. A context manager.

    A line that was cut short, by a loss of power, is dropped when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        """Opens the record, or begins it.

        Raises:
            FileFault: the file cannot be used, or another station has it.
            FormatError: it holds something else.
        """
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FileFault(f"cannot open {path}: {error.strerror}") from error
        try:
            self.units = self._begin()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, unit: Unit) -> None:
        """Adds a line; it is on the disk when this returns.

        Raises:
            FileFault: it is not.
        """
        self._write(csv_row(*unit.to_cells()))
        self.units.append(unit)

    def latest(self) -> dict[str, Unit]:
        """The newest line of every id. A board that was refused is as it was before."""
        found: dict[str, Unit] = {}
        for unit in self.units:
            if unit.result is not Result.REFUSED:
                found[unit.device_id] = unit
        return found

    def _begin(self) -> list[Unit]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FileFault(f"{self._path} is in use by another station") from error
        try:
            raw = b"".join(_pieces(self._file))
        except OSError as error:
            raise FileFault(f"cannot read {self._path}: {error.strerror}") from error
        whole = raw[: raw.rfind(b"\n") + 1]
        try:
            units = parse(whole.decode())
        except (FormatError, UnicodeDecodeError) as error:
            raise FormatError(f"{self._path} is no record of a station: {error}") from error
        if not whole and not csv_row(*COLUMNS).encode().startswith(raw):
            raise FormatError(f"{self._path} is no record of a station")
        if len(whole) < len(raw):
            self._truncate(len(whole))
        if not whole:
            self._write(csv_row(*COLUMNS))
            _sync_folder(self._path.parent)
        return units

    def _write(self, line: str) -> None:
        raw = line.encode()
        try:
            size = os.fstat(self._file).st_size
            if os.write(self._file, raw) != len(raw):
                self._truncate(size)
                raise FileFault(f"cannot write {self._path}: the disk is full")
            os.fsync(self._file)
        except OSError as error:
            raise FileFault(f"cannot write {self._path}: {error.strerror}") from error

    def _truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)
            os.fsync(self._file)
        except OSError as error:
            raise FileFault(f"cannot write {self._path}: {error.strerror}") from error


def _pieces(file: int) -> Iterator[bytes]:
    while piece := os.read(file, 1 << 20):
        yield piece


def _sync_folder(folder: Path) -> None:
    """So that a new file is found after a loss of power."""
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _cells(line: str) -> list[str]:
    if len(line) > LINE_MAX:
        raise FormatError(f"it has more than {LINE_MAX} characters")
    try:
        rows = list(csv.reader([line], strict=True))
    except csv.Error as error:
        raise FormatError(f"it is not CSV: {error}") from error
    return [plain_cell(cell) for cell in rows[0]] if rows else []


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise FormatError(f"{text[:40]!r} is no number")
    return int(text)
