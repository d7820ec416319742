# SPDX-License-Identifier: Apache-2.0
"""What a look at every device of a product finds for one rollout: whom it reaches, from which base, and whom it skips.

Made in the background (`scanner`); all that is shown of it tells its age. It asks the rules that a check-in asks.
"""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from ota_server.devices.models import Device
from ota_server.rollouts.counts import AttemptCounts
from ota_server.rollouts.decide import Plan, RuleName, RunningRollout, decide
from ota_server.rollouts.facts import DeviceFacts
from ota_server.rollouts.models import AttemptStatus, RolloutStatus
from ota_server.telemetry import habits
from ota_server.times import UTC_ZONE

SAMPLE = 400
"""Devices of each stage whose habits are kept, chosen by lot."""
BASES_MAX = 200
"""Bases that a stage tells apart; the rarest others are told as one."""
REASONS_MAX = 100
SILENT_MS = 30 * 24 * 3600 * 1000
"""A device that was not heard for so long is told apart: it may never come."""
OUTSIDE = "no stage of the rollout reaches it."
OUTRANKED = "another running rollout decides about it."
OTHERS = "other reasons."


@dataclass(frozen=True, slots=True, order=True)
class Base:
    """What a device starts from: a platform and what it runs (the first 8 bytes of an identity, hexadecimal)."""

    platform_id: int
    identity: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Sampled:
    """A device of the sample.

    Attributes:
        base: position among its stage's bases.
        habit: 46 bytes; see `telemetry.habits`.
        last_seen_ms: 0 when it was never heard.
        interval_s: between two check-ins; 0 when it has not told.
        zone: position among its stage's time zones.
    """

    base: int
    habit: bytes
    last_seen_ms: int
    interval_s: int
    zone: int = 0

    _PACKED = struct.Struct(f"<H{habits.SIZE}sqIH")

    def to_bytes(self) -> bytes:
        return self._PACKED.pack(self.base, self.habit, self.last_seen_ms, self.interval_s, self.zone)

    @classmethod
    def all_from_bytes(cls, raw: bytes) -> list[Sampled]:
        return [cls(*one) for one in cls._PACKED.iter_unpack(raw)]


@dataclass(frozen=True, slots=True)
class StageScan:
    """The devices that a stage brings in and that do not run the target yet, by base, and a sample of them.

    Attributes:
        zones: time zones of the sample's devices.
    """

    bases: Sequence[tuple[Base, int]]
    sample: Sequence[Sampled]
    zones: Sequence[str] = (UTC_ZONE,)

    @property
    def devices(self) -> int:
        return sum(count for _, count in self.bases)


@dataclass(frozen=True, slots=True)
class Looked:
    """A look at a product's devices: see `RolloutScan`."""

    at_ms: int
    took_ms: int
    devices: int
    lost_per_day: float


@dataclass(frozen=True, slots=True)
class RolloutScan:
    """What was found for a rollout.

    Attributes:
        at_ms: when the devices were looked at; `took_ms`: for how long.
        devices: of the product.
        stages: by position.
        already: devices that run the target and did not come to it by this rollout.
        touched: devices that had been offered it, and not withdrawn, when the counting ended.
        untouched: of the stages' devices, those that are not among these.
        skipped: devices that are not offered it, by the reason.
        not_seen: of the stages' devices, those not heard since the rollout began, nor online.
        silent: of the stages' devices, those not heard for 30 days.
        lost_per_day: share of devices that fell silent for good on each of the last days.
    """

    at_ms: int
    took_ms: int
    devices: int
    stages: Sequence[StageScan]
    already: int
    touched: int
    untouched: int
    skipped: Mapping[str, int]
    not_seen: int
    silent: int
    lost_per_day: float

    @property
    def reached(self) -> int:
        """Devices of all stages."""
        return sum(stage.devices for stage in self.stages)

    @property
    def bases(self) -> Sequence[tuple[Base, int]]:
        """Those of all stages, that of most devices first."""
        total: Counter[Base] = Counter()
        for stage in self.stages:
            total.update(dict(stage.bases))
        return total.most_common()

    def to_come(self, counted: AttemptCounts) -> tuple[int, int]:
        """How many devices were not offered it until now: those that wait, and those that were not seen."""
        left = max(self.untouched - max(_touched(counted) - self.touched, 0), 0)
        not_seen = min(self.not_seen, left)
        return left - not_seen, not_seen

    def to_text(self) -> str:
        """All but the sample."""
        stages = [[[*asdict(base).values(), count] for base, count in stage.bases] for stage in self.stages]
        sampled = [len(stage.sample) for stage in self.stages]
        plain = {name: getattr(self, name) for name in _PLAIN}
        zones = [stage.zones for stage in self.stages]
        return json.dumps({**plain, "stages": stages, "sampled": sampled, "zones": zones}, separators=(",", ":"))

    def sample_to_bytes(self) -> bytes:
        return b"".join(one.to_bytes() for stage in self.stages for one in stage.sample)

    @classmethod
    def from_text(cls, text: str, sample: bytes = b"") -> RolloutScan:
        """Without the sample's bytes, the sample is empty."""
        found = json.loads(text)
        left = iter(Sampled.all_from_bytes(sample))
        stages = [
            StageScan(
                [(Base(*base), count) for *base, count in bases],
                [one for _, one in zip(range(size), left, strict=False)],
                zones,
            )
            for bases, size, zones in zip(found.pop("stages"), found.pop("sampled"), found.pop("zones"), strict=True)
        ]
        return cls(stages=stages, **found)

    def left(self, counted: AttemptCounts) -> int:
        """How many devices are not updated yet and may be: those to come, and those that are at it."""
        return sum(self.to_come(counted)) + counted.of(*_UNDER_WAY)


_PLAIN = (
    "at_ms",
    "took_ms",
    "devices",
    "already",
    "touched",
    "untouched",
    "skipped",
    "not_seen",
    "silent",
    "lost_per_day",
)


_UNDER_WAY = (
    AttemptStatus.OFFERED,
    AttemptStatus.DOWNLOADING,
    AttemptStatus.STAGED,
    AttemptStatus.TRIAL,
    AttemptStatus.INTERRUPTED,
    AttemptStatus.NO_CONTACT,
    AttemptStatus.STOPPED,
)
"""A device at one of these does not run the target, and would be offered it again."""


def _touched(counted: AttemptCounts) -> int:
    return counted.offered - counted.of(AttemptStatus.WITHDRAWN)


@dataclass
class _StageTally:
    """Counts what falls into one stage."""

    bases: Counter[Base] = field(default_factory=Counter)
    sample: list[tuple[Base, str, Sampled]] = field(default_factory=list)
    seen: int = 0

    def add(self, base: Base, zone: str, device: Device, draw: random.Random) -> None:
        self.bases[base] += 1
        self.seen += 1
        # Each device of the stage ends in the sample with the same likelihood, however many there are.
        place = len(self.sample) if self.seen <= SAMPLE else draw.randrange(self.seen)
        if place >= SAMPLE:
            return
        one = Sampled(
            0, device.habit or habits.NEW.to_bytes(), device.last_seen_ms or 0, min(device.interval_s or 0, 2**32 - 1)
        )
        self.sample[place : place + 1] = [(base, zone, one)]

    def found(self) -> StageScan:
        """Bases that devices have most first."""
        kept = self.bases.most_common(BASES_MAX)
        rest = self.bases.total() - sum(count for _, count in kept)
        if rest:
            kept.append((Base(0, "", None), rest))
        places = {base: place for place, (base, _) in enumerate(kept)}
        last = len(kept) - 1
        zones = {zone: number for number, zone in enumerate(sorted({zone for _, zone, _ in self.sample}))}
        sample = [replace(one, base=places.get(base, last), zone=zones[zone]) for base, zone, one in self.sample]
        return StageScan(kept, sample, list(zones))


class Tally:
    """Counts devices for one rollout.

    Args:
        rule: the rollout; it is asked as one that runs, has reached its last stage and delays nothing.
        before: running rollouts that decide before it, as they are now.
        plan: what else decides.
        started_ms: when it began, or None.
    """

    def __init__(
        self, rule: RunningRollout, before: Sequence[RunningRollout], plan: Plan, started_ms: int | None
    ) -> None:
        self._rule = replace(rule, stage=len(rule.stages) - 1, pace=None, status=RolloutStatus.RUNNING)
        self._before = before
        self._plan = plan
        self._started_ms = started_ms
        self._stages = [_StageTally() for _ in rule.stages]
        self._skipped: Counter[str] = Counter()
        self._running = self._not_seen = self._silent = 0
        self._known: dict[tuple[object, ...], str | None] = {}
        self._draw = random.Random(rule.id)  # noqa: S311 - a sample, no secret

    def add(self, device: Device, facts: DeviceFacts, now_ms: int) -> None:
        """Counts one device. Its trial, if it is on one, counts as if it had ended."""
        stage = self._rule.reached_in(facts) if self._rule.applies(facts, self._plan) else None
        why = self._why_not(facts, stage is not None)
        if why is None and any(rollout.applies(facts, self._plan) for rollout in self._before):
            why = OUTRANKED
        if why is not None:
            self._skipped[why if why in self._skipped or len(self._skipped) < REASONS_MAX else OTHERS] += 1
            return
        target = self._rule.targets[facts.platform_id or 0]
        if facts.identity == target.identity[:8] and not device.boot_state:
            self._running += 1
            return
        assert stage is not None
        assert facts.identity is not None
        base = Base(facts.platform_id or 0, facts.identity.hex(), facts.product_version)
        self._stages[stage].add(base, facts.time_zone, device, self._draw)
        seen_ms = device.last_seen_ms or 0
        self._silent += seen_ms < now_ms - SILENT_MS
        if self._started_ms is not None and seen_ms < self._started_ms and not device.is_online(now_ms):
            self._not_seen += 1

    def found(self, looked: Looked, counted: AttemptCounts) -> RolloutScan:
        """What was found, given how far the rollout is by now."""
        stages = [stage.found() for stage in self._stages]
        return RolloutScan(
            looked.at_ms,
            looked.took_ms,
            looked.devices,
            stages,
            max(self._running - counted.of(AttemptStatus.CONFIRMED), 0),
            _touched(counted),
            max(sum(stage.devices for stage in stages) - counted.of(*_UNDER_WAY), 0),
            dict(self._skipped.most_common()),
            self._not_seen,
            self._silent,
            looked.lost_per_day,
        )

    def _why_not(self, facts: DeviceFacts, is_in: bool) -> str | None:
        """Why a device is skipped; None when it is offered the target, or runs it."""
        key = (
            is_in,
            facts.is_trusted,
            facts.development,
            facts.locked_version,
            facts.platform_id,
            facts.identity,
            facts.product_version,
            facts.hardware_revision,
            facts.security_counter,
            facts.bootloader_version,
            facts.keyset_version,
            facts.blocked,
        )
        if key not in self._known:
            self._known[key] = self._ask(facts, is_in)
        return self._known[key]

    def _ask(self, facts: DeviceFacts, is_in: bool) -> str | None:
        ruling = decide(facts, replace(self._plan, rollouts=(self._rule,) if is_in else ()))
        if ruling.rule in (RuleName.HELD_BACK, RuleName.DEVELOPMENT):
            return ruling.why
        if ruling.rule is RuleName.LOCK:
            return f"locked to version {facts.locked_version}."
        if not is_in:
            return OUTSIDE
        target = self._rule.targets.get(facts.platform_id or 0)
        if ruling.target is not None or (target is not None and facts.identity == target.identity[:8]):
            return None
        # Without the rollout's name, which is the same for all.
        return ruling.why.split(": ", 1)[-1]
