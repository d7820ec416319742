# SPDX-License-Identifier: Apache-2.0
"""Rollouts move when their time has come, without a check-in."""

from __future__ import annotations

from functools import partial

import pytest

from ota_server.rollouts import service, store
from tests.ota_server.conftest import Server

TWO_STAGES = (
    {"percent": 40, "gate": {"min_confirmed": 1, "max_failures": 0}},
    {"percent": 100, "gate": {"min_confirmed": 3, "max_failures": 0}},
)


def confirm(server: Server, rollout: int, count: int) -> None:
    """As a process does that counts, and looks at no gate."""
    server.services.database.write(partial(store.change, rollout_id=rollout, values={"confirmed": count}))


def test_stage_whose_gate_is_open_ends_without_a_check_in(photons: Server) -> None:
    rollout = photons.rollout(2, *TWO_STAGES)
    confirm(photons, rollout, 1)
    photons.services.jobs.timekeeper.work_off()
    assert photons.show(rollout)["rollout"]["stage"] == 2


@pytest.mark.both_databases
def test_two_timekeepers_move_a_rollout_once(photons: Server) -> None:
    rollout = photons.rollout(2, *TWO_STAGES)
    confirm(photons, rollout, 1)
    database, now_ms = photons.services.database, photons.clock.now_ms()
    looks = [database.submit(partial(service.keep_time, rollout_id=rollout, now_ms=now_ms)) for _ in range(2)]
    for look in looks:
        look.result()
    assert photons.show(rollout)["rollout"]["stage"] == 2


def test_nothing_is_written_or_told_while_nothing_is_due(photons: Server) -> None:
    rollout = photons.rollout(2, *TWO_STAGES)
    photons.services.jobs.timekeeper.work_off()
    with photons.services.database.read() as connection:
        found = store.get(connection, rollout)
        assert found is not None
        assert not service.is_due(connection, found, photons.clock.now_ms())
    told = photons.services.feed.count([found.product_id])
    photons.services.jobs.timekeeper.work_off()
    assert photons.services.feed.count([found.product_id]) == told
