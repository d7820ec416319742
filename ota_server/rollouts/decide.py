# SPDX-License-Identifier: Apache-2.0
"""What a device should run: a pure function of facts, which can explain itself.

There is one list of rules. The first one that applies decides; nothing falls through to a later one:
held back > development device (what it was flashed with, nothing automatic) > locked version > each running rollout,
those for security first, then the newest > group release (several: the highest version) > default release > nothing.

`decide` stops at the rule that wins. `trace` asks all of them, by the same methods, so that both always agree.
A schedule only delays: outside its windows a rollout still decides, and gives nothing for now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

from muster.layout import IDENTITY_PREFIX_SIZE
from ota_server.rollouts.cohort import InGroup, ReachingStage, draw_of, is_within
from ota_server.rollouts.facts import DeviceFacts, Target
from ota_server.rollouts.models import RolloutStatus
from ota_server.rollouts.schedule import Schedule
from ota_server.times import rfc3339


class RuleName(StrEnum):
    """The rules, in their order."""

    HELD_BACK = "held_back"
    DEVELOPMENT = "development"
    LOCK = "lock"
    ROLLOUT = "rollout"
    GROUP_RELEASE = "group_release"
    DEFAULT_RELEASE = "default_release"
    NOTHING = "nothing"


class Reason(NamedTuple):
    """Why a rule gives nothing or does not apply, and what would have to change."""

    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Pace:
    """The schedule that offers go by, and the rollout whose it is."""

    rollout_id: int
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule says about a device.

    Attributes:
        target: what it gives, or would give if it applied; None for nothing.
        why: a sentence.
        remedy: what would have to change for it to give something; nothing where it gives something.
        rollout_id, stage: the rollout whose rule it is, and the stage that this has reached.
        applies: False when the rule is about other devices.
        opens_ms: when it gives something, where only its windows keep it from that.
        pace: what an offer that follows from it goes by; None: it is made at once.
    """

    rule: RuleName
    target: Target | None
    why: str
    remedy: str = ""
    rollout_id: int | None = None
    stage: int | None = None
    applies: bool = True
    opens_ms: int | None = None
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """What every rule says about a device, in order."""

    rulings: Sequence[Ruling]

    @property
    def winner(self) -> Ruling:
        """The ruling that decides."""
        return next(one for one in self.rulings if one.applies)


class Rule(Protocol):
    """One rule of the list."""

    def applies(self, facts: DeviceFacts, plan: Plan) -> bool:
        """Whether it is about this device. Asked at every check-in."""

    def ruling(self, facts: DeviceFacts, plan: Plan) -> Ruling:
        """What it gives, or would give if it applied."""

    def passed_over(self, facts: DeviceFacts, plan: Plan) -> Reason:
        """Why it does not apply; only traces ask."""


@dataclass(frozen=True, slots=True)
class RunningRollout:
    """A rollout at the stage it has reached; the rule for the devices that are in it.

    One that has completed, and does not reach every device, is still the rule for those of them that come late. One
    that is paused or scheduled is no rule at all; only traces look at it.

    Attributes:
        stage: position of the stage that it has reached, from 0.
        stages: all of them; a device is in the rollout once one up to the reached one brings it in.
        salt: spreads devices over percentages.
        targets: by platform id.
        pace: None: it offers at once to whoever comes.
        undoes: only who runs this version is in it, and goes back from it.
    """

    id: int
    version: int
    stage: int
    stages: Sequence[ReachingStage]
    salt: bytes
    targets: Mapping[int, Target]
    pace: Pace | None = None
    status: RolloutStatus = RolloutStatus.RUNNING
    undoes: int | None = None

    @property
    def reaches_all(self) -> bool:
        """Whether it reaches every device."""
        return any(one.reaches_all for one in self.stages[: self.stage + 1])

    def reached_in(self, facts: DeviceFacts) -> int | None:
        """Position of the first stage, reached or not, that brings a device in; None when none does."""
        return self._first_of(self.stages, facts)

    def applies(self, facts: DeviceFacts, _plan: Plan) -> bool:
        if self.status not in (RolloutStatus.RUNNING, RolloutStatus.COMPLETED) or not self._is_for(facts):
            return False
        return self._first_of(self.stages[: self.stage + 1], facts) is not None

    def ruling(self, facts: DeviceFacts, _plan: Plan) -> Ruling:
        target = self.targets.get(facts.platform_id or 0)
        brought = _never_back if self.undoes is None else _whatever_version
        ruling = brought(facts, target, RuleName.ROLLOUT, self._who)
        return replace(_paced(facts, ruling, self._who, self.pace), rollout_id=self.id, stage=self.stage)

    def passed_over(self, facts: DeviceFacts, _plan: Plan) -> Reason:
        if not self._is_for(facts):
            return Reason(f"{self._who}, is for who runs version {self.undoes}.", "The device would have to run that.")
        stage = self.reached_in(facts)
        if stage is not None and self.status is RolloutStatus.PAUSED:
            return Reason(f"{self._who}: nothing is offered.", f"Resume rollout {self.id}.")
        if stage is not None and self.status is RolloutStatus.SCHEDULED:
            return Reason(f"{self._who}: nothing is offered before it starts.", "The time of its start has to come.")
        why = f"{self._who}, has not reached this device."
        if stage is None:
            reached = "; or ".join(dict.fromkeys(one.in_words() for one in self.stages))
            return Reason(why, f"None of its stages reaches the device. It would have to be among: {reached}.")
        return Reason(why, f"Stage {stage + 1} reaches it: {self.stages[stage].in_words()}.")

    def _is_for(self, facts: DeviceFacts) -> bool:
        return self.undoes is None or facts.product_version == self.undoes

    @property
    def _who(self) -> str:
        state = f"stage {self.stage + 1}" if self.status is RolloutStatus.RUNNING else self.status.value
        return f"Rollout {self.id} of version {self.version}, {state}"

    def _first_of(self, stages: Sequence[ReachingStage], facts: DeviceFacts) -> int | None:
        draw = draw_of(self.salt, facts.device_id)
        for position, stage in enumerate(stages):
            if is_within(draw, stage.percent) and stage.cohort.matches(facts, self.salt):
                return position
        return None


@dataclass(frozen=True)  # no slots: `named_groups` is found once
class Plan:
    """Everything about a product that decides.

    Attributes:
        keyset_version: the server's newest key set.
        rollouts: those that run, in the order in which they are asked, and behind them completed ones.
        default_version: what devices run that no rollout reaches.
        time_zone: of devices that have none of their own; None: UTC.
        default_pace: that of the completed rollout which made it the default.
        targets: every image by (version, platform id).
        groups: versions released to groups, by the group's name.
    """

    keyset_version: int
    rollouts: Sequence[RunningRollout]
    default_version: int | None
    targets: Mapping[tuple[int, int], Target]
    groups: Mapping[str, int] = field(default_factory=dict)
    default_pace: Pace | None = None
    time_zone: str | None = None

    @cached_property
    def named_groups(self) -> frozenset[str]:
        """Groups that decide anything: only these of a device's have to be looked up."""
        in_cohorts = (stage.cohort.named(InGroup) for rollout in self.rollouts for stage in rollout.stages)
        return frozenset(self.groups).union(*in_cohorts)


def decide(facts: DeviceFacts, plan: Plan) -> Ruling:
    """Decides what a device is offered now."""
    return next(rule.ruling(facts, plan) for rule in _rules(plan) if rule.applies(facts, plan))


def trace(facts: DeviceFacts, plan: Plan) -> Trace:
    """The same with what every other rule says."""
    rulings = []
    for rule in _rules(plan):
        ruling = rule.ruling(facts, plan)
        if not rule.applies(facts, plan):
            why, remedy = rule.passed_over(facts, plan)
            ruling = replace(ruling, why=why, remedy=remedy, applies=False)
        rulings.append(ruling)
    return Trace(rulings)


def refusal(facts: DeviceFacts, target: Target) -> Reason | None:
    """Why this device must not get this image, whatever the rule."""
    if target.is_killed:
        return Reason(f"version {target.version} is killed.", "Bring out another version, or revive this one.")
    if facts.security_counter is None or facts.hardware_revision is None or facts.bootloader_version is None:
        why = "it has not told security counter, hardware revision and bootloader version."
        return Reason(why, "It has to check in in a new session.")
    if target.security_counter < facts.security_counter:
        why = f"security counter {target.security_counter} is below its own, {facts.security_counter}."
        return Reason(why, "No device goes back below its security counter: build a version with a higher one.")
    if not target.hardware_lowest <= facts.hardware_revision <= target.hardware_highest:
        revisions = f"for hardware revisions {target.hardware_lowest} to {target.hardware_highest}"
        why = f"{revisions}, it is {facts.hardware_revision}."
        return Reason(why, f"Build a version for hardware revision {facts.hardware_revision}.")
    if target.min_bootloader > facts.bootloader_version:
        why = f"needs bootloader {target.min_bootloader}, it has {facts.bootloader_version}."
        return Reason(why, f"Build a version that runs with bootloader {facts.bootloader_version}.")
    if target.identity[:IDENTITY_PREFIX_SIZE] in facts.blocked:
        why = "this image failed on it and is not offered again."
        return Reason(why, "Bring out a new version.")
    return None


class _HeldBack:
    """Nothing is offered, whatever the plan says."""

    def applies(self, facts: DeviceFacts, plan: Plan) -> bool:
        return self._reason(facts, plan) is not None

    def ruling(self, facts: DeviceFacts, plan: Plan) -> Ruling:
        return Ruling(RuleName.HELD_BACK, None, *(self._reason(facts, plan) or ("", "")))

    def passed_over(self, _facts: DeviceFacts, _plan: Plan) -> Reason:
        return Reason("Nothing holds it back.", "")

    @staticmethod
    def _reason(facts: DeviceFacts, plan: Plan) -> Reason | None:
        if not facts.is_trusted:
            return Reason("Quarantined: it gets no firmware until its key is approved.", "Approve its key.")
        if facts.identity is None or facts.platform_id is None:
            return Reason("It has not said yet what it runs.", "It has to check in.")
        if facts.boot_state:
            why = f"On trial {facts.boot_state} of its image: nothing is offered before that ends."
            return Reason(why, "The trial has to end.")
        if facts.is_busy:
            why = "It has staged an image, or has not reported yet what came of one."
            return Reason(why, "It has to report what came of the image.")
        if facts.keyset_version is not None and facts.keyset_version > plan.keyset_version:
            why = (
                f"It holds key set {facts.keyset_version}, newer than this server's {plan.keyset_version}: "
                "give the server the newer key set."
            )
            return Reason(why, f"Give the server key set {facts.keyset_version}.")
        return None


class _Development:
    """A device for development gets what it was flashed with, and nothing automatically."""

    def applies(self, facts: DeviceFacts, _plan: Plan) -> bool:
        return facts.development

    def ruling(self, facts: DeviceFacts, _plan: Plan) -> Ruling:
        if facts.flashed is None:
            why = "A development device: nothing is offered automatically."
            return Ruling(RuleName.DEVELOPMENT, None, why, "Flash it, or mark it as not for development.")
        who = f"A development device, flashed with version {facts.flashed.version}"
        return _unless_refused(facts, facts.flashed, RuleName.DEVELOPMENT, who)

    def passed_over(self, _facts: DeviceFacts, _plan: Plan) -> Reason:
        return Reason("It is not for development.", "Mark it for development.")


class _Lock:
    """A device that is locked to a version gets that one, be it older than what it runs."""

    def applies(self, facts: DeviceFacts, _plan: Plan) -> bool:
        return facts.locked_version is not None

    def ruling(self, facts: DeviceFacts, plan: Plan) -> Ruling:
        version = facts.locked_version or 0
        who = f"Locked to version {version}"
        target = plan.targets.get((version, facts.platform_id or 0))
        if target is None:
            return _no_image(RuleName.LOCK, f"{who}, which has no image for its platform.")
        return _unless_refused(facts, target, RuleName.LOCK, who)

    def passed_over(self, _facts: DeviceFacts, _plan: Plan) -> Reason:
        return Reason("No version is locked.", "Lock it to a version.")


class _GroupRelease:
    """The highest version that is released to one of the device's groups."""

    def applies(self, facts: DeviceFacts, plan: Plan) -> bool:
        return not facts.groups.isdisjoint(plan.groups)

    def ruling(self, facts: DeviceFacts, plan: Plan) -> Ruling:
        version, name = max(((plan.groups[name], name) for name in facts.groups & plan.groups.keys()), default=(0, ""))
        who = f"The release of group {name}, version {version}"
        return _never_back(facts, plan.targets.get((version, facts.platform_id or 0)), RuleName.GROUP_RELEASE, who)

    def passed_over(self, _facts: DeviceFacts, _plan: Plan) -> Reason:
        return Reason("No group of it has a release.", "Release a version to a group of it.")


class _DefaultRelease:
    """The product's default."""

    def applies(self, _facts: DeviceFacts, plan: Plan) -> bool:
        return plan.default_version is not None

    def ruling(self, facts: DeviceFacts, plan: Plan) -> Ruling:
        version = plan.default_version or 0
        who = f"The product's default, version {version}"
        ruling = _never_back(facts, plan.targets.get((version, facts.platform_id or 0)), RuleName.DEFAULT_RELEASE, who)
        return _paced(facts, ruling, who, plan.default_pace)

    def passed_over(self, _facts: DeviceFacts, _plan: Plan) -> Reason:
        return Reason("The product has no default release.", "Release a version as the product's default.")


class _Nothing:
    """What is left."""

    def applies(self, _facts: DeviceFacts, _plan: Plan) -> bool:
        return True

    def ruling(self, _facts: DeviceFacts, _plan: Plan) -> Ruling:
        why = "No running rollout reaches it, and neither a group of it nor the product has a release."
        return Ruling(RuleName.NOTHING, None, why, "Start a rollout that reaches it, or release a version.")

    def passed_over(self, facts: DeviceFacts, plan: Plan) -> Reason:
        raise AssertionError("it always applies")


_FIRST: tuple[Rule, ...] = (_HeldBack(), _Development(), _Lock())
_LAST: tuple[Rule, ...] = (_GroupRelease(), _DefaultRelease(), _Nothing())


def _rules(plan: Plan) -> Sequence[Rule]:
    return (*_FIRST, *plan.rollouts, *_LAST)


def _never_back(facts: DeviceFacts, target: Target | None, rule: RuleName, who: str) -> Ruling:
    """What a rule gives that brings no device to an older version."""
    if target is not None and facts.product_version is not None and target.version < facts.product_version:
        why = f"{who}: it runs the newer version {facts.product_version}; only a lock or a roll-back goes back."
        return Ruling(rule, None, why, f"Lock it to version {target.version}, or roll back.")
    return _whatever_version(facts, target, rule, who)


def _whatever_version(facts: DeviceFacts, target: Target | None, rule: RuleName, who: str) -> Ruling:
    """What a rule gives that may bring devices back."""
    if target is None:
        return _no_image(rule, f"{who}: there is no image for its platform.")
    return _unless_refused(facts, target, rule, who)


def _paced(facts: DeviceFacts, ruling: Ruling, who: str, pace: Pace | None) -> Ruling:
    """The same within its schedule: nothing for now outside its windows."""
    if pace is None or ruling.target is None:
        return ruling
    opens_ms = pace.schedule.opening_ms(facts.time_zone, facts.now_ms)
    if opens_ms > facts.now_ms:
        opens = rfc3339(opens_ms)
        why = f"{who}: version {ruling.target.version} is offered in its windows; the next one opens at {opens}."
        remedy = f"Wait until {opens}, or give rollout {pace.rollout_id} another schedule."
        return replace(ruling, target=None, why=why, remedy=remedy, opens_ms=opens_ms)
    limit = pace.schedule.per_minute
    why = ruling.why if limit is None else f"{ruling.why} At most {limit} devices are offered it in a minute."
    return replace(ruling, why=why, pace=pace)


def _unless_refused(facts: DeviceFacts, target: Target, rule: RuleName, who: str) -> Ruling:
    if facts.identity == target.identity[:8]:
        return Ruling(rule, None, f"{who}: it runs it.", "Nothing has to change: it is there already.")
    refused = refusal(facts, target)
    if refused is not None:
        return Ruling(rule, None, f"{who}: {refused.why}", refused.remedy)
    return Ruling(rule, target, f"{who}: version {target.version} is offered.")


def _no_image(rule: RuleName, why: str) -> Ruling:
    return Ruling(rule, None, why, "Publish an image of the version for its platform.")
