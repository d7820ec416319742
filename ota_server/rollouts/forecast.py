# SPDX-License-Identifier: Apache-2.0
"""What a rollout will do: whom each stage reaches, in how many bytes, and when it is expected to end."""

from __future__ import annotations

import json
import math
import statistics
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from ota_server.errors import Conflict, Unavailable
from ota_server.releases import store as releases
from ota_server.releases.models import FULL, PatchStatus
from ota_server.rollouts import counts, store
from ota_server.rollouts.fleet_scan import Base, RolloutScan
from ota_server.rollouts.judge import Verdict
from ota_server.rollouts.models import OPEN, Rollout, RolloutStatus
from ota_server.rollouts.play import Played, Player, Rates, Setting, Size

PLAYS = 40
SIMULATED = 20
TURN_S = 15.0
NOT_YET = "the devices are being looked at: ask again in a while"
EARLY, LATE = 0.05, 0.95
"""Of the plays, nine of ten lie in an interval, so that of what happens at least four of five do: plays know less."""
UPDATE_MS = 120_000
"""How long an update is taken to need when none has been seen."""
PATCH_SHARE = 0.25
"""What a patch is taken to have of the full image when none of the product has been made."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What happens lies between `early` and `late` in four of five cases or more; None: not within four weeks."""

    early: int | None
    likely: int | None
    late: int | None

    @property
    def values(self) -> tuple[int | None, int | None, int | None]:
        return self.early, self.likely, self.late

    @classmethod
    def of(cls, values: Sequence[int | None]) -> Interval:
        """From the plays; those that did not get there count as later than all."""
        ordered = sorted(values, key=lambda value: math.inf if value is None else value)
        return cls(*(ordered[round(share * (len(ordered) - 1))] for share in (EARLY, 0.5, LATE)))


@dataclass(frozen=True, slots=True)
class BaseForecast:
    """Devices of a stage that start from one base, and the bytes for each of them."""

    platform_id: int
    identity: str
    version: int | None
    devices: int
    patch_bytes: int
    full_bytes: int
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class StageForecast:
    """A stage: its devices, and when its gate ends it. `bytes_sent`: by all stages until then."""

    devices: int
    bases: Sequence[BaseForecast]
    ends_ms: Interval
    bytes_sent: Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was made of the last look at all devices.

    Attributes:
        scanned_ms: when devices were looked at, and the forecast was made.
        devices: of the product; `skipped` are not offered the rollout, by the reason; `already` run its version.
        silent: of the stages' devices, those that were not heard for 30 days.
        stages: by position.
        points: (time, confirmed) of a play that ends when the rollout is likely to.
        bytes_patched, bytes_full: until every device of the stages is updated, with patches and without.
    """

    scanned_ms: int
    devices: int
    already: int
    skipped: Mapping[str, int]
    silent: int
    stages: Sequence[StageForecast]
    points: Sequence[tuple[int, int]]
    bytes_patched: int
    bytes_full: int

    @property
    def ends_ms(self) -> Interval:
        """When the rollout ends."""
        return self.stages[-1].ends_ms

    def to_text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Forecast:
        found = json.loads(text)
        found["stages"] = [
            StageForecast(
                stage["devices"],
                [BaseForecast(**base) for base in stage["bases"]],
                Interval(**stage["ends_ms"]),
                Interval(**stage["bytes_sent"]),
            )
            for stage in found["stages"]
        ]
        found["points"] = [(at_ms, confirmed) for at_ms, confirmed in found["points"]]
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Simulation:
    """A rollout played with given rates.

    Attributes:
        scanned_ms: when the devices were looked at whose habits were played; `began_ms`: from when on.
        played: one play in which nothing but the rates befalls the fleet.
        ends: how many of `SIMULATED` other plays had a gate do something, by stage and verdict.
    """

    scanned_ms: int
    began_ms: int
    played: Played
    ends: Mapping[tuple[int, Verdict], int]


class Simulations:
    """Lets one simulation at a time take the processor."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for it. Raises Unavailable when others take too long."""
        if not self._turn.acquire(timeout=TURN_S):
            raise Unavailable("other simulations are under way: ask again in a while")
        try:
            yield
        finally:
            self._turn.release()


def make(setting: Setting, scan: RolloutScan) -> Forecast:
    """Plays a rollout in which nothing fails, some times."""
    player = Player(setting)
    plays = [player.play(Rates(), seed) for seed in range(PLAYS)]
    stages = []
    for position, stage in enumerate(scan.stages):
        ends = [play.end_of(position) for play in plays]
        stages.append(
            StageForecast(
                stage.devices,
                [_for_base(base, count, setting.sizes[base]) for base, count in stage.bases],
                Interval.of([None if end is None else end.at_ms for end in ends]),
                Interval.of([None if end is None else end.bytes_sent for end in ends]),
            )
        )
    costs = [(count, setting.sizes[base]) for base, count in scan.bases]
    return Forecast(
        scan.at_ms,
        scan.devices,
        scan.already,
        scan.skipped,
        scan.silent,
        stages,
        [(point.at_ms, point.confirmed) for point in _likely(plays, len(stages) - 1).shown],
        sum(count * min(size.patch, size.full) for count, size in costs),
        sum(count * size.full for count, size in costs),
    )


def _likely(plays: Sequence[Played], stage: int) -> Played:
    """The play whose end of a stage is `Interval.likely`."""
    ends = [math.inf if (end := play.end_of(stage)) is None else end.at_ms for play in plays]
    return plays[sorted(range(len(plays)), key=ends.__getitem__)[round(0.5 * (len(plays) - 1))]]


def setting_of(connection: Connection, rollout: Rollout, scan: RolloutScan, now_ms: int) -> Setting:
    """What a rollout begins or goes on with."""
    start_ms = rollout.schedule.start_ms if rollout.status is RolloutStatus.SCHEDULED else None
    counted = counts.get(connection, rollout.id)
    left = scan.left(counted) / scan.reached if scan.reached else 0.0
    durations = store.update_durations(connection, rollout)
    return Setting(
        rollout=rollout,
        stages=store.stages_of(connection, rollout.id),
        scans=scan.stages,
        scanned_ms=scan.at_ms,
        left=left,
        lost_per_day=scan.lost_per_day,
        sizes=_sizes(connection, rollout, scan),
        update_ms=round(statistics.median(durations)) if durations else UPDATE_MS,
        bytes_sent=counted.bytes_sent,
        now_ms=max(now_ms, start_ms or 0),
    )


def latest(connection: Connection, rollout: Rollout) -> Forecast | None:
    """The forecast that was made of the last look at all devices; None before that."""
    text = store.forecast_of(connection, rollout.id)
    return None if text is None else Forecast.from_text(text)


def simulate(connection: Connection, rollout: Rollout, rates: Rates, seed: int, now_ms: int) -> Simulation:
    """Plays a rollout that has not ended with these rates. Raises Conflict, Unavailable.

    It takes some seconds for a large fleet: one at a time (`Simulations`).
    """
    if rollout.status not in OPEN:
        raise Conflict(f"rollout {rollout.id} has ended: it is {rollout.status}")
    scan = store.scan_of(connection, rollout.id, is_sampled=True)
    if scan is None:
        raise Unavailable(NOT_YET)
    player = Player(setting_of(connection, rollout, scan, now_ms))
    shown = player.play(rates, seed, is_calm=True)
    ends = Counter(
        (act.stage, act.verdict) for number in range(SIMULATED) for act in player.play(rates, seed + 1 + number).acts
    )
    return Simulation(scan.at_ms, now_ms, shown, ends)


def _for_base(base: Base, count: int, size: Size) -> BaseForecast:
    return BaseForecast(base.platform_id, base.identity, base.version, count, size.patch, size.full, size.is_estimated)


def _sizes(connection: Connection, rollout: Rollout, scan: RolloutScan) -> dict[Base, Size]:
    """Bytes by base; of patches that are not made yet, what others of the product have on average."""
    patches = {
        (patch.base_identity, patch.target_identity): patch.size
        for patch in releases.patches_of_product(connection, rollout.product_id)
        if patch.status is PatchStatus.READY and patch.size is not None
    }
    shares = [
        size / patches[FULL, target] for (base, target), size in patches.items() if base and (FULL, target) in patches
    ]
    share = statistics.median(shares) if shares else PATCH_SHARE
    images = releases.images_of_product(connection, rollout.product_id)
    targets = {image.platform_id: image for image in images if image.version == rollout.version}
    sizes = {}
    for base, _ in scan.bases:
        target = targets.get(base.platform_id)
        full = 0 if target is None else patches.get((FULL, target.identity), target.size)
        known = releases.running_image(connection, rollout.product_id, base.platform_id, bytes.fromhex(base.identity))
        made = None if known is None or target is None else patches.get((known.identity, target.identity))
        if made is not None:
            sizes[base] = Size(made, full)
        else:
            # What nobody published has no patch from it.
            sizes[base] = Size(full if known is None else round(full * share), full, is_estimated=known is not None)
    return sizes
