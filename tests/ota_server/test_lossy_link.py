# SPDX-License-Identifier: Apache-2.0
"""A device, a gateway that drops, repeats, reorders and flips, and a server: no report counts twice, none is stuck."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from muster.protocol import MessageFormatError, SessionRefused
from ota_server.rollouts import store
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, make_settings, run_server
from tests.ota_server.simulated import Lost, Refused

DROP_UP, DROP_DOWN, REPEAT, REPLAY_OLD, FLIP_UP, FLIP_DOWN = (
    "drop up",
    "drop down",
    "repeat",
    "old",
    "flip up",
    "flip down",
)
FAULTS = st.lists(
    st.sampled_from([None, None, None, DROP_UP, DROP_DOWN, REPEAT, REPLAY_OLD, FLIP_UP, FLIP_DOWN]),
    max_size=4,
)


class LossyLink(RuleBasedStateMachine):
    """Every step may lose power or messages; what was counted is compared with what the device did."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = HandClock()
        self.running = run_server(make_settings(Path(self.folder.name) / "server"), self.clock)
        self.server = next(self.running)
        self.server.product()
        for version in (1, 2):
            self.server.publish(keys.image(version))
        self.rollout = self.server.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1000, "max_failures": 1000}})
        self.faults: list[str | None] = []
        self.seen: list[tuple[str, bytes]] = []
        self.device = self.server.device()
        self.device.post, self.device.get = self.post, self.get
        self.logged = 0

    def teardown(self) -> None:
        next(self.running, None)
        self.folder.cleanup()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The gateway: it can do anything to bytes, and read none of them."""
        fault = self.faults.pop(0) if self.faults else None
        if fault == DROP_UP:
            raise Lost
        if fault == FLIP_UP:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if fault == REPLAY_OLD and self.seen:
            self.server.post(*self.seen[len(self.seen) // 2])
        self.seen.append((path, body))
        status, answer = self.server.post(path, body)
        if fault == REPEAT:
            repeated = self.server.post(path, body)
            assert repeated == (status, answer) if path.endswith("open") else repeated[0] in (400, 401)
        if fault == DROP_DOWN:
            raise Lost
        if fault == FLIP_DOWN and answer:
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        return status, answer

    def get(self, path: str, first: int, last: int) -> bytes | None:
        if self.faults and self.faults.pop(0) in (DROP_UP, DROP_DOWN):
            raise Lost
        return self.server.get(path, first, last)

    def try_to(self, step: str) -> None:
        try:
            if step == "check in":
                self.device.check_in()
            elif step == "fetch" and self.device.offer is not None and self.device.stopped is None:
                self.device.fetch(100)
        except (Lost, Refused, SessionRefused, MessageFormatError):
            # No answer, or one that the gateway has flipped: the device comes back later.
            return

    @rule(faults=FAULTS)
    def check_in(self, faults: list[str | None]) -> None:
        self.faults = list(faults)
        self.try_to("check in")

    @rule(faults=FAULTS)
    def fetch(self, faults: list[str | None]) -> None:
        self.faults = list(faults)
        self.try_to("fetch")

    @rule()
    def log(self) -> None:
        if len(self.device.unsent_logs) < 5:
            self.device.log(f"line {self.logged}")
            self.logged += 1

    @rule()
    def boot(self) -> None:
        if self.device.staged is not None:
            self.device.boot_staged()

    @rule()
    def lose_power(self) -> None:
        self.device.cut()

    @rule(reason=st.sampled_from([1, 2, 3, 4]))
    def trial_fails(self, reason: int) -> None:
        if self.device.trial:
            self.device.revert(reason)

    @invariant()
    def nothing_counts_twice(self) -> None:
        stored, _ = self.server.check_counts(self.rollout)
        with self.server.services.database.read() as connection:
            outcomes = store.outcomes_of(connection, self.rollout)
        assert len({outcome.attempt for outcome in outcomes}) == len(outcomes)
        assert stored.confirmed <= len(self.device.confirmed)
        assert stored.offered <= 1

    @invariant()
    def every_log_line_is_kept_once_or_still_on_the_device(self) -> None:
        device = self.device
        with self.server.services.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT text FROM logs ORDER BY id").scalars().all()
        assert len(set(rows)) == len(rows)
        waiting = {report.lines[0].text for report in device.unsent_logs}
        assert {f"line {number}" for number in range(self.logged)} == set(rows) | waiting

    @rule()
    def comes_back_by_itself(self) -> None:
        """Without faults a device gets everything acknowledged, and on with its update."""
        self.faults = []
        for _ in range(8):
            self.device.check_in()
        assert self.device.outcome is None
        assert not self.device.unsent_logs
        assert not self.device.trial


LossyLink.TestCase.settings = settings(max_examples=12, stateful_step_count=25)
TestLossyLink = LossyLink.TestCase
