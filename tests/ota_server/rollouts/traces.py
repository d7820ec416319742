# SPDX-License-Identifier: Apache-2.0
"""Fleets whose devices check in as no model of the server's says: offices that sleep at night, batteries that die and a
region that goes dark."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ota_server.rollouts.fleet_scan import SAMPLE, Base, Sampled, StageScan
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.models import COUNTERS, Forgiven, Rollout, RolloutStatus, Stage
from ota_server.rollouts.play import Setting, Size
from ota_server.rollouts.schedule import Schedule
from ota_server.telemetry.habits import HOUR_MS, NEW, note

DAY_H, WEEK_H = 24, 168
LEARNT_H = 5 * WEEK_H
"""For so long devices are watched before the rollout begins."""
AHEAD_H = 4 * WEEK_H
REGIONS = 8
UPDATE_MS = 150_000
SIZES = (Size(9_000, 140_000), Size(24_000, 140_000), Size(61_000, 140_000))


@dataclass(frozen=True, slots=True)
class Way:
    """How a kind of device is heard: its share of the fleet, its interval, and the base that most of them run."""

    name: str
    share: float
    interval_s: int
    base: int


WAYS = (
    Way("mains", 0.35, 300, 0),
    Way("office", 0.35, 600, 1),
    Way("battery", 0.2, 86_400, 2),
    Way("home", 0.1, 900, 0),
)


@dataclass
class Device:
    """One device: the hours in which it is heard, each with the time of its first check-in there."""

    way: Way
    base: int
    stage: int
    heard: dict[int, int]

    def next_ms(self, from_ms: int, draw: random.Random) -> int | None:
        """Its first check-in from a time on."""
        for hour in range(from_ms // HOUR_MS, LEARNT_H + AHEAD_H):
            first_ms = self.heard.get(hour)
            if first_ms is None:
                continue
            if first_ms >= from_ms:
                return first_ms
            again_ms = from_ms + round(draw.random() * self.way.interval_s * 1000)
            if self.way.interval_s < 3600 and again_ms < (hour + 1) * HOUR_MS:
                return again_ms
        return None

    def sampled(self, begin_ms: int) -> Sampled:
        """What the server knows of it when the rollout begins."""
        habit, last_ms = None, None
        for hour, at_ms in self.heard.items():
            if at_ms >= begin_ms:
                break
            assert hour == at_ms // HOUR_MS
            habit, last_ms = note(habit, last_ms, at_ms), at_ms
        return Sampled(self.base, habit or NEW.to_bytes(), last_ms or 0, self.way.interval_s)


@dataclass
class Trace:
    """A fleet, and the rollout that it goes through."""

    devices: Sequence[Device]
    stages: Sequence[Stage]
    begin_ms: int
    dark: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happened:
    """When each stage ended, in milliseconds after the beginning, and the bytes until the last one did."""

    ended_ms: Sequence[int | None]
    bytes_sent: int


def make_trace(seed: int, count: int, is_dark: bool) -> Trace:
    """A fleet of so many devices. `is_dark`: a region goes dark while the rollout runs."""
    draw = random.Random(seed)
    begin_h = LEARNT_H + draw.randrange(WEEK_H)
    offsets = [draw.randrange(-8, 10) for _ in range(REGIONS)]
    dark: dict[int, tuple[int, int]] = {}
    if is_dark:
        from_h = begin_h + draw.randrange(12)
        dark[draw.randrange(REGIONS)] = (from_h, from_h + draw.randrange(6, 36))
    devices = []
    for number in range(count):
        way = draw.choices(WAYS, [one.share for one in WAYS])[0]
        region = draw.randrange(REGIONS)
        hours = _hours(way, offsets[region], draw)
        first, last = dark.get(region, (0, 0))
        heard = {hour: at_ms for hour, at_ms in hours.items() if not first <= hour < last}
        base = way.base if draw.random() < 0.8 else draw.randrange(len(SIZES))
        place = int.from_bytes(hashlib.sha256(b"%d %d" % (seed, number)).digest()[:4], "big") / 2**32
        devices.append(Device(way, base, 0 if place < 0.05 else 1 if place < 0.3 else 2, heard))
    stages = [
        _stage(0, 5, Gate(round(0.03 * count), 2 * 3600, 2**31 - 1)),
        _stage(1, 30, Gate(round(0.2 * count), 4 * 3600, 2**31 - 1)),
        _stage(2, 100, Gate(round(0.75 * count), 0, 2**31 - 1)),
    ]
    return Trace(devices, stages, begin_h * HOUR_MS, dark)


def happen(trace: Trace, seed: int) -> Happened:
    """What becomes of the rollout, without any of the server's code: only confirmed boots and soaking count."""
    draw = random.Random(seed)
    at_ms, done, ended = trace.begin_ms, [], []
    for position, stage in enumerate(trace.stages):
        for device in trace.devices:
            if device.stage == position and (come_ms := device.next_ms(at_ms, draw)) is not None:
                took_ms = round(UPDATE_MS * draw.lognormvariate(0, 0.7))
                done.append((come_ms + took_ms, SIZES[device.base].patch))
        done.sort()
        if len(done) < stage.gate.min_confirmed:
            break
        at_ms = max(at_ms, done[stage.gate.min_confirmed - 1][0]) + stage.gate.soak_s * 1000
        ended.append(at_ms - trace.begin_ms)
    sent = sum(size for confirmed_ms, size in done if confirmed_ms <= at_ms)
    return Happened([*ended, *[None] * (len(trace.stages) - len(ended))], sent)


def setting_of(trace: Trace, seed: int) -> Setting:
    """What the server knows when the rollout begins: habits of a sample, and how many devices start from which base."""
    draw = random.Random(seed)
    bases = [Base(6, f"{number:016x}", number + 1) for number in range(len(SIZES))]
    scans = []
    for stage in trace.stages:
        members = [device for device in trace.devices if device.stage == stage.position]
        counts = [(base, sum(device.base == place for device in members)) for place, base in enumerate(bases)]
        sample = draw.sample(members, min(SAMPLE, len(members)))
        scans.append(StageScan(counts, [device.sampled(trace.begin_ms) for device in sample]))
    sizes = dict(zip(bases, SIZES, strict=True))
    return Setting(_rollout(), trace.stages, scans, trace.begin_ms, 1.0, 0.002, sizes, UPDATE_MS, 0, trace.begin_ms)


def _hours(way: Way, offset: int, draw: random.Random) -> dict[int, int]:
    """The hours in which a device is heard, and when first in each."""
    dies_h = draw.expovariate(1 / (500 * DAY_H)) if way.name == "battery" else draw.expovariate(1 / (3000 * DAY_H))
    opens, closes = draw.randrange(7, 10), draw.randrange(16, 20)
    wakes = draw.uniform(0, 24)
    phase_ms = round(draw.random() * min(way.interval_s, 3600) * 1000)
    found: dict[int, int] = {}
    is_home = False
    for hour in range(LEARNT_H + AHEAD_H):
        if hour > dies_h:
            break
        # The epoch was a Thursday.
        day, local = divmod(hour + offset + 3 * DAY_H, DAY_H)
        is_workday = day % 7 < 5
        if way.name == "battery":
            if local == 0 and draw.random() < 0.96:
                woken_ms = round((hour + (wakes + draw.gauss(0, 0.4)) % 24) * HOUR_MS)
                found.setdefault(woken_ms // HOUR_MS, woken_ms)
            continue
        if way.name == "office":
            chance = 0.98 if is_workday and opens <= local < closes else 0.01
        elif way.name == "home":
            if local == 17:
                is_home = draw.random() < 0.75
            chance = 0.95 if is_home and local >= 17 else 0.02
        else:
            chance = 0.995
        if draw.random() < chance:
            found[hour] = hour * HOUR_MS + phase_ms
    return dict(sorted(found.items()))


def _stage(position: int, percent: int, gate: Gate) -> Stage:
    values = {"rollout_id": 1, "position": position, "percent": percent, "gate": gate, "failures_forgiven": 0}
    return Stage(**values, **{name: None for name in Stage.__dataclass_fields__ if name not in values})  # type: ignore[arg-type]


def _rollout() -> Rollout:
    values = {
        "id": 1,
        "status": RolloutStatus.RUNNING,
        "schedule": Schedule(),
        "forgiven": Forgiven(),
        **dict.fromkeys(COUNTERS, 0),
        "stage": 0,
    }
    return Rollout(**values, **{name: None for name in Rollout.__dataclass_fields__ if name not in values})  # type: ignore[arg-type]
