# SPDX-License-Identifier: Apache-2.0
"""What becomes of a board at a station."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from muster.client import ServerRefused, ServerUnreachable
from muster.errors import ValueOutOfRange
from muster.layout import Lifecycle, platform_name
from muster.serial import Info
from muster.signing.keys import PublicKey
from muster.station.record import IS_KNOWN, TEXT_MAX, Record, Result, Unit
from muster.station.registry import Known, Registry
from muster.station.serial_numbers import SerialNumbers

_SHORT = 16
"""Digits of a fingerprint that are enough to approve a key."""
_LATER = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""The server refuses the station, not the unit."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What every unit gets.

    Attributes:
        name: `{serial_number}` in it is replaced by the unit's; empty: no name.
        groups: names with spaces between; empty: no groups.
    """

    name: str = ""
    groups: str = ""


class Station:
    """Takes boards one after another: registers each and writes it down.

    A unit is written down once for each thing that becomes of it; one that was provisioned before gets no new line.
    """

    def __init__(
        self,
        product: int,
        record: Record,
        registry: Registry,
        clock: Callable[[], str],
        serial_numbers: SerialNumbers | None = None,
        labels: Labels | None = None,
    ) -> None:
        """`clock` says the time as a Unit has it.

        Raises:
            ValueOutOfRange: the record is another product's.
        """
        others = {unit.product for unit in record.units} - {product}
        if others:
            raise ValueOutOfRange(f"the record is of product {min(others)}, not {product}: each product has its own")
        self._product = product
        self._record = record
        self._registry = registry
        self._clock = clock
        self._numbers = serial_numbers or SerialNumbers.none()
        self._labels = labels or Labels()
        self._spare = ""

    def take(self, info: Info) -> Unit:
        """What became of the board that says this of itself.

        Raises:
            ValueOutOfRange: there is no serial number left for it, or no name can be made of its one.
            FileFault: the record cannot be written.
        """
        unit = Unit(
            time=self._clock(),
            product=self._product,
            device_id=info.device_id.hex(),
            platform=platform_name(info.platform_id),
            firmware_version=info.version,
            serial_number="",
            name="",
            groups=self._labels.groups,
            key=PublicKey(info.device_key) if info.device_key else None,
            result=Result.REFUSED,
            why="",
        )
        why = self._why_not(info) or self._why_not_by_record(unit)
        if why:
            return self._written(unit, Result.REFUSED, why)
        before = self._record.latest().get(unit.device_id)
        if before is not None and before.result in IS_KNOWN:
            return replace(before, result=Result.ALREADY, why="")
        return self._register(unit, before)

    def register_pending(self) -> list[Unit]:
        """Registers what could not be registered before; what became of each unit."""
        pending = [unit for unit in self._record.latest().values() if unit.result is Result.NOT_REGISTERED]
        return [self._register(replace(unit, time=self._clock(), why=""), unit) for unit in pending]

    def _why_not(self, info: Info) -> str:
        """Why the board is none for this station; empty: it is one."""
        if info.product_id != self._product:
            return f"it runs product {info.product_id}, and this station is for product {self._product}"
        if not info.device_key:
            return "it has no key and cannot make one: program it again, with a factory HEX"
        if info.lifecycle != Lifecycle.PRODUCTION:
            return "it is a development board, which has no key of its own: program it with a factory HEX"
        return ""

    def _why_not_by_record(self, unit: Unit) -> str:
        for other in self._record.latest().values():
            is_same_device, is_same_key = other.device_id == unit.device_id, other.key == unit.key
            if is_same_key and not is_same_device:
                return f"its key is that of {other.device_id} in the record"
            if is_same_device and not is_same_key and other.result in IS_KNOWN:
                return _other_key("the record", other.fingerprint, unit)
        return ""

    def _register(self, unit: Unit, before: Unit | None) -> Unit:
        try:
            known = self._registry.known(unit.device_id)
            why = "" if known is None else _why_not_known(known, unit)
            if why:
                return self._written(unit, Result.REFUSED, why)
            if known is not None and known.fingerprint == unit.fingerprint and known.status == "active":
                return self._written(replace(unit, serial_number=known.serial_number, groups=""), Result.ALREADY)
            unit = self._labelled(unit, before, known)
            self._registry.register(unit)
            return self._written(unit, Result.REGISTERED)
        except ServerUnreachable as error:
            return self._written(self._labelled(unit, before, None), Result.NOT_REGISTERED, str(error))
        except ServerRefused as error:
            is_later = error.http_status in _LATER or error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
            unit = self._labelled(unit, before, None)
            return self._written(unit, Result.NOT_REGISTERED if is_later else Result.REFUSED, _reason(error))

    def _labelled(self, unit: Unit, before: Unit | None, known: Known | None) -> Unit:
        """With its serial number: the one that record or server have, else the next; and the name that this makes."""
        if unit.serial_number:
            return unit
        if before is not None:
            return replace(unit, serial_number=before.serial_number, name=before.name, groups=before.groups)
        number = known.serial_number if known is not None else ""
        if not number:
            self._spare = self._spare or self._numbers.next()
            number = self._spare
        return replace(unit, serial_number=number, name=self._labels.name.replace("{serial_number}", number).strip())

    def _written(self, unit: Unit, result: Result, why: str = "") -> Unit:
        """Writes it down. A serial number that was not used is the next unit's."""
        if result is Result.REFUSED:
            unit = replace(unit, serial_number="", name="")
        elif unit.serial_number == self._spare:
            self._spare = ""
        done = replace(unit, result=result, why=_one_line(why))
        self._record.append(done)
        return done


def _why_not_known(known: Known, unit: Unit) -> str:
    if known.status == "denied":
        return "it is denied on the server: approve it there, if it may come back"
    if known.fingerprint and known.fingerprint != unit.fingerprint:
        return _other_key("the server", known.fingerprint, unit)
    return ""


def _other_key(who: str, known: str, unit: Unit) -> str:
    return (
        f"{who} knows it by key {known[:_SHORT]}, and it has {unit.fingerprint[:_SHORT]}: was it programmed again? "
        f"Then connect it to the server and approve that fingerprint, or remove the device there"
    )


def _reason(error: ServerRefused) -> str:
    """The line's own reason, where the server names one."""
    refused = error.facts.get("refused")
    first = refused[0] if isinstance(refused, list) and refused else None
    return str(first["reason"]) if isinstance(first, dict) and "reason" in first else str(error)


def _one_line(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:TEXT_MAX].strip()
