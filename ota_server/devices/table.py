# SPDX-License-Identifier: Apache-2.0
"""Devices as a table (CSV, RFC 4180): read it and import all of it, or say for each line why not."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from muster.csv_text import plain_cell
from ota_server.devices import groups, labels, service
from ota_server.devices.service import DEVICE_ID, IMPORT_MAX, ImportLine, ImportResult
from ota_server.errors import Invalid, ServerError
from ota_server.products.models import Product

READ = ("id", "key", "name", "serial_number", "time_zone", "groups", "tags", "country", "notes")
SHOWN = ("owner", "status", "platform", "firmware_version", "last_heard", "development", "desired_firmware_version")
"""Columns of an export that an import passes over."""
REFUSALS_MAX = 100
"""Lines that an answer names."""


class ImportRefused(Invalid):
    """Nothing was imported. `refusals`: numbers of lines, from 1, and what is wrong with each."""

    def __init__(self, refusals: Sequence[tuple[int, str]]) -> None:
        number, reason = refusals[0]
        more = "" if len(refusals) == 1 else f", and {len(refusals) - 1} more"
        super().__init__(f"nothing was imported. Line {number}: {reason}{more}", "file")
        self.refusals = refusals

    def to_json(self) -> dict[str, object]:
        named = [{"line": number, "reason": reason} for number, reason in self.refusals[:REFUSALS_MAX]]
        return {**super().to_json(), "refused": named}


@dataclass(frozen=True, slots=True)
class TableLine:
    """One device of a table; what is empty there is None here, and stays as it is."""

    number: int
    device: ImportLine
    facts: Mapping[str, object]
    groups: Sequence[str] | None

    @property
    def steers_firmware(self) -> bool:
        """Whether it sets what may decide which version the device gets."""
        return self.groups is not None or not self.facts.keys().isdisjoint(service.STEERING)


def is_table(lines: Sequence[str]) -> bool:
    """Whether the first line names columns: no device id does."""
    return bool(lines) and "id" in {cell.strip(' "').lower() for cell in lines[0].removeprefix("\ufeff").split(",")}


def parse(lines: Sequence[str]) -> list[TableLine]:
    """Reads a table whose first line names its columns. Raises Invalid; ImportRefused for lines."""
    rows = csv.reader([line + "\n" for line in lines], strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows)]
        header[0] = header[0].removeprefix("\ufeff")
        _check_header(header)
        found: list[TableLine] = []
        refusals: list[tuple[int, str]] = []
        for row in rows:
            if not any(row):
                continue
            if len(found) + len(refusals) >= IMPORT_MAX:
                raise Invalid(f"at most {IMPORT_MAX} devices are imported at once", "file")
            try:
                found.append(_line(rows.line_num, header, row))
            except Invalid as error:
                refusals.append((rows.line_num, str(error)))
    except csv.Error as error:
        raise Invalid(f"line {rows.line_num} is not CSV: {error}", "file") from error
    seen: dict[str, int] = {}
    for line in found:
        first = seen.setdefault(line.device.device_id, line.number)
        if first != line.number:
            refusals.append((line.number, f"the device is in line {first} already"))
    if refusals:
        raise ImportRefused(sorted(refusals))
    return found


def import_table(
    connection: Connection, product: Product, lines: Sequence[TableLine], by: str, now_ms: int
) -> ImportResult:
    """Imports every device with its facts and groups. Raises ImportRefused: the caller keeps nothing."""
    result = ImportResult([], [], {})
    refusals = []
    for line in lines:
        device_id = line.device.device_id
        try:
            is_new = service.import_one(connection, product, line.device, by, now_ms)
            if line.facts:
                service.set_facts(connection, product, device_id, dict(line.facts), by, now_ms)
            if line.groups is not None:
                groups.set_groups(connection, product, device_id, line.groups, by, now_ms)
        except ServerError as error:
            refusals.append((line.number, str(error)))
        else:
            (result.updated if is_new else result.existing).append(device_id)
    if refusals:
        raise ImportRefused(refusals)
    return result


def _check_header(header: Sequence[str]) -> None:
    unknown = [cell for cell in header if cell not in (*READ, *SHOWN)]
    if unknown or len(set(header)) != len(header) or "id" not in header:
        raise Invalid(
            f"the first line names columns once each: id, and any of {', '.join((*READ[1:], *SHOWN))}", "file"
        )


def _line(number: int, header: Sequence[str], cells: Sequence[str]) -> TableLine:
    if len(cells) != len(header):
        raise Invalid(f"it has {len(cells)} cells, not {len(header)}")
    given = {name: plain_cell(cell.strip()) for name, cell in zip(header, cells, strict=True) if name in READ}
    device_id, key = given["id"].lower(), given.get("key", "").lower()
    if not DEVICE_ID.fullmatch(device_id):
        raise Invalid("an id has 24 hexadecimal digits")
    if key and not re.fullmatch(r"[0-9a-f]{64}", key):
        raise Invalid("a key has 64 hexadecimal digits")
    plain = ("name", "serial_number", "time_zone", "notes")
    facts: dict[str, object] = {name: given[name] for name in plain if given.get(name)}
    if given.get("tags"):
        facts["tags"] = labels.tags_text(given["tags"].split())
    if given.get("country"):
        facts["country"] = labels.country_code(given["country"])
    names = given.get("groups", "").split()
    return TableLine(number, ImportLine(device_id, bytes.fromhex(key) if key else None), facts, names or None)
