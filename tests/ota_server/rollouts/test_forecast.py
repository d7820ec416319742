# SPDX-License-Identifier: Apache-2.0
"""Forecasts and simulations: by the rollout's own gates, over recorded habits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_server.rollouts import store
from ota_server.rollouts.fleet_scan import RolloutScan, Sampled, StageScan
from ota_server.rollouts.forecast import Forecast, Interval, make
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.judge import Verdict
from ota_server.rollouts.play import HORIZON_MS, Openings, Player, Rates, Setting
from ota_server.rollouts.schedule import Schedule
from ota_server.telemetry.habits import HOUR_MS, NEW
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.rollouts.traces import Trace, happen, make_trace, setting_of

ALL = {"percent": 100, "gate": {"min_confirmed": 3}}


@pytest.fixture(scope="module")
def trace() -> Trace:
    return make_trace(1, 250, is_dark=False)


@pytest.fixture(scope="module")
def setting(trace: Trace) -> Setting:
    return setting_of(trace, 1)


def with_gates(setting: Setting, **gate: object) -> Setting:
    stages = [replace(stage, gate=replace(stage.gate, **gate)) for stage in setting.stages]  # type: ignore[arg-type]
    return replace(setting, stages=stages)


def test_forecast_of_a_fleet_holds_what_happens_to_it(trace: Trace, setting: Setting) -> None:
    scan = RolloutScan(trace.begin_ms, 0, 250, setting.scans, 0, 0, 250, {}, 0, 0, 0.0)
    found, happened = make(setting, scan), happen(trace, 1)
    assert Forecast.from_text(found.to_text()) == found
    for stage, ended_ms in zip(found.stages, happened.ended_ms, strict=True):
        assert ended_ms is not None
        assert stage.ends_ms.early is not None
        assert stage.ends_ms.early - HOUR_MS <= trace.begin_ms + ended_ms
    last = found.stages[-1]
    assert last.bytes_sent.early is not None
    assert last.bytes_sent.late is not None
    assert last.bytes_sent.early * 0.98 <= happened.bytes_sent <= last.bytes_sent.late * 1.02
    assert found.bytes_patched < found.bytes_full


def test_same_seed_plays_the_same(setting: Setting) -> None:
    player, rates = Player(setting), Rates(0.02, 0.01)
    assert player.play(rates, 7) == player.play(rates, 7)
    assert player.play(rates, 7) != player.play(rates, 8)


def test_counters_of_a_play_rise_and_gates_act_in_order(setting: Setting) -> None:
    played = Player(setting).play(Rates(0.1), 1)
    for before, after in zip(played.points, played.points[1:], strict=False):
        assert before.at_ms <= after.at_ms
        assert before.offered <= after.offered
        assert before.confirmed <= after.confirmed
        assert after.confirmed + after.failures <= after.offered
    assert [act.at_ms for act in played.acts] == sorted(act.at_ms for act in played.acts)
    assert [act.stage for act in played.acts] == [0, 1, 2]
    assert played.shown[-1] == played.points[-1]


def test_failures_pause_a_played_rollout_by_its_own_gate(setting: Setting) -> None:
    played = Player(with_gates(setting, max_failures=3)).play(Rates(failure=0.5), 1)
    assert played.acts[-1].verdict is Verdict.PAUSE
    assert "Paused in stage 1: 4 of" in played.acts[-1].reason


def test_crashes_pause_a_played_rollout_by_its_own_gate(setting: Setting) -> None:
    played = Player(with_gates(setting, max_crash_rate=0.01)).play(Rates(crash=0.9), 1)
    assert played.acts[-1].verdict is Verdict.PAUSE
    assert "crashed" in played.acts[-1].reason


def test_stage_without_enough_devices_never_ends(setting: Setting) -> None:
    played = Player(with_gates(setting, min_confirmed=10_000)).play(Rates(), 1)
    assert played.acts == []
    assert Interval.of([None, None, 5]) == Interval(5, None, None)


def test_device_that_told_only_its_interval_is_expected_at_its_end(setting: Setting) -> None:
    now_ms = setting.now_ms
    once_a_day = Sampled(0, NEW.to_bytes(), now_ms - HOUR_MS, 86_400)
    at_any_time = Sampled(0, NEW.to_bytes(), now_ms + HOUR_MS, 300)
    never_heard = Sampled(0, NEW.to_bytes(), 0, 300)
    first = replace(setting.stages[0], gate=Gate(1, 0, None))
    for one, earliest_h, latest_h in ((once_a_day, 20, 26), (at_any_time, 0, 1), (never_heard, None, None)):
        scans = [StageScan([(setting.scans[0].bases[0][0], 10)], [one])]
        end = Player(replace(setting, stages=[first], scans=scans)).play(Rates(), 1, is_calm=True).end_of(0)
        if earliest_h is None or latest_h is None:
            assert end is None
        else:
            assert end is not None
            assert earliest_h * HOUR_MS <= end.at_ms - now_ms <= latest_h * HOUR_MS


def test_rate_limit_is_kept_in_a_play(setting: Setting) -> None:
    schedule = Schedule(per_minute=1)
    slow = replace(setting, rollout=replace(setting.rollout, schedule=schedule))
    fast_end, slow_end = (Player(one).play(Rates(), 1, is_calm=True).end_of(2) for one in (setting, slow))
    assert fast_end is not None
    assert slow_end is not None
    assert slow_end.at_ms > fast_end.at_ms
    assert slow_end.at_ms - setting.now_ms >= 0.7 * 250 * 60_000
    assert slow_end.at_ms < setting.now_ms + HORIZON_MS


@pytest.mark.both_databases
def test_forecast_and_simulation_of_a_draft_over_the_api(stocked: Server) -> None:
    for number in range(4):
        stocked.device(number).check_in()
    stocked.clock.advance_s(3600)
    path = f"/products/{keys.PRODUCT}/rollouts/{stocked.rollout(2, ALL, start=False)}"
    stocked.services.jobs.scanner.work_off()
    found = stocked.api("GET", f"{path}/forecast")["forecast"]
    (stage,) = found["stages"]
    (base,) = stage["bases"]
    assert (found["devices"], stage["devices"], base["platform"], base["version"]) == (4, 4, "photon", 1)
    assert base["is_estimated"]
    assert 0 < base["patch_bytes"] < base["full_bytes"]
    assert stage["ends_at"]["likely"] is not None
    assert found["bytes_full"] == 4 * base["full_bytes"]
    assert stocked.api("GET", path)["rollout"]["expected_end_at"] == stage["ends_at"]
    calm = stocked.api("GET", f"{path}/simulation")["simulation"]
    assert [act["verdict"] for act in calm["acts"]] == ["complete"]
    stormy = stocked.api("GET", f"{path}/simulation?failure_rate=1")["simulation"]
    assert [(act["verdict"], act["also"]) for act in stormy["acts"]] == [("pause", 20)]
    stocked.api("GET", f"{path}/simulation?failure_rate=2", 400)


def test_devices_are_looked_at_again_when_somebody_asks(stocked: Server) -> None:
    stocked.device().check_in()
    path = f"/products/{keys.PRODUCT}/rollouts/{stocked.rollout(2, ALL, start=False)}/forecast"
    stocked.services.jobs.scanner.work_off()
    stocked.device(2).check_in()
    stocked.clock.advance_s(1)
    assert stocked.api("GET", path)["forecast"]["devices"] == 1
    stocked.api("POST", path, 202)
    stocked.services.jobs.scanner.work_off()
    assert stocked.api("GET", path)["forecast"]["devices"] == 2


def test_forecast_says_when_devices_were_not_looked_at_yet(stocked: Server) -> None:
    stocked.services.jobs.scanner.stop()
    path = f"/products/{keys.PRODUCT}/rollouts/{stocked.rollout(2, ALL, start=False)}"
    assert "looked at" in stocked.api("GET", f"{path}/forecast", 503)["error_description"]
    assert "looked at" in stocked.api("GET", f"{path}/simulation", 503)["error_description"]


def opened(setting: Setting, schedule: Schedule, *zones: str) -> list[int]:
    """When the first and the last device of a stage with one in each of these zones are updated, in hours of UTC."""
    at_any_time = Sampled(0, NEW.to_bytes(), setting.now_ms, 300)
    sample = [replace(at_any_time, zone=number) for number in range(len(zones))]
    stages = [replace(setting.stages[0], gate=Gate(confirmed, 0, None)) for confirmed in (1, len(zones) * 50)]
    scan = StageScan([(setting.scans[0].bases[0][0], len(zones) * 50)], sample, zones)
    rollout = replace(setting.rollout, schedule=schedule)
    ends = []
    for stage in stages:
        alone = replace(setting, rollout=rollout, stages=[stage], scans=[scan], lost_per_day=0.0)
        end = Player(alone).play(Rates(), 1, is_calm=True).end_of(0)
        assert end is not None
        ends.append(end.at_ms // HOUR_MS % 24)
    return ends


def test_windows_are_played_by_the_clocks_of_devices(setting: Setting) -> None:
    """One from two to three at night: 17:00 UTC in Tokyo, 2:00 UTC in Reykjavik."""
    midnight_ms = (setting.now_ms // (24 * HOUR_MS) + 1) * 24 * HOUR_MS
    day = replace(setting, now_ms=midnight_ms + 4 * HOUR_MS, scanned_ms=midnight_ms + 4 * HOUR_MS)
    night = Schedule.from_json({"windows": [{"from": "02:00", "to": "03:00"}]})
    assert opened(day, night, "Asia/Tokyo") == [17, 17]
    assert opened(day, night, "Atlantic/Reykjavik", "Asia/Tokyo") == [17, 2]
    assert opened(day, replace(night, time_zone="Asia/Tokyo"), "Atlantic/Reykjavik") == [17, 17]


@given(st.lists(st.tuples(st.sampled_from(["Asia/Tokyo", "Europe/Madrid"]), st.integers(0, 14 * 24 * 60)), max_size=40))
def test_openings_that_are_remembered_are_those_that_were_found(asked: list[tuple[str, int]]) -> None:
    windows = [{"from": "22:00", "to": "02:00"}, {"days": ["sunday"], "from": "08:00", "to": "08:30"}]
    schedule = Schedule.from_json({"windows": windows, "deadline": "2027-04-06T12:34:00Z"})
    openings = Openings(schedule)
    for zone, minutes in asked:
        # Clocks are set forward in Madrid on the 28th.
        at_ms = 1_806_100_000_000 + 60_000 * minutes
        assert openings.next_ms(zone, at_ms) == schedule.opening_ms(zone, at_ms)


def test_devices_that_put_an_update_off_make_a_forecast_later_and_less_sure(setting: Setting) -> None:
    scan = RolloutScan(setting.now_ms, 0, 250, setting.scans, 0, 0, 250, {}, 0, 0, 0.0)
    asking = replace(setting, rollout=replace(setting.rollout, schedule=Schedule(postpone_max_s=5 * 24 * 3600)))
    plain, asked = (make(one, scan).stages[0].ends_ms for one in (setting, asking))
    assert plain.late is not None
    assert asked.late is not None
    assert asked.late > plain.late
    assert plain.likely is not None
    assert asked.likely is not None
    assert asked.likely > plain.likely
    # A deadline is what nobody may put it off beyond.
    at_once = replace(asking.rollout.schedule, deadline_ms=setting.now_ms + 1)
    assert make(replace(asking, rollout=replace(asking.rollout, schedule=at_once)), scan).stages[0].ends_ms == plain


def test_scan_keeps_the_time_zones_of_its_sample(stocked: Server) -> None:
    stocked.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"time_zone": "Europe/Madrid"}})
    for number in range(2):
        stocked.device(number).check_in()
    path = f"/products/{keys.PRODUCT}/devices/{stocked.devices[0].device_id.hex()}"
    stocked.api("PUT", path, json={"time_zone": "Asia/Tokyo"})
    rollout = stocked.rollout(2, ALL)
    with stocked.services.database.read() as connection:
        scan = store.scan_of(connection, rollout, is_sampled=True)
    assert scan is not None
    (stage,) = scan.stages
    assert sorted(stage.zones[one.zone] for one in stage.sample) == ["Asia/Tokyo", "Europe/Madrid"]
