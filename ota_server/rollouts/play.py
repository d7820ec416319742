# SPDX-License-Identifier: Apache-2.0
"""Plays a rollout: devices come as they are used to, some fail, and the rollout's own gates judge. Pure.

A play takes some devices of each stage's sample, each for many that start from the same base, and goes from one event
to the next. What no habit tells is drawn for each play anew, and is what makes plays differ: how far all devices are
off their habits, how long updates take, how many devices put them off where they are asked, and whether a part of the
fleet goes dark for some hours or days.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ota_server.rollouts.fleet_scan import Base, Sampled, StageScan
from ota_server.rollouts.judge import Verdict, judge, with_reached
from ota_server.rollouts.models import Rollout, Stage
from ota_server.rollouts.schedule import Schedule
from ota_server.telemetry.habits import HOUR_MS, NEW, WEEK_H, Habit, silence

HORIZON_MS = 28 * 24 * HOUR_MS
"""How far a play looks ahead."""
DAY_MS = 24 * HOUR_MS
PLAYED_MAX = 1500
"""Devices of a stage that are played; each stands for several when there are more."""
LOOKS_MAX = 400
"""How often a stage's gate is asked by counters, at most; beside the times at which it may act by itself."""
LOST_PER_DAY = 0.0005
"""The least share of devices that is taken to fall silent for good each day: batteries end without a word."""

_DARK_EVERY_MS = 4 * 24 * HOUR_MS
"""A part of the fleet goes dark about so often."""
_DARK_SHARE = (0.05, 0.4)
_DARK_MS = (2 * HOUR_MS, 48 * HOUR_MS)
_OFF_HABIT = (-0.15, 0.5)
"""How much more or less often all devices together come than they are used to: mean and standard deviation of a
logarithm. The mean is below 0: what looks like a habit is luck in part."""
_WAKES = 0.03
"""How far a device that wakes rarely wakes from its interval's end, of that interval (standard deviation)."""
_SLOWER = 0.3
"""The same of how long updates take."""
_PUT_OFF = (0.0, 1.0)
"""The share of devices that put an update off, where they are asked: nobody knows what their code does."""
_CRASH_MS = 6 * HOUR_MS
"""A crash comes so long after the confirmed boot, on average."""
SHOWN_MAX = 100
_NEVER = 2**62
_APPROVED = 2**31
"""People approve at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes from one base to the target, and without a patch. `is_estimated`: nobody has made the patch yet."""

    patch: int
    full: int
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """What goes wrong, as shares of the devices that are updated."""

    failure: float = 0.0
    crash: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a play begins with.

    Attributes:
        rollout, stages: as they are now.
        scans: of the stages, by position; `scanned_ms`: when devices were looked at.
        left: the share of the scanned devices that was not offered the rollout since.
        lost_per_day: share of devices that fall silent for good each day.
        sizes: by base.
        update_ms: how long an update takes, from the offer to the report of its confirmed boot.
        bytes_sent: by the rollout until then.
        now_ms: when it begins, or goes on.
    """

    rollout: Rollout
    stages: Sequence[Stage]
    scans: Sequence[StageScan]
    scanned_ms: int
    left: float
    lost_per_day: float
    sizes: Mapping[Base, Size]
    update_ms: int
    bytes_sent: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Act:
    """What a gate did. `reason` is in its words, `bytes_sent` those of patches and images until then."""

    at_ms: int
    stage: int
    verdict: Verdict
    reason: str
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class Point:
    """Counters at a time."""

    at_ms: int
    offered: int
    confirmed: int
    failures: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class Played:
    """A play: what the gates did, and the counters on the way. It ends with a gate's last act, or at the horizon."""

    acts: Sequence[Act]
    points: Sequence[Point]

    @property
    def shown(self) -> Sequence[Point]:
        """Some of the points, the last one among them."""
        stride = max(1, math.ceil(len(self.points) / SHOWN_MAX))
        return self.points[::-stride][::-1]

    def end_of(self, stage: int) -> Act | None:
        """What ended a stage; None when it did not end."""
        ends = (Verdict.ADVANCE, Verdict.COMPLETE)
        return next((act for act in self.acts if act.stage == stage and act.verdict in ends), None)


@dataclass(frozen=True, slots=True)
class _Event:
    at_ms: int
    weight: float
    size: int
    is_offer: bool = False
    is_failure: bool = False
    is_crash: bool = False


_Visit = Sequence[_Event]
"""What one device does, beginning with its offer."""


class _Pace:
    """Spreads offers as the rollout's rate limit does."""

    def __init__(self, setting: Setting) -> None:
        self._limit = setting.rollout.schedule.per_minute or math.inf
        self._used: dict[int, float] = {}
        self._next: dict[int, int] = {}

    def events(self, visits: Iterable[_Visit]) -> Iterator[_Event]:
        """The events of some visits; those above the limit are put off."""
        for visit in sorted(visits, key=lambda visit: visit[0].at_ms):
            minute = visit[0].at_ms // 60_000
            late_ms = (self._taken(minute, visit[0].weight) - minute) * 60_000
            yield from (replace(event, at_ms=event.at_ms + late_ms) for event in visit) if late_ms else visit

    def _taken(self, minute: int, weight: float) -> int:
        """Takes place in a minute, or in the first one after it that has any."""
        free = minute
        while free in self._next:
            free = self._next[free]
        used = self._used[free] = self._used.get(free, 0.0) + weight
        if used >= self._limit:
            # What one played device stands for may take several minutes.
            self._next[free] = free + max(1, round(used / self._limit))
        self._next.update({minute: self._next.get(free, free)} if free != minute else {})
        return free


class Openings:
    """When a schedule lets devices of a time zone be offered something.

    To find the next opening takes long, and plays ask for it again and again.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._found: dict[str, tuple[list[int], list[int]]] = {}
        """By time zone: openings in order, and from when on each was found to be the next one."""

    def next_ms(self, zone: str, at_ms: int) -> int:
        """The time itself, if it is let."""
        openings, since = self._found.setdefault(zone, ([], []))
        place = bisect_right(openings, at_ms)
        if place < len(openings) and since[place] <= at_ms:
            return openings[place]
        opening = self._schedule.opening_ms(zone, at_ms)
        if opening == at_ms:
            return at_ms
        if place < len(openings) and openings[place] == opening:
            since[place] = at_ms
        else:
            openings.insert(place, opening)
            since.insert(place, at_ms)
        return opening


class _Weather:
    """What befalls many devices at once.

    Args:
        is_asking: whether devices may put an update off.
    """

    def __init__(self, draw: random.Random, now_ms: int, is_calm: bool, is_asking: bool) -> None:
        self.eagerness = 1.0 if is_calm else math.exp(draw.gauss(*_OFF_HABIT))
        self.slowness = 1.0 if is_calm else math.exp(draw.gauss(0, _SLOWER))
        self._dark: list[tuple[int, int, float]] = []
        at_ms = now_ms - _DARK_MS[1]
        while not is_calm and (at_ms := at_ms + round(draw.expovariate(1 / _DARK_EVERY_MS))) < now_ms + HORIZON_MS:
            until_ms = at_ms + round(draw.uniform(*_DARK_MS))
            # What was dark when devices were looked at shows in their silence.
            if until_ms > now_ms:
                self._dark.append((max(at_ms, now_ms), until_ms, draw.uniform(*_DARK_SHARE)))
        self.put_off = 0.0 if is_calm or not is_asking else draw.uniform(*_PUT_OFF)

    def nights(self, draw: random.Random) -> list[tuple[int, int]]:
        """From when until when one device is dark."""
        return [(begin, end) for begin, end, share in self._dark if draw.random() < share]


class Player:
    """Plays one setting any number of times.

    Args:
        is_calm: nothing befalls the fleet as a whole: the play that habits alone tell.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        openings = Openings(setting.rollout.schedule)
        self._casts = [_Cast(scan, setting, openings) for scan in setting.scans]

    def play(self, rates: Rates, seed: int, is_calm: bool = False) -> Played:
        """One play; the same seed gives the same."""
        setting, draw = self._setting, random.Random(seed)  # noqa: S311 - no secret
        schedule = setting.rollout.schedule
        weather = _Weather(draw, setting.now_ms, is_calm, schedule.consent_s(setting.now_ms, setting.now_ms) > 0)
        state = _State(setting)
        position = setting.rollout.stage
        at_ms = setting.now_ms
        pace = _Pace(setting)
        reached = self._casts[: position + 1]
        visits = [visit for cast in reached for visit in cast.visits(at_ms, rates, weather, draw)]
        waiting = list(pace.events(visits))
        while True:
            waiting.sort(key=lambda event: event.at_ms)
            verdict, at_ms, waiting = state.run(position, waiting, at_ms)
            if verdict is not Verdict.ADVANCE:
                return Played(state.acts, state.points)
            position += 1
            waiting += pace.events(self._casts[position].visits(at_ms, rates, weather, draw))


class _Cast:
    """The devices of a stage that are played, each for several of its base."""

    def __init__(self, scan: StageScan, setting: Setting, openings: Openings) -> None:
        self._setting = setting
        by_base: dict[int, list[_Role]] = {}
        roles = [_Role(one, scan.zones[one.zone], setting, openings) for one in scan.sample]
        for role in roles:
            by_base.setdefault(role.base, []).append(role)
        total = scan.devices
        self._parts: list[tuple[list[_Role], int, float, Size]] = []
        for place, (base, count) in enumerate(scan.bases):
            played = min(count, max(1, round(PLAYED_MAX * count / total))) if total else 0
            if played:
                # A base too rare for the sample is played by whoever is in it.
                chosen = by_base.get(place) or roles
                self._parts.append((chosen, played, setting.left * count / played, setting.sizes[base]))

    def visits(self, from_ms: int, rates: Rates, weather: _Weather, draw: random.Random) -> Iterator[_Visit]:
        """What these devices do from a time on, in no order."""
        setting = self._setting
        until_ms = setting.now_ms + HORIZON_MS
        for roles, played, weight, size in self._parts:
            if not weight:
                continue
            for _ in range(played):
                offered_ms = draw.choice(roles).comes(from_ms, setting, weather, draw)
                if offered_ms >= until_ms:
                    continue
                took_ms = setting.update_ms * weather.slowness * draw.lognormvariate(0, 0.5)
                if weather.put_off and draw.random() < weather.put_off:
                    took_ms += 1000 * draw.random() * setting.rollout.schedule.consent_s(offered_ms, offered_ms)
                confirmed_ms = offered_ms + round(took_ms)
                is_failure = draw.random() < rates.failure
                events = [
                    _Event(offered_ms, weight, 0, is_offer=True),
                    _Event(confirmed_ms, weight, min(size.patch, size.full), is_failure=is_failure),
                ]
                if not is_failure and draw.random() < rates.crash:
                    crashed_ms = confirmed_ms + round(draw.expovariate(1 / _CRASH_MS))
                    events.append(_Event(crashed_ms, weight, 0, is_crash=True))
                yield events


class _Role:
    """One device of the sample: when it comes, as often as it is asked."""

    def __init__(self, one: Sampled, zone: str, setting: Setting, openings: Openings) -> None:
        self.base = one.base
        self._one = one
        self._zone = zone
        self._openings = openings
        habit = Habit.from_bytes(one.habit)
        self._chances: Sequence[float] = habit.chances()
        self._interval_ms = one.interval_s * 1000 or HOUR_MS
        self._heard = min(habit.heard_per_hour * self._interval_ms / HOUR_MS, 1.0)
        if habit == NEW:
            # Nothing is known but what it says itself.
            self._chances, self._heard = [min(HOUR_MS / self._interval_ms, 1.0)] * WEEK_H, 1.0
        self._alive = 0.0
        if one.last_seen_ms:
            # Bayes: it is silent because it was lost since, or because it is not its time. Who misses one hour often
            # misses the next: an hour counts half.
            silent_ms = max(setting.scanned_ms - one.last_seen_ms, 0)
            lost = 1 - math.exp(-(setting.lost_per_day + LOST_PER_DAY) * silent_ms / DAY_MS)
            alive = (1 - lost) * math.sqrt(silence(habit, one.last_seen_ms, setting.scanned_ms))
            self._alive = alive / (alive + lost)

    def comes(self, from_ms: int, setting: Setting, weather: _Weather, draw: random.Random) -> int:
        """When it checks in, from a time on."""
        if draw.random() >= self._alive:
            return _NEVER
        lost_ms = _NEVER
        if setting.lost_per_day:
            lost_ms = setting.now_ms + round(draw.expovariate(setting.lost_per_day) * 24 * HOUR_MS)
        nights = weather.nights(draw)
        until_ms = min(setting.now_ms + HORIZON_MS, lost_ms)
        times = self._wakes if self._interval_ms > HOUR_MS else self._hours
        at_ms = from_ms
        while (come_ms := times(at_ms, until_ms, weather, draw)) < until_ms:
            at_ms = self._opens_ms(come_ms, nights)
            if at_ms == come_ms:
                return come_ms
        return _NEVER

    def _wakes(self, at_ms: int, until_ms: int, _weather: _Weather, draw: random.Random) -> int:
        """When a device that sleeps for longer than hours comes: at the end of an interval, unless it misses that."""
        interval_ms, heard_ms = self._interval_ms, self._one.last_seen_ms
        wake_ms = heard_ms + max(1, round((at_ms - heard_ms) / interval_ms)) * interval_ms
        while wake_ms < until_ms:
            come_ms = wake_ms + round(draw.gauss(0, _WAKES * interval_ms))
            if come_ms >= at_ms and draw.random() < self._heard:
                return come_ms
            wake_ms += interval_ms
        return _NEVER

    def _hours(self, at_ms: int, until_ms: int, weather: _Weather, draw: random.Random) -> int:
        """When a device comes that is there for some hours and not for others."""
        rest_ms = min(self._interval_ms, HOUR_MS)
        while at_ms < until_ms:
            hour_end_ms = (at_ms // HOUR_MS + 1) * HOUR_MS
            left_ms = hour_end_ms - at_ms
            chance = self._chances[at_ms // HOUR_MS % WEEK_H]
            if weather.eagerness != 1.0:
                chance = 1 - (1 - chance) ** weather.eagerness
            if draw.random() < chance * min(left_ms / rest_ms, 1.0):
                return at_ms + round(draw.random() * min(left_ms, rest_ms))
            at_ms = hour_end_ms
        return _NEVER

    def _opens_ms(self, at_ms: int, nights: Sequence[tuple[int, int]]) -> int:
        """When the device may be heard and be offered something: at this time, or when what prevents it is over."""
        until_ms = next((end for begin, end in nights if begin <= at_ms < end), at_ms)
        return max(until_ms, self._openings.next_ms(self._zone, at_ms))


class _State:
    """The counters as the play goes on."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._rollout = setting.rollout
        self._stages = list(setting.stages)
        self._offered = self._confirmed = self._failed = self._crashed = 0.0
        self._bytes = float(setting.bytes_sent)
        self.acts: list[Act] = []
        self.points: list[Point] = []

    def run(self, position: int, events: list[_Event], from_ms: int) -> tuple[Verdict, int, list[_Event]]:
        """Plays a stage until its gate acts; returns what it did, when, and the events that are left."""
        stage = replace(self._stages[position], started_ms=self._stages[position].started_ms or from_ms)
        stride = max(1, len(events) // LOOKS_MAX)
        self._stages[position] = stage
        verdict = self._look(position, from_ms)
        for number, event in enumerate(events):
            due_ms = self._due_ms(position)
            if verdict is Verdict.WAIT and from_ms < due_ms <= event.at_ms:
                verdict, from_ms = self._look(position, due_ms), due_ms
            if verdict is not Verdict.WAIT:
                return verdict, from_ms, events[number:]
            self._count(event)
            from_ms = event.at_ms
            if number % stride == 0 or event.is_failure or event.is_crash or self._is_reached(position):
                verdict = self._look(position, from_ms)
        due_ms = self._due_ms(position)
        if verdict is Verdict.WAIT and from_ms < due_ms < _NEVER:
            verdict, from_ms = self._look(position, due_ms), due_ms
        return verdict, from_ms, []

    def _count(self, event: _Event) -> None:
        if event.is_offer:
            self._offered += event.weight
        elif event.is_crash:
            self._crashed += event.weight
        else:
            self._bytes += event.weight * event.size
            self._failed += event.weight * event.is_failure
            self._confirmed += event.weight * (not event.is_failure)

    def _now(self) -> Rollout:
        before = self._rollout
        return replace(
            before,
            offered=before.offered + round(self._offered),
            confirmed=before.confirmed + round(self._confirmed),
            reverted=before.reverted + round(self._failed),
            crashed=before.crashed + round(self._crashed),
        )

    def _is_reached(self, position: int) -> bool:
        stage = self._stages[position]
        confirmed = self._rollout.confirmed + round(self._confirmed)
        return stage.reached_ms is None and confirmed >= stage.gate.min_confirmed

    def _due_ms(self, position: int) -> int:
        """When the gate may act though nothing comes."""
        stage = self._stages[position]
        return _NEVER if stage.reached_ms is None else stage.reached_ms + stage.gate.soak_s * 1000

    def _look(self, position: int, at_ms: int) -> Verdict:
        rollout = self._now()
        stage = self._stages[position] = with_reached(rollout, self._stages[position], at_ms)
        judgement = judge(rollout, stage, position == len(self._stages) - 1, at_ms, _APPROVED)
        sent = round(self._bytes)
        failures = rollout.reverted + rollout.failed
        self.points.append(Point(at_ms, rollout.offered, rollout.confirmed, failures, sent))
        if judgement.verdict is not Verdict.WAIT:
            self.acts.append(Act(at_ms, position, judgement.verdict, judgement.reason, sent))
            if position + 1 < len(self._stages):
                self._stages[position + 1] = replace(self._stages[position + 1], failures_forgiven=rollout.failures)
        return judgement.verdict
