# SPDX-License-Identifier: Apache-2.0
"""Devices, a gateway that drops, repeats, delays and flips, and a server that is killed: no report counts twice, none
is lost, and a rollout is where a simple model says."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.engine import URL

from muster.protocol import MessageFormatError, SessionRefused
from ota_server.check import check
from ota_server.devices.models import devices
from ota_server.releases.models import PatchStatus, patches
from ota_server.rollouts import store
from ota_server.rollouts.cohort import draw_of, is_within
from ota_server.telemetry.models import logs
from tests.ota_server import keys
from tests.ota_server.chaos.gate_model import GateModel
from tests.ota_server.chaos.killer import Killer, Moment
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.simulated import Lost, Refused

DEVICES = 3
GATES = ((1, 1), (DEVICES, 1))
FAULTS = ("drop up", "drop down", "repeat", "late", "flip up", "flip down")
FAULT_LISTS = st.lists(st.sampled_from([None, None, None, *FAULTS]), max_size=4)
WHICH = st.integers(0, DEVICES - 1)
CONFLICT, UNAVAILABLE = 409, 503
GONE = (Lost, Refused, SessionRefused, MessageFormatError)
"""No answer, or one that the gateway has flipped: the device comes back later."""

NewDatabase = Callable[[], AbstractContextManager[URL | None]]


class AnyOrder(RuleBasedStateMachine):
    """Every step may lose power, messages or the server; what was counted is compared with what the devices did."""

    new_database: NewDatabase = nullcontext

    def __init__(self) -> None:
        super().__init__()
        self.life = ExitStack()
        folder = Path(self.life.enter_context(tempfile.TemporaryDirectory()))
        self.clock, self.killer = HandClock(), Killer()
        self.settings = make_settings(folder / "server", database=self.life.enter_context(type(self).new_database()))
        self.server = self._start(None)
        self.server.product()
        for version in (1, 2):
            self.server.publish(keys.image(version))
        self.devices = [self.server.device(number) for number in range(DEVICES)]
        self.faults: list[str | None] = []
        self.late: list[tuple[str, bytes]] = []
        for device in self.devices:
            device.post, device.get = self.post, self.get
        ids = [device.device_id.hex() for device in self.devices]
        salts = (number.to_bytes(16) for number in itertools.count())
        salt = next(
            salt for salt in salts if [is_within(draw_of(salt, one), 50) for one in ids] == [True, False, False]
        )
        stages = [
            {"percent": percent, "gate": {"min_confirmed": confirmed, "max_failures": failures}}
            for percent, (confirmed, failures) in zip((50, 100), GATES, strict=True)
        ]
        self.path = f"/products/{keys.PRODUCT}/rollouts"
        plan = {"version": 2, "salt": salt.hex(), "stages": stages}
        self.rollout = int(self.server.api("POST", self.path, 201, json=plan)["rollout"]["id"])
        self.server.api("POST", f"{self.path}/{self.rollout}/start")
        self.server.services.jobs.patcher.work_off()
        self.model = GateModel(GATES)
        self.heard = 0
        self.logged: list[list[str]] = [[] for _ in self.devices]
        self.killer.attach(self.server.services.database)

    def teardown(self) -> None:
        next(self.running, None)
        self.life.close()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The gateway: it can do anything to bytes, and read none of them."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == "late":
            self.late.append((path, body))
        if fault in ("drop up", "late"):
            raise Lost
        if fault == "flip up":
            body = body[:-1] + bytes([body[-1] ^ 1])
        status, answer = self.server.post(path, body)
        if fault == "repeat":
            repeated = self.server.post(path, body)
            assert self.killer.is_dead or (
                repeated == (status, answer) if path.endswith("open") else repeated[0] in (400, 401)
            )
        if fault == "drop down" or self.killer.is_dead:
            raise Lost
        assert status < 500
        if fault == "flip down" and answer:
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        return status, answer

    def get(self, path: str, first: int, last: int) -> bytes | None:
        if self.faults and self.faults.pop(0) in ("drop up", "drop down", "late"):
            raise Lost
        return self.server.get(path, first, last)

    @rule(number=WHICH, faults=FAULT_LISTS)
    def check_in(self, number: int, faults: list[str | None]) -> None:
        self.faults = list(faults)
        self._try(self.devices[number].check_in)

    @rule(number=WHICH, faults=FAULT_LISTS)
    def fetch(self, number: int, faults: list[str | None]) -> None:
        self.faults, device = list(faults), self.devices[number]
        if device.offer is not None and device.stopped is None:
            self._try(lambda: device.fetch(200))

    @rule(number=WHICH)
    def log(self, number: int) -> None:
        if len(self.devices[number].unsent_logs) < 5:
            text = f"line {len(self.logged[number])} of {number}"
            self.devices[number].log(text)
            self.logged[number].append(text)

    @rule(number=WHICH)
    def boot(self, number: int) -> None:
        if self.devices[number].staged is not None:
            self.devices[number].boot_staged()

    @rule(number=WHICH)
    def lose_power(self, number: int) -> None:
        self.devices[number].cut()

    @rule(number=WHICH, reason=st.sampled_from([1, 2, 3, 4]))
    def trial_fails(self, number: int, reason: int) -> None:
        if self.devices[number].trial:
            self.devices[number].revert(reason)

    @rule(at=st.integers(0, 100))
    def a_message_comes_late(self, at: int) -> None:
        if self.late:
            status, _ = self.server.post(*self.late.pop(at % len(self.late)))
            assert self.killer.is_dead or status in (200, 400, 401)

    @rule(moment=st.sampled_from(Moment), after=st.integers(0, 12))
    def be_killed(self, moment: Moment, after: int) -> None:
        """Soon, at whatever is done then."""
        self.killer.arm(moment, after // (1 if moment is Moment.STATEMENT else 6))

    @rule(action=st.sampled_from(["pause", "resume", "start"]))
    def manage(self, action: str) -> None:
        self._sync()
        path = f"/v1{self.path}/{self.rollout}/{action}"
        response = self.server.client.post(path, headers={"authorization": f"Bearer {self.server.token}"})
        after = self.model.asked(action)
        if self.killer.is_dead:
            # Nobody was told: it was done or it was not.
            self._start_again()
            after = after if self._status() == (after.status, after.stage) else self.model
        else:
            assert response.status_code == (200 if after != self.model else CONFLICT)
        self.model = after

    @rule()
    def comes_back_by_itself(self) -> None:
        """Without faults a device gets everything acknowledged, and on with its update."""
        self.faults = []
        self._start_again()
        for device in self.devices:
            device.check_in()
            for _ in range(8):
                if device.trial or device.outcome or device.unsent_logs:
                    device.check_in()
            assert not device.trial
            assert device.outcome is None
            assert not device.unsent_logs

    @invariant()
    def all_that_is_kept_agrees(self) -> None:
        if self.killer.is_dead:
            self._start_again()
        self._sync()
        services = self.server.services
        with services.database.read() as connection:
            assert check(connection, services.jobs.kept, services.jobs.served) == []
            rows = connection.execute(select(devices.c.device_id, logs.c.text).join_from(logs, devices)).all()
            pairs = connection.execute(select(patches.c.base_identity, patches.c.target_identity)).all()
            failed = connection.execute(select(patches.c.id).where(patches.c.status == PatchStatus.FAILED)).all()
            outcomes = store.outcomes_of(connection, self.rollout)
        assert not failed
        assert len(set(pairs)) == len(pairs)
        assert len({(one.device_row, one.attempt) for one in outcomes}) == len(outcomes)
        assert self.model.confirmed <= sum(len(device.confirmed) for device in self.devices)
        for device, logged in zip(self.devices, self.logged, strict=True):
            kept = [text for device_id, text in rows if device_id == device.device_id.hex()]
            waiting = {report.lines[0].text for report in device.unsent_logs}
            assert len(set(kept)) == len(kept)
            assert set(kept) | waiting == set(logged), "a line is kept once, or still on the device"

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except GONE:
            return

    def _start(self, token: str | None) -> Server:
        self.running = run_server(self.settings, self.clock, token)
        return next(self.running)

    def _start_again(self) -> None:
        """The process is gone, and another one starts."""
        self.killer.is_dead = True
        token = self.server.token
        next(self.running, None)
        self.server = self._start(token)
        self.killer.attach(self.server.services.database)
        self.server.services.jobs.patcher.work_off()

    def _status(self) -> tuple[str, int]:
        with self.server.services.database.read() as connection:
            stored = store.get(connection, self.rollout)
        assert stored is not None
        return stored.status.value, stored.stage

    def _sync(self) -> None:
        """The model hears what was counted meanwhile, and must come to the same."""
        if self.killer.is_dead:
            self._start_again()
        with self.server.services.database.read() as connection:
            outcomes = store.outcomes_of(connection, self.rollout)
        for outcome in outcomes[self.heard :]:
            self.model = self.model.heard(outcome)
        self.heard = len(outcomes)
        assert self._status() == (self.model.status, self.model.stage)


@pytest.mark.both_databases
def test_whatever_is_lost_repeated_late_or_killed_nothing_is_counted_wrongly(
    database_url: URL | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url is not None:
        monkeypatch.setattr(AnyOrder, "new_database", request.getfixturevalue("postgresql").database)
    examples = 300 if request.config.getoption("--full") else 3 if database_url is None else 1
    run_state_machine_as_test(AnyOrder, settings=settings(max_examples=examples, stateful_step_count=20))
