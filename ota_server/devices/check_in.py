# SPDX-License-Identifier: Apache-2.0
"""Check-ins: each counted once, many of them together. Runs in the writer thread, inside a savepoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from muster.protocol import (
    Answer,
    MessageFormatError,
    Report,
    SealedMessage,
    SessionRefused,
    open_report,
    seal_answer,
)
from ota_server.devices import store
from ota_server.devices.calendar import Calendar
from ota_server.devices.models import Device, DeviceStatus
from ota_server.devices.sessions import KeySetChain
from ota_server.devices.visit import NOTHING, SILENT, Around, Visit
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.rollouts.plan import PlanCache
from ota_server.rollouts.schedule import ComeBacks
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind

_COUNTED = ("outcome", "update", "logs", "events", "crash", "results", "readings", "claim_code", "postponed")
"""Fields of a report that are counted, each once."""

_ROUTINE = frozenset(store.ROUTINE)
Arrived = tuple[SealedMessage, int]
"""A message and when it came."""


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """A check-in whose facts are ready to be committed.

    Attributes:
        device_row, product_id: whose it is.
        session_id, key, counter: what the answer is sealed with.
        answer: what to say.
        hold_s: how long the device would wait for something to be said.
        is_news: something changed that people or other devices watch.
        wants_patch: a patch was asked for.
        heard: the version that the device was heard running for the first time in a week, and that week.
    """

    device_row: int
    product_id: int
    session_id: bytes
    key: bytes
    counter: int
    answer: Answer
    hold_s: int
    is_news: bool
    wants_patch: bool
    heard: tuple[int, int] | None = None

    def sealed(self) -> bytes:
        """The one answer to this message; to be called once, after the commit."""
        return seal_answer(self.session_id, self.key, self.counter, self.answer)


class CheckIns:
    """Takes check-ins. Used by the writer thread only.

    Args:
        chain: the server's key sets.
        calendar: spreads when devices come back.
    """

    def __init__(self, chain: KeySetChain, calendar: Calendar) -> None:
        self._around = Around(chain, calendar, ComeBacks())
        self._plans = PlanCache(chain.version)

    def take_together(self, connection: Connection, items: Sequence[Arrived]) -> list[CheckedIn | Exception | None]:
        """Counts messages of many devices; see `storage.database.Together`.

        What must follow from what another message has changed is left for afterwards: reports that count something,
        a session's first message, and a second one of a device.
        """
        found = store.by_sessions(connection, {message.session_id for message, _ in items})
        at_hand: dict[int, Product] = {}
        outcomes: list[CheckedIn | Exception | None] = []
        routine: list[tuple[Device, int, Mapping[str, object]]] = []
        for message, now_ms in items:
            device = found.pop(message.session_id, None)
            if device is None:
                outcomes.append(None)
                continue
            try:
                key, report = _open(device, message)
            except (SessionRefused, MessageFormatError) as error:
                outcomes.append(error)
                continue
            if _counts_something(report):
                outcomes.append(None)
                continue
            product = at_hand.get(device.product_id)
            if product is None:
                product = at_hand[device.product_id] = _product_of(connection, device)
            visit = self._visit(connection, device, product, report, False, now_ms)
            if visit.values.keys() <= _ROUTINE:
                routine.append((device, message.counter, visit.values))
            else:
                self._count(connection, device, message, visit)
            outcomes.append(_checked_in(message, key, visit))
        if not store.count_messages(connection, routine):
            raise SessionRefused("the counter of one of them is not above the last one")
        return outcomes

    def take(self, connection: Connection, item: Arrived) -> CheckedIn:
        """Counts a message and says what to answer.

        Raises:
            SessionRefused: no such session, it cannot be opened, or its counter is not above the last.
            MessageFormatError: what was sealed is no report; nothing is changed.
        """
        message, now_ms = item
        device = store.by_session(connection, message.session_id)
        if device is None:
            raise SessionRefused("there is no such session")
        key, report = _open(device, message)
        is_first = device.session_id != message.session_id
        if is_first:
            device = _promote(connection, device)
        product = _product_of(connection, device)
        visit = self._visit(connection, device, product, report, is_first, now_ms)
        self._count(connection, device, message, visit)
        return _checked_in(message, key, visit)

    def _visit(
        self, connection: Connection, device: Device, product: Product, report: Report, is_first: bool, now_ms: int
    ) -> Visit:
        """What a report changes and is answered."""
        visit = Visit(self._around, connection, device, product, report, is_first, report.hold_s or 0, now_ms)
        if device.status is DeviceStatus.ACTIVE:
            visit.count()
            if report.outcome is not None or report.update is not None or report.crash is not None:
                # What was counted may have moved a rollout: the answer follows the plan as it is now.
                product = products.get(connection, device.product_id) or product
            visit.answer_plan(self._plans.get(connection, product))
        else:
            visit.quarantined()
        return visit

    def _count(self, connection: Connection, device: Device, message: SealedMessage, visit: Visit) -> None:
        if not store.count_message(connection, device, message.counter, visit.values):
            raise SessionRefused("the counter is not above the last one")

    def look_again(self, connection: Connection, held: CheckedIn, now_ms: int) -> CheckedIn:
        """Decides anew for a device whose answer is held; its report was counted before."""
        device = store.by_row(connection, held.device_row)
        if device is None or device.session_id != held.session_id or device.session_counter != held.counter:
            # It has sent another message meanwhile, or its session is gone: nothing is said here.
            return replace(held, hold_s=0)
        product = _product_of(connection, device)
        visit = Visit(self._around, connection, device, product, SILENT, False, held.hold_s, now_ms)
        if device.status is DeviceStatus.ACTIVE:
            visit.answer_plan(self._plans.get(connection, product))
        else:
            visit.quarantined()
        if visit.values:
            store.change(connection, device.id, visit.values)
        return replace(held, answer=visit.answer, is_news=visit.is_news, wants_patch=visit.wants_patch)


def _open(device: Device, message: SealedMessage) -> tuple[bytes, Report]:
    """The key of a message's session, which may be the pending one, and what the message says.

    Raises:
        SessionRefused: it is not of this device, cannot be opened, or its counter is not above the last.
        MessageFormatError: what was sealed is no report.
    """
    if device.status is DeviceStatus.DENIED:
        raise SessionRefused("the device is denied")
    is_current = device.session_id == message.session_id
    key = device.session_key if is_current else device.pending_key
    if key is None or not (is_current or device.pending_id == message.session_id):
        raise SessionRefused("there is no such session")
    _, report = open_report(message.session_id, key, message)
    if is_current and message.counter <= device.session_counter:
        raise SessionRefused("the counter is not above the last one")
    return key, report


def _checked_in(message: SealedMessage, key: bytes, visit: Visit) -> CheckedIn:
    return CheckedIn(
        visit.device_row,
        visit.product_id,
        message.session_id,
        key,
        message.counter,
        visit.answer,
        visit.hold_s if visit.answer == NOTHING else 0,
        visit.is_news,
        visit.wants_patch,
        visit.heard(),
    )


def _counts_something(report: Report) -> bool:
    """Whether it tells more than how its device is."""
    return any(getattr(report, name) for name in _COUNTED)


def _product_of(connection: Connection, device: Device) -> Product:
    product = products.get(connection, device.product_id)
    assert product is not None
    return product


def _promote(connection: Connection, device: Device) -> Device:
    """Makes the pending session the current one: its first valid message has come."""
    values: dict[str, object] = {
        "session_id": device.pending_id,
        "session_key": device.pending_key,
        "session_counter": 0,
        "session_digest": device.pending_digest,
        "session_answer": device.pending_answer,
        "pending_id": None,
        "pending_key": None,
        "pending_digest": None,
        "pending_answer": None,
    }
    store.change(connection, device.id, values)
    telemetry.add_history(connection, device.id, device.last_opened_ms or 0, HistoryKind.OPENED, "Opened a session.")
    return device._replace(**values)  # type: ignore[arg-type]  # columns are fields
