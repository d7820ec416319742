# SPDX-License-Identifier: Apache-2.0
"""What a device should run: a pure function of facts, which can explain itself.

The first rule that applies decides; nothing falls through to a later one:
development device (what it was flashed with, nothing automatic) > locked version > rollout stage >
group release (several: the highest version) > default release > nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from muster.layout import IDENTITY_PREFIX_SIZE


@dataclass(frozen=True, slots=True)
class Target:
    """An image that could be offered; the fields are those of its manifest."""

    image_id: int
    identity: bytes
    version: int
    platform_id: int
    security_counter: int
    hardware_lowest: int
    hardware_highest: int
    min_bootloader: int
    size: int


@dataclass(frozen=True, slots=True)
class RunningRollout:
    """A rollout at the stage it has reached. `targets` are by platform id."""

    id: int
    version: int
    stage: int
    percent: int
    salt: bytes
    targets: Mapping[int, Target]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a product that decides.

    Attributes:
        keyset_version: the server's newest key set.
        rollouts: those that run, newest first.
        default_version: what devices run that no rollout reaches.
        targets: every image by (version, platform id).
        groups: versions released to groups, by the group's name.
    """

    keyset_version: int
    rollouts: tuple[RunningRollout, ...]
    default_version: int | None
    targets: Mapping[tuple[int, int], Target]
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Everything about a device that decides.

    Attributes:
        device_id: 24 hexadecimal digits.
        is_trusted: not quarantined.
        identity: first 8 bytes of what it runs; None before it has told.
        boot_state: 0 confirmed, else the number of its trial.
        is_busy: it has staged an image, or confirmed one and not reported it.
        blocked: identities (16 bytes) that failed on it.
        groups: those that it is in and that a version is released to.
        flashed: an image for this device alone, while it is one for development.
    """

    device_id: str
    is_trusted: bool
    development: bool
    locked_version: int | None
    platform_id: int | None
    identity: bytes | None
    product_version: int | None
    hardware_revision: int | None
    security_counter: int | None
    bootloader_version: int | None
    keyset_version: int | None
    boot_state: int | None
    is_busy: bool
    blocked: frozenset[bytes]
    groups: frozenset[str] = frozenset()
    flashed: Target | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the facts.

    Attributes:
        target: what to offer, or None.
        rollout_id, stage: the rollout that asks for it, or None.
        trace: the rules that were looked at, in order; the last sentence is the answer.
    """

    target: Target | None
    rollout_id: int | None
    stage: int | None
    trace: tuple[str, ...]

    @property
    def explanation(self) -> str:
        return self.trace[-1]


def decide(facts: DeviceFacts, plan: Plan) -> Decision:
    """Decides what a device is offered now."""
    held_back = _held_back(facts, plan)
    if held_back is not None:
        return _nothing(held_back)
    if facts.development:
        return _for_development(facts)
    if facts.locked_version is not None:
        return _locked(facts, plan, facts.locked_version)
    trace: list[str] = ["No version is locked."]
    for rollout in plan.rollouts:
        if not in_cohort(rollout.salt, facts.device_id, rollout.percent):
            trace.append(
                f"Rollout {rollout.id} of version {rollout.version} has not reached this device "
                f"(stage {rollout.stage + 1}, {rollout.percent} %)."
            )
            continue
        return _from_rollout(facts, rollout, trace)
    released = [(plan.groups[name], name) for name in sorted(facts.groups) if name in plan.groups]
    if released:
        version, name = max(released)
        return _from_release(facts, plan, version, f"The release of group {name}, version {version}", trace)
    if plan.default_version is not None:
        who = f"The product's default, version {plan.default_version}"
        return _from_release(facts, plan, plan.default_version, who, trace)
    return _nothing("No running rollout reaches it, and neither a group of it nor the product has a release.", trace)


def in_cohort(salt: bytes, device_id: str, percent: int) -> bool:
    """Whether a device is among the first `percent` of a hundred; growing the share keeps everyone in it."""
    draw = int.from_bytes(hashlib.sha256(salt + device_id.encode()).digest()[:8], "big")
    return draw * 100 < percent << 64


def _held_back(facts: DeviceFacts, plan: Plan) -> str | None:
    """Why nothing is offered whatever the plan says."""
    if not facts.is_trusted:
        return "Quarantined: it gets no firmware until its key is approved."
    if facts.identity is None or facts.platform_id is None:
        return "It has not said yet what it runs."
    if facts.boot_state:
        return f"On trial {facts.boot_state} of its image: nothing is offered before that ends."
    if facts.is_busy:
        return "It has staged an image, or has not reported yet what came of one."
    if facts.keyset_version is not None and facts.keyset_version > plan.keyset_version:
        return (
            f"It holds key set {facts.keyset_version}, newer than this server's {plan.keyset_version}: "
            "give the server the newer key set."
        )
    return None


def _for_development(facts: DeviceFacts) -> Decision:
    if facts.flashed is None:
        return _nothing("A development device: nothing is offered automatically.")
    who = f"A development device, flashed with version {facts.flashed.version}"
    return _unless_refused(facts, facts.flashed, None, None, [], who)


def _locked(facts: DeviceFacts, plan: Plan, version: int) -> Decision:
    trace = [f"Locked to version {version}."]
    target = plan.targets.get((version, facts.platform_id or 0))
    if target is None:
        return _nothing(f"Locked to version {version}, which has no image for its platform.", trace)
    return _unless_refused(facts, target, None, None, trace, f"Locked to version {version}")


def _from_rollout(facts: DeviceFacts, rollout: RunningRollout, trace: list[str]) -> Decision:
    who = f"Rollout {rollout.id} of version {rollout.version}, stage {rollout.stage + 1}"
    target = rollout.targets.get(facts.platform_id or 0)
    if target is None:
        return _nothing(f"{who}: there is no image for its platform.", trace)
    if facts.product_version is not None and target.version < facts.product_version:
        return _nothing(f"{who}: it runs the newer version {facts.product_version}; only a lock goes back.", trace)
    return _unless_refused(facts, target, rollout.id, rollout.stage, trace, who)


def _from_release(facts: DeviceFacts, plan: Plan, version: int, who: str, trace: list[str]) -> Decision:
    target = plan.targets.get((version, facts.platform_id or 0))
    if target is None:
        return _nothing(f"{who}, has no image for its platform.", trace)
    if facts.product_version is not None and target.version < facts.product_version:
        return _nothing(f"{who}, is older than the version {facts.product_version} it runs.", trace)
    return _unless_refused(facts, target, None, None, trace, who)


def _unless_refused(
    facts: DeviceFacts, target: Target, rollout_id: int | None, stage: int | None, trace: list[str], who: str
) -> Decision:
    if facts.identity == target.identity[:8]:
        return _nothing(f"{who}: it runs it.", trace)
    why = refusal(facts, target)
    if why is not None:
        return _nothing(f"{who}: {why}", trace)
    return Decision(target, rollout_id, stage, (*trace, f"{who}: version {target.version} is offered."))


def refusal(facts: DeviceFacts, target: Target) -> str | None:
    """Why this device must not get this image."""
    if facts.security_counter is None or facts.hardware_revision is None or facts.bootloader_version is None:
        return "it has not told security counter, hardware revision and bootloader version."
    if target.security_counter < facts.security_counter:
        return f"security counter {target.security_counter} is below its own, {facts.security_counter}."
    if not target.hardware_lowest <= facts.hardware_revision <= target.hardware_highest:
        return (
            f"for hardware revisions {target.hardware_lowest} to {target.hardware_highest}, "
            f"it is {facts.hardware_revision}."
        )
    if target.min_bootloader > facts.bootloader_version:
        return f"needs bootloader {target.min_bootloader}, it has {facts.bootloader_version}."
    if target.identity[:IDENTITY_PREFIX_SIZE] in facts.blocked:
        return "this image failed on it and is not offered again."
    return None


def _nothing(why: str, trace: list[str] | None = None) -> Decision:
    return Decision(None, None, None, (*(trace or ()), why))
