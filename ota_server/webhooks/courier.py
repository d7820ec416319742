# SPDX-License-Identifier: Apache-2.0
"""Sends what waits for webhooks, tries again what failed, and switches off who fails always."""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection

from ota_server.clock import Clock
from ota_server.errors import Invalid
from ota_server.moves import check_move
from ota_server.storage.database import Database
from ota_server.telemetry import events
from ota_server.telemetry.models import EventEntry, Source
from ota_server.telemetry.streams import Streams
from ota_server.times import rfc3339
from ota_server.webhooks import store, template
from ota_server.webhooks.hook import Hook, make_request
from ota_server.webhooks.models import DELIVERY_MOVES, Delivery, DeliveryStatus, Webhook
from ota_server.webhooks.network import HookAnswer, NotDelivered, Sender
from ota_server.worker import Worker

EVERY_S = 5.0
AT_ONCE = 8
LEASE_MS = 120_000
"""When a delivery is tried again whose server was killed amid it."""
DELAYS_S = (10, 60, 300, 900, 1800)
"""Between the tries: six within an hour."""
FAILURES_MAX = 20
LOG_MAX = 50
"""Deliveries that are over and kept, of each webhook."""
ANSWER_DATA_MAX = 512
TRIED_AGAIN = frozenset({408, 425, 429})

_logger = logging.getLogger("ota_server.webhooks")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one try."""

    delivery: Delivery
    webhook: Webhook
    hook: Hook
    answer: HookAnswer | None
    error: str
    is_final: bool
    duration_ms: int

    @property
    def is_done(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300


class Courier(Worker):
    """Sends up to eight requests at once. One that is under way when the server is killed is sent again.

    Attributes:
        results: how tries have ended.
    """

    def __init__(self, database: Database, streams: Streams, sender: Sender, clock: Clock) -> None:
        super().__init__("courier", EVERY_S)
        self._database = database
        self._streams = streams
        self._sender = sender
        self._clock = clock
        self.results: Counter[str] = Counter(done=0, failed=0)

    def do_next(self) -> bool:
        """Tries what is due; False when nothing is."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            if not store.due(connection, now_ms, 1):
                return False
        taken = self._database.write(lambda connection: _take(connection, now_ms))
        with ThreadPoolExecutor(AT_ONCE, "webhook") as pool:
            outcomes = list(pool.map(lambda one: self._try(*one), taken))
        self.results.update("done" if one.is_done else "failed" for one in outcomes)
        self._database.write(lambda connection: _finish(connection, outcomes, self._clock.now_ms()))
        self._streams.wake()
        return bool(taken)

    def _try(self, delivery: Delivery, webhook: Webhook) -> _Outcome:
        hook = Hook.from_json(webhook.content)
        at = rfc3339(delivery.at_ms)
        event = {"event": delivery.name, "data": delivery.data, "coreid": delivery.core_id, "published_at": at}
        values = template.values_of(delivery.name, delivery.data, delivery.core_id, at)
        began = time.monotonic()
        answer, error, is_final = None, "", False
        try:
            request = make_request(hook, event, values, webhook.secret, self._clock.now_ms() // 1000)
            answer = self._sender.send(request)
        except Invalid as problem:
            error, is_final = str(problem), True
        except NotDelivered as problem:
            error = str(problem)
        if answer is not None and not 200 <= answer.status < 300:
            error = f"status {answer.status}"
            is_final = answer.status < 500 and answer.status not in TRIED_AGAIN
        duration_ms = int((time.monotonic() - began) * 1000)
        return _Outcome(delivery, webhook, hook, answer, error[:200], is_final, duration_ms)


def _take(connection: Connection, now_ms: int) -> list[tuple[Delivery, Webhook]]:
    found = []
    for delivery in store.due(connection, now_ms, AT_ONCE):
        webhook = store.by_row(connection, delivery.webhook_id)
        if webhook is not None and store.take(connection, delivery, now_ms + LEASE_MS):
            found.append((delivery, webhook))
    return found


def _finish(connection: Connection, outcomes: list[_Outcome], now_ms: int) -> None:
    for outcome in outcomes:
        webhook = store.by_row(connection, outcome.webhook.id)
        if webhook is not None:
            _finish_one(connection, outcome, webhook, now_ms)


def _finish_one(connection: Connection, outcome: _Outcome, webhook: Webhook, now_ms: int) -> None:
    delivery, tries = outcome.delivery, outcome.delivery.tries + 1
    values: dict[str, object] = {
        "tries": tries,
        "http_status": None if outcome.answer is None else outcome.answer.status,
        "duration_ms": outcome.duration_ms,
        "error": outcome.error,
    }
    if not outcome.is_done and not outcome.is_final and tries <= len(DELAYS_S):
        store.change_delivery(connection, delivery.id, {**values, "due_ms": now_ms + 1000 * DELAYS_S[tries - 1]})
        return
    status = DeliveryStatus.DONE if outcome.is_done else DeliveryStatus.FAILED
    check_move(DELIVERY_MOVES, f"delivery {delivery.id}", DeliveryStatus.QUEUED, status)
    store.change_delivery(connection, delivery.id, {**values, "status": status, "due_ms": now_ms})
    failures = 0 if outcome.is_done else webhook.failures + 1
    if failures != webhook.failures:
        store.change(connection, webhook.id, {"failures": failures})
    if failures >= FAILURES_MAX and not webhook.off_reason:
        _switch_off(connection, webhook, outcome.error, now_ms)
    store.trim(connection, webhook.id, LOG_MAX)
    _publish_answer(connection, outcome, webhook, now_ms)


def _switch_off(connection: Connection, webhook: Webhook, error: str, now_ms: int) -> None:
    reason = f"{FAILURES_MAX} deliveries in a row failed, the last one with: {error}"
    _logger.warning("webhook %d is switched off: %d deliveries in a row failed", webhook.id, FAILURES_MAX)
    store.change(connection, webhook.id, {"off_reason": reason})
    ended = {"status": DeliveryStatus.FAILED, "due_ms": now_ms, "error": "the webhook was switched off"}
    store.drop_queued(connection, webhook.id, ended)


def _publish_answer(connection: Connection, outcome: _Outcome, webhook: Webhook, now_ms: int) -> None:
    """Publishes what the server said, if the webhook asks for it. Webhooks do not hear it: two could never end."""
    hook, delivery = outcome.hook, outcome.delivery
    text = b"" if outcome.answer is None else outcome.answer.body
    data = text.decode(errors="replace") if outcome.is_done else outcome.error
    if outcome.is_done and (hook.response_topic or hook.response_template):
        topic = hook.response_topic or f"hook-response/{delivery.name}"
    elif not outcome.is_done and hook.error_topic:
        topic = hook.error_topic
    else:
        return
    at = rfc3339(delivery.at_ms)
    if outcome.is_done and hook.response_template:
        answered = template.values_of(delivery.name, data, delivery.core_id, at)
        try:
            data = template.render(hook.response_template, answered, str)
        except Invalid as error:
            data = str(error)
    values = template.values_of(delivery.name, delivery.data, delivery.core_id, at)
    name = template.render(topic, values, str)
    pieces = [data[at : at + ANSWER_DATA_MAX] for at in range(0, len(data), ANSWER_DATA_MAX)] or [""]
    source = Source(webhook.organization_id, delivery.product_id, None, delivery.core_id)
    events.publish_answer(
        connection, source, [EventEntry(now_ms, f"{name}/{number}", piece) for number, piece in enumerate(pieces)]
    )
