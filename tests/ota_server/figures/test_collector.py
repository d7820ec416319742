# SPDX-License-Identifier: Apache-2.0
"""Figures of products: each thing that came counts once, whoever looks and how often."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete

from ota_server.figures.collector import SETTLED_MS, Collector
from ota_server.figures.models import HOUR_MS, figure_marks
from tests.ota_server import keys
from tests.ota_server.conftest import Server

FIGURES = f"/products/{keys.PRODUCT}/figures"
STEP_S = SETTLED_MS / 1000 + 1


def collect(server: Server, times: int = 1) -> None:
    """Looks, so often, as long apart as it takes for rows to count."""
    for _ in range(times):
        server.clock.advance_s(STEP_S)
        server.services.jobs.collector.work_off()


def hours(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api("GET", FIGURES)["hours"]
    return found


@pytest.mark.both_databases
def test_what_came_is_counted_once_however_often_it_is_looked(server: Server) -> None:
    server.product()
    collect(server)
    device = server.device()
    for number in range(3):
        device.publish("sensor/fan", str(number))
        device.check_in()
    services = server.services
    other = Collector(services.database, services.feed, server.clock)
    for _ in range(4):
        collect(server)
        other.work_off()
    assert sum(hour["events"] for hour in hours(server)) == 3, "what the server itself publishes is no use"
    assert hours(server)[-1]["devices"] == 1
    assert hours(server)[-1]["versions"] == [{"version": 1, "devices": 1}]


def test_what_was_there_before_figures_were_kept_belongs_to_no_hour(server: Server) -> None:
    server.product()
    device = server.device()
    device.publish("sensor/fan")
    device.check_in()
    server.services.database.write(lambda connection: connection.execute(delete(figure_marks)))
    collect(server, 4)
    assert sum(hour["events"] for hour in hours(server)) == 0


def test_each_hour_keeps_what_there_was_at_its_end(server: Server) -> None:
    server.product()
    collect(server)
    server.device().check_in()
    server.clock.advance_s(HOUR_MS / 1000)
    collect(server)
    before, now = hours(server)[0], hours(server)[-1]
    assert (before["devices"], now["devices"]) == (0, 1)
    assert len(server.api("GET", f"{FIGURES}?hours=1")["hours"]) == 1


def test_confirmed_and_failed_updates_are_told_apart(stocked: Server) -> None:
    collect(stocked)
    good, bad = stocked.device(1), stocked.device(2)
    stocked.rollout(2, {"percent": 100, "gate": {"min_confirmed": 10, "max_failures": 10}})
    good.update()
    bad.check_in()
    bad.fetch()
    bad.boot_staged()
    bad.revert(1)
    bad.check_in()
    collect(stocked, 3)
    assert sum(hour["confirmed"] for hour in hours(stocked)) == 1
    assert sum(hour["failures"] for hour in hours(stocked)) == 1


def test_product_with_figures_is_removed(server: Server) -> None:
    server.product()
    collect(server)
    server.api("DELETE", f"/products/{keys.PRODUCT}", 204)
    collect(server)
