# SPDX-License-Identifier: Apache-2.0
"""Rules for calls: what may be asked of a device, and waiting for what it tells."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Container

from sqlalchemy import Connection

from muster.protocol.answer import CALL_ARGUMENT_MAX
from ota_server.calls import store
from ota_server.calls.models import CallKind, WaitingCall
from ota_server.clock import Clock
from ota_server.devices import service as devices
from ota_server.devices.models import Device, DeviceStatus
from ota_server.errors import Invalid, NotFound, TimedOut, TooMany
from ota_server.storage.database import Database
from ota_server.telemetry.feed import Feed

WAITING_MAX = 8
"""Calls of one device that wait at once."""
LOOK_EVERY_S = 1.0
"""How often to look unasked: another process may have heard the device."""
WATCHED_S = 600
"""How long a device is watched after it was called: the next call is then answered at once."""

Value = int | str | float | bool | None
"""None: a double that is no number."""


class Calls:
    """Calls devices and waits for their answers, without a thread for each caller.

    Args:
        timeout_s: how long a caller waits.
    """

    def __init__(self, database: Database, feed: Feed, clock: Clock, timeout_s: float) -> None:
        self._database = database
        self._feed = feed
        self._clock = clock
        self._timeout_s = timeout_s

    def begin(
        self, connection: Connection, device: Device, kind: CallKind, name: str, argument: str, now_ms: int
    ) -> WaitingCall:
        """Asks a device for something with its next answer, and has it watched. The caller then calls `wait`.

        Raises:
            NotFound: the device is offline or not trusted, or has nothing of this name.
            Invalid: the argument is too long.
            TooMany: too many calls of this device wait.
        """
        if device.status is not DeviceStatus.ACTIVE or not device.is_online(now_ms):
            raise NotFound(f"device {device.device_id} is offline")
        if kind is not CallKind.SIGNAL and name not in _known(device, kind):
            raise NotFound(f"device {device.device_id} has no {kind.value} {name[:64]}")
        try:
            is_good = len(argument.encode()) <= CALL_ARGUMENT_MAX and "\0" not in argument
        except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
            is_good = False
        if not is_good:
            raise Invalid(f"an argument is text of at most {CALL_ARGUMENT_MAX} bytes", "arg")
        if store.count_waiting(connection, device.id, now_ms) >= WAITING_MAX:
            raise TooMany(f"{WAITING_MAX} calls of this device wait already", 5)
        call = WaitingCall(secrets.randbits(32), kind, name, argument)
        store.add(connection, device.id, call, now_ms + int(self._timeout_s * 1000))
        devices.watch_until(connection, device, now_ms + WATCHED_S * 1000)
        return call

    async def wait(self, product_id: int, call: WaitingCall) -> Value:
        """What the device tells. Raises TimedOut."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        try:
            while True:
                seen = self._feed.count([product_id])
                result = await asyncio.to_thread(self._result, call)
                if result is not None:
                    value: Value = json.loads(result)
                    return value
                left_s = deadline - loop.time()
                if left_s <= 0 or self._feed.is_closed:
                    raise TimedOut
                await self._feed.wait([product_id], seen, min(left_s, LOOK_EVERY_S))
        finally:
            self._database.submit(lambda connection: store.remove(connection, call.id))

    def _result(self, call: WaitingCall) -> str | None:
        with self._database.read() as connection:
            return store.result_of(connection, call.id)


def _known(device: Device, kind: CallKind) -> Container[str]:
    return device.functions if kind is CallKind.FUNCTION else device.variables
