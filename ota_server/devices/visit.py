# SPDX-License-Identifier: Apache-2.0
"""One check-in: what a report changes and what is answered. Runs in the writer thread, inside a savepoint."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from muster.protocol import (
    Answer,
    Call,
    HealthKey,
    Offer,
    OutcomeType,
    Read,
    Report,
    Signal,
    VariableType,
)
from muster.protocol.answer import ACKNOWLEDGED_MAX, CALLS_MAX, READS_MAX, RESULTS_ACKNOWLEDGED_MAX
from muster.protocol.report import HOLD_MAX
from ota_server.calls import store as calls
from ota_server.calls.models import CallKind
from ota_server.devices import claims, store
from ota_server.devices.calendar import Calendar
from ota_server.devices.models import ONLINE_INTERVALS, Device, DeviceStatus
from ota_server.devices.sessions import KeySetChain
from ota_server.products.models import Product
from ota_server.rollouts import offers, outcomes
from ota_server.rollouts import store as rollouts
from ota_server.rollouts.baseline import week_of
from ota_server.rollouts.decide import Plan, Ruling, decide
from ota_server.rollouts.models import Attempt, AttemptStatus
from ota_server.rollouts.schedule import ComeBacks
from ota_server.telemetry import events, habits
from ota_server.telemetry import service as telemetry_service
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.events import STATUS
from ota_server.telemetry.models import EventEntry, HistoryKind, Source

INTERVAL_MAX_S = 7 * 24 * 3600
WATCHED_INTERVAL_S = 1
"""Between two held check-ins of a device that is watched."""
SETTING_HOLD = 2
CALLS_SIZE_MAX = 712
"""Bytes of calls in an answer: what is left beside the longest offer and key sets."""
SPREAD_S = 600
"""Over so long devices come back that are told to come when a window opens."""
PATCH_WAIT_S = 5
"""When a device shall ask again for whom a patch is being made."""

_PLAIN = (
    "identity",
    "product_version",
    "slot",
    "hardware_revision",
    "security_counter",
    "boot_state",
    "bootloader_version",
    "keyset_version",
    "interval_s",
    "uptime_s",
    "boots",
)
"""Fields of a report that are columns of its device."""

SILENT = Report()
NOTHING = Answer()
"""Nothing to do, come back as before."""

FLASH_STATUS = "spark/flash/status"
_RESETS = {0: "power_down", 1: "watchdog", 2: "panic", 3: "user"}
"""Reset causes in Particle's words."""

_TYPE_NAMES = {
    VariableType.INT: "int32",
    VariableType.DOUBLE: "double",
    VariableType.TEXT: "string",
    VariableType.BOOL: "bool",
}
"""Particle's names."""


@dataclass(frozen=True, slots=True)
class Around:
    """What one visit has from those before it.

    Attributes:
        chain: the server's key sets.
        calendar: spreads when devices come back.
        come_backs: spreads whom a rollout makes wait for its next minute.
    """

    chain: KeySetChain
    calendar: Calendar
    come_backs: ComeBacks


class Visit:
    """The steps of one check-in, over what they have changed so far."""

    def __init__(
        self,
        around: Around,
        connection: Connection,
        device: Device,
        product: Product,
        report: Report,
        is_first: bool,
        hold_s: int,
        now_ms: int,
    ) -> None:
        self._connection = connection
        self._around = around
        self._before = device
        self._product = product
        self._report = report
        self._is_first = is_first
        self.hold_s = hold_s
        self._now_ms = now_ms
        self.device_row = device.id
        self.product_id = product.id
        self._source = Source(product.organization_id, product.id, device.id, device.device_id)
        self.values: dict[str, object] = {}
        self.answer = NOTHING
        self.is_news = is_first
        self.wants_patch = False
        if report != SILENT:
            self._take_state()
        self._device = device
        self._refresh()

    def heard(self) -> tuple[int, int] | None:
        """The version that it was heard running for the first time in this week, and the week."""
        before, version = self._before, self.values.get("product_version", self._before.product_version)
        if "last_seen_ms" not in self.values or before.status is not DeviceStatus.ACTIVE or before.development:
            return None
        week = week_of(self._now_ms)
        is_same = version == before.product_version and week_of(before.last_seen_ms or 0) == week
        return None if is_same or not isinstance(version, int) else (version, week)

    def quarantined(self) -> None:
        """Says so; nothing else of the report is counted, and nothing acknowledged, so that it may count later."""
        self._say(is_quarantined=True)
        self._say_when()

    def count(self) -> None:
        """Counts what the report tells besides the state."""
        device, report = self._device, self._report
        if not self._before.is_online(self._now_ms):
            self._publish(STATUS, "online")
        self._publish_start()
        crash = report.crash
        if crash is not None and telemetry.is_counted(self._connection, device.id, crash.report_id):
            crash = None
        acknowledged = telemetry_service.count_reports(self._connection, device.id, self._source, report, self._now_ms)
        if acknowledged:
            self.is_news = True
            self._say(acknowledged=acknowledged[:ACKNOWLEDGED_MAX])
        if crash is not None:
            outcomes.count_crash(self._connection, device, crash.identity, self._now_ms)
        if report.results:
            self._say(results_acknowledged=tuple(item.call_id for item in report.results)[:RESULTS_ACKNOWLEDGED_MAX])
        if report.claim_code is not None:
            self.is_news = True
            claims.redeem(self._connection, device, self._product, report.claim_code, self._now_ms)
            self._say(is_claim_taken=True)
        if device.watched_until_ms is not None:
            self._take_results()
        if report.outcome is not None:
            self.is_news = True
            attempt = outcomes.count_outcome(self._connection, device, report.outcome, self._now_ms)
            self._say(outcome_acknowledged=report.outcome.attempt)
            if attempt is not None:
                is_success = report.outcome.type is OutcomeType.CONFIRMED
                self._publish(FLASH_STATUS, "success" if is_success else "failed")
            if attempt is not None and attempt.number == device.open_attempt:
                self.values["open_attempt"] = None
        self._count_version()
        self._refresh(reload=report.outcome is not None)
        self._count_progress()

    def answer_plan(self, plan: Plan) -> None:
        """Decides what the device is offered, and says so."""
        device = self._device
        attempt = self._open_attempt()
        if attempt is not None and self._has_nothing_to_report(attempt):
            why = "It runs the image confirmed and has no outcome of this attempt to report."
            offers.withdraw(self._connection, device, attempt, why, self._now_ms)
            self.values["open_attempt"] = attempt = None
        wait_s: int | None = None
        if attempt is not None and attempt.status in (AttemptStatus.STAGED, AttemptStatus.TRIAL):
            self._remind(attempt, plan)
        elif not self._is_unreported(attempt):
            wait_s = self._follow(self._decide(plan), attempt)
        keysets = self._around.chain.above(device.keyset_version) if device.keyset_version is not None else ()
        if keysets:
            self._say(keysets=keysets)
        elif device.keyset_version is not None and device.keyset_version > self._around.chain.version:
            text = f"It holds key set {device.keyset_version}, this server only {self._around.chain.version}."
            once = f"keyset {device.keyset_version} {self._around.chain.version}"
            telemetry.add_history(self._connection, device.id, self._now_ms, HistoryKind.ALERT, text, once)
        if device.watched_until_ms is not None:
            self._say_calls()
            self._say_hold()
        self._say_when(wait_s)

    def _take_results(self) -> None:
        """Keeps what callers wait for. What nobody waits for any more is acknowledged all the same."""
        row, variables = self._device.id, self._device.variables
        for result in self._report.results:
            value = json.dumps(result.value)
            kinds = (CallKind.FUNCTION, CallKind.SIGNAL)
            self.is_news |= calls.finish(self._connection, row, result.call_id, kinds, value)
        if not self._report.readings:
            return
        names = {call.id: call.name for call in calls.waiting(self._connection, row, self._now_ms)}
        for reading in self._report.readings:
            kind = variables.get(names.get(reading.call_id, ""))
            value = json.dumps(_shown(reading.value, kind))
            self.is_news |= calls.finish(self._connection, row, reading.call_id, (CallKind.VARIABLE,), value)

    def _say_calls(self) -> None:
        """Says what is asked of the device, again and again until it has told the result."""
        functions: list[Call] = []
        reads: list[Read] = []
        signals: list[Signal] = []
        left = CALLS_SIZE_MAX
        for waiting in calls.waiting(self._connection, self._device.id, self._now_ms):
            left -= 16 + len(waiting.name.encode()) + len(waiting.argument.encode())
            if left < 0:
                break
            match waiting.kind:
                case CallKind.FUNCTION:
                    functions.append(Call(waiting.id, waiting.name, waiting.argument))
                case CallKind.VARIABLE:
                    reads.append(Read(waiting.id, waiting.name))
                case CallKind.SIGNAL:
                    signals.append(Signal(waiting.id, waiting.argument == "1"))
        self._say(calls=tuple(functions[:CALLS_MAX]), reads=tuple(reads[:READS_MAX]))
        if signals:
            self._say(signal=signals[0])

    def _say_hold(self) -> None:
        """A watched device holds the line; one that is no longer watched is told so once it can be."""
        device = self._device
        if device.is_watched(self._now_ms):
            if self.hold_s != HOLD_MAX:
                self._say(settings={SETTING_HOLD: HOLD_MAX})
        elif self.hold_s:
            self._say(settings={SETTING_HOLD: 0})
        elif not device.boot_state and self._report.update is None:
            self.values["watched_until_ms"] = None

    def _decide(self, plan: Plan) -> Ruling:
        return decide(offers.load_facts(self._connection, self._device, plan, False, self._now_ms), plan)

    def _follow(self, ruling: Ruling, attempt: Attempt | None) -> int | None:
        """Makes, repeats or withdraws an offer; returns in how many seconds to ask again, or None."""
        device, target = self._device, ruling.target
        if attempt is not None:
            if target is not None and attempt.target_image == target.image_id:
                self._repeat(attempt, ruling)
                return None
            offers.withdraw(self._connection, device, attempt, ruling.why, self._now_ms)
            self.is_news = True
            self.values["open_attempt"] = None
            if target is None:
                self._say(withdrawn=attempt.number)
        if target is None:
            return None if ruling.opens_ms is None else self._until(ruling.opens_ms)
        may_wait = device.patch_waits < self._product.patch_wait
        made = offers.make_offer(self._connection, device, ruling, target, self._now_ms, may_wait)
        if made.offer is None:
            self.wants_patch = made.is_waiting_for_patch
            if made.is_waiting_for_patch:
                self.values["patch_waits"] = device.patch_waits + 1
            if attempt is not None:
                self._say(withdrawn=attempt.number)
            return PATCH_WAIT_S if made.is_waiting_for_patch else self._turn_s(ruling)
        self.is_news = True
        self.values["attempt_counter"] = self.values["open_attempt"] = made.offer.attempt
        if device.patch_waits:
            self.values["patch_waits"] = 0
        self._offer(made.offer, made.consent_s)
        return None

    def _until(self, at_ms: int) -> int:
        """Seconds until a time at which many devices come: each a bit later than the one before."""
        bit_s = spread(min(self._product.check_in_interval_s, SPREAD_S), self._device.device_id)
        return -(-(at_ms - self._now_ms) // 1000) + bit_s

    def _turn_s(self, ruling: Ruling) -> int:
        """Seconds until it may be the device's turn: this minute has had its offers."""
        pace = ruling.pace
        assert pace is not None
        assert pace.schedule.per_minute is not None
        most_s = self._product.check_in_interval_s
        return self._around.come_backs.wait_s(pace.rollout_id, pace.schedule.per_minute, self._now_ms, most_s)

    def _repeat(self, attempt: Attempt, ruling: Ruling) -> None:
        """Says an offer again unless the device speaks of it, or puts it off and may.

        A device that holds the line has spoken of it before.
        """
        consent_s = offers.consent_s(ruling, attempt.asked_ms, self._now_ms)
        update = self._report.update
        is_at_it = self._report == SILENT or (update is not None and update.attempt == attempt.number)
        if consent_s > 0 if attempt.is_postponed(self._now_ms) else is_at_it:
            return
        self._offer(offers.repeat_offer(self._connection, attempt), consent_s)

    def _remind(self, attempt: Attempt, plan: Plan) -> None:
        """A device that has staged an image and knows nothing of it any more: its boot log was lost.

        Its first message in a session carries all it has to say, so silence there says that there is nothing.
        """
        device, report = self._device, self._report
        if not self._is_first or report.update is not None or report.outcome is not None:
            return
        if device.boot_state or device.identity == attempt.target_identity[:8]:
            return
        target = self._decide(plan).target
        if target is not None and target.image_id == attempt.target_image:
            self._offer(offers.repeat_offer(self._connection, attempt))

    def _offer(self, offer: Offer | None, consent_s: int = 0) -> None:
        if offer is not None:
            self._say(offer=offer, consent_s=consent_s or None)

    def _is_unreported(self, attempt: Attempt | None) -> bool:
        """It runs what it was offered, and what came of it has not been reported."""
        return attempt is not None and self._device.identity == attempt.target_identity[:8]

    def _has_nothing_to_report(self, attempt: Attempt) -> bool:
        """It came to the image by another way: the first message of a session would carry an outcome."""
        device = self._device
        is_silent = self._is_first and self._report.outcome is None
        return is_silent and device.identity == attempt.target_identity[:8] and device.boot_state == 0

    def _open_attempt(self) -> Attempt | None:
        number = self._device.open_attempt
        attempt = None if number is None else rollouts.attempt_of(self._connection, self._device.id, number)
        return attempt if attempt is not None and attempt.is_open else None

    def _count_progress(self) -> None:
        """Moves the open attempt on by what the report says of it."""
        attempt = self._open_attempt()
        if attempt is None:
            return
        self._count_postponed(attempt)
        update = self._report.update
        if update is not None and update.attempt == attempt.number:
            if update.status < 0:
                self.is_news = True
                self._publish(FLASH_STATUS, "failed")
                outcomes.stop_attempt(self._connection, self._device, attempt, update.status, self._now_ms)
                self.values["open_attempt"] = None
                self._refresh(reload=True)
                return
            if update.received != attempt.received:
                self.is_news = True
                rollouts.set_received(self._connection, attempt.id, min(update.received, attempt.patch_size))
            if update.status == 1:
                attempt = self._advance(attempt, AttemptStatus.STAGED, HistoryKind.STAGED, "is staged.")
            else:
                attempt = self._advance(attempt, AttemptStatus.DOWNLOADING, None, "")
        if self._device.boot_state and self._device.identity == attempt.target_identity[:8]:
            self._advance(attempt, AttemptStatus.TRIAL, HistoryKind.TRIAL, "runs on trial.")

    def _count_postponed(self, attempt: Attempt) -> None:
        """Keeps until when the product puts an offer off; a report that does not say so has begun, or forgotten it."""
        postponed = self._report.postponed
        until_ms: int | None = None
        if postponed is not None and postponed.attempt == attempt.number:
            until_ms = self._now_ms + postponed.left_s * 1000
            if attempt.postponed_until_ms is None:
                text = f"Attempt {attempt.number} is put off for {postponed.left_s} s by the product."
                telemetry.add_history(self._connection, self._device.id, self._now_ms, HistoryKind.CHANGED, text)
        if until_ms != attempt.postponed_until_ms:
            self.is_news = True
            rollouts.set_postponed(self._connection, attempt.id, until_ms)

    def _advance(self, attempt: Attempt, status: AttemptStatus, kind: HistoryKind | None, words: str) -> Attempt:
        """Moves an attempt forward, never back: reports of an earlier state may come late."""
        order = list(AttemptStatus)
        if order.index(status) <= order.index(attempt.status):
            return attempt
        rollouts.move_attempt(self._connection, attempt, status, {})
        self.is_news = True
        if attempt.status is AttemptStatus.OFFERED:
            self._publish(FLASH_STATUS, "started")
        if kind is not None:
            text = f"Attempt {attempt.number} {words}"
            telemetry.add_history(self._connection, self._device.id, self._now_ms, kind, text)
        return replace(attempt, status=status)

    def _take_state(self) -> None:
        report, before = self._report, self._before
        for name in _PLAIN:
            value = getattr(report, name)
            if value is not None and value != getattr(before, name):
                self.values[name] = value
        if report.interval_s is not None:
            self.values["interval_s"] = min(report.interval_s, INTERVAL_MAX_S)
        if report.health is not None:
            merged = {**json.loads(before.health), **{str(key): value for key, value in report.health.items()}}
            self.values["health"] = json.dumps(dict(list(merged.items())[-32:]))
        if self._is_first:
            self._take_interface()
        interval_s = self.values.get("interval_s", before.interval_s) or self._product.check_in_interval_s
        assert isinstance(interval_s, int)
        if not before.is_online(self._now_ms):
            self.is_news = True
        habit = habits.note(before.habit, before.last_seen_ms, self._now_ms)
        if habit is not before.habit:
            self.values["habit"] = habit
        self.values["last_seen_ms"] = self._now_ms
        heard_again_s = interval_s * ONLINE_INTERVALS + self.hold_s
        self.values["online_until_ms"] = self._now_ms + int(heard_again_s * 1000)
        if before.first_seen_ms is None:
            self.values["first_seen_ms"] = self._now_ms

    def _publish(self, name: str, data: str) -> None:
        """An event of the server's own about this device."""
        self.is_news = True
        events.publish(self._connection, self._source, [EventEntry(self._now_ms, name, data)], self._now_ms)

    def _publish_start(self) -> None:
        """Says why the device has started anew, and what it runs."""
        boots, health = self._report.boots, self._report.health or {}
        if boots is not None and boots != self._before.boots:
            self._publish("spark/device/last_reset", _RESETS.get(health.get(HealthKey.RESET_CAUSE, -1), "unknown"))
        identity = self._report.identity
        if identity is not None and identity != self._before.identity:
            self._publish("spark/device/app-hash", identity.hex())

    def _take_interface(self) -> None:
        """The first message of a session tells all functions and variables; what it does not name is not there."""
        variables = {item.name: _TYPE_NAMES[item.type] for item in self._report.variables}
        told = json.dumps({"functions": list(self._report.functions), "variables": variables})
        if told != self._before.interface:
            self.values["interface"] = told

    def _count_version(self) -> None:
        version = self.values.get("product_version")
        if version is not None and version != self._before.product_version:
            self.is_news = True
            before = self._before.product_version
            text = f"Runs version {version}" + ("." if before is None else f", before it {before}.")
            telemetry.add_history(self._connection, self._device.id, self._now_ms, HistoryKind.VERSION, text)

    def _refresh(self, reload: bool = False) -> None:
        """The device as it is with what has changed so far."""
        blocked = {}
        if reload:
            current = store.by_row(self._connection, self._device.id)
            assert current is not None
            blocked = {"blocked": current.blocked}
        self._device = self._before._replace(**self.values, **blocked)  # type: ignore[arg-type]  # columns are fields

    def _say(self, **parts: object) -> None:
        self.answer = replace(self.answer, **parts)  # type: ignore[arg-type]  # fields of Answer

    def _say_when(self, wait_s: int | None = None) -> None:
        """When to come back: said only when it differs from what the device does."""
        wished = spread(self._product.check_in_interval_s, self._device.device_id)
        if self._device.is_watched(self._now_ms):
            wished = WATCHED_INTERVAL_S
        if wait_s is not None:
            wished = min(wished, wait_s)
        if wished > WATCHED_INTERVAL_S:
            placed = self._around.calendar.place(self._now_ms // 1000, wished)
            if placed > wished:
                self.values["online_until_ms"] = self._now_ms + int(placed * ONLINE_INTERVALS * 1000)
            wished = placed
        if self._device.interval_s != wished:
            self._say(next_s=wished)


def _shown(value: int | str | float, kind: str | None) -> object:
    """A variable's value in JSON."""
    if kind == "bool":
        return bool(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def spread(interval_s: int, device_id: str) -> int:
    """An interval of a device's own, within a tenth of the product's: a fleet never comes all at once."""
    draw = hashlib.sha256(device_id.encode()).digest()[0]
    return max(1, interval_s - interval_s // 10 + interval_s // 5 * draw // 255)
