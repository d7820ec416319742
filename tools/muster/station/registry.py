# SPDX-License-Identifier: Apache-2.0
"""What a station asks of a server."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from muster.client import ServerClient, ServerRefused
from muster.csv_text import csv_row
from muster.station.record import Unit


@dataclass(frozen=True, slots=True)
class Known:
    """A device that the product has already.

    Attributes:
        fingerprint: of the key that the server knows; empty: none yet.
        status: `expected`, `quarantined`, `active` or `denied`.
        serial_number: empty without one.
    """

    fingerprint: str
    status: str
    serial_number: str


class Registry(Protocol):
    """The devices of one product. Its methods raise ServerUnreachable and ServerRefused."""

    def known(self, device_id: str) -> Known | None:
        """What there is of a device; None: the product does not have it."""
        ...

    def register(self, unit: Unit) -> None:
        """Makes a unit known by its id and key, with serial number, name and groups."""
        ...


class ServerRegistry:
    """The Registry of a product on a server."""

    def __init__(self, client: ServerClient, product: int) -> None:
        self._client = client
        self._product = product

    def known(self, device_id: str) -> Known | None:
        try:
            facts = self._client.device(self._product, device_id)
        except ServerRefused as error:
            if error.http_status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return Known(*(str(facts.get(name) or "") for name in ("fingerprint", "status", "serial_number")))

    def register(self, unit: Unit) -> None:
        key = "" if unit.key is None else unit.key.raw.hex()
        table = csv_row("id", "key", "name", "serial_number", "groups") + csv_row(
            unit.device_id, key, unit.name, unit.serial_number, unit.groups
        )
        self._client.import_table(self._product, table.encode())
