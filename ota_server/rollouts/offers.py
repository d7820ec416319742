# SPDX-License-Identifier: Apache-2.0
"""Turns a ruling into an offer: finds the patch, numbers the attempt, and takes offers back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from muster.layout import IDENTITY_PREFIX_SIZE
from muster.protocol import Offer
from ota_server.devices import groups
from ota_server.devices.models import Device
from ota_server.releases import store as releases
from ota_server.releases.models import FULL, PatchStatus, StoredPatch
from ota_server.rollouts import baseline, store
from ota_server.rollouts.decide import Pace, Plan, Ruling
from ota_server.rollouts.facts import DeviceFacts, Target, facts_of
from ota_server.rollouts.models import Attempt, AttemptStatus, OutcomeKind
from ota_server.rollouts.plan import target_of
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind


@dataclass(frozen=True, slots=True)
class OfferMade:
    """A new offer; None while its patch is being made, or another minute has to begin.

    Attributes:
        consent_s: for how long its device may put it off.
    """

    offer: Offer | None
    is_waiting_for_patch: bool
    consent_s: int = 0


def load_facts(connection: Connection, device: Device, plan: Plan, is_busy: bool, now_ms: int) -> DeviceFacts:
    """What decides about a device, as the database has it. Its groups are read only when the plan names any."""
    names = plan.named_groups
    in_groups = names.intersection(groups.of_devices(connection, [device.id]).get(device.id, ())) if names else names
    image = None
    if device.development and device.flash_image is not None:
        image = releases.image_by_row(connection, device.flash_image)
    flashed = None if image is None else target_of(image)
    return facts_of(device, in_groups, flashed, is_busy, now_ms, plan.time_zone)


def make_offer(
    connection: Connection, device: Device, ruling: Ruling, target: Target, now_ms: int, may_wait: bool
) -> OfferMade:
    """Offers the smallest verified way from what the device runs to the target; asks for it when there is none yet.

    The caller stores the attempt's number as the device's newest and open one.

    Args:
        may_wait: whether the device may come again for a patch that is being made; else it gets the full image.
    """
    patch = _choose_patch(connection, device, target, now_ms, may_wait)
    if patch is None:
        return OfferMade(None, is_waiting_for_patch=True)
    assert patch.digest is not None
    assert patch.size is not None
    if not _has_turn(connection, ruling.pace, now_ms):
        return OfferMade(None, is_waiting_for_patch=False)
    asked_ms = _asked_ms(connection, device, target, ruling.pace, now_ms)
    number = device.attempt_counter + 1
    is_full = patch.base_identity == FULL
    is_first = store.add_attempt(
        connection,
        {
            "device_row": device.id,
            "number": number,
            "rollout_id": ruling.rollout_id,
            "stage": ruling.stage,
            "target_image": target.image_id,
            "target_identity": target.identity,
            "base_version": None if is_full else device.product_version,
            "patch_id": patch.id,
            "is_full": is_full,
            "patch_size": patch.size,
            "full_size": _full_size(connection, target),
            "status": AttemptStatus.OFFERED,
            "received": 0,
            "offered_ms": now_ms,
            "asked_ms": asked_ms,
        },
    )
    if ruling.rollout_id is not None and is_first:
        store.count_up(connection, ruling.rollout_id, now_ms, "offered")
        baseline.count_device(connection, ruling.rollout_id, device.product_version)
    what = "the full image" if is_full else "a patch"
    releases.used_patch(connection, patch, now_ms)
    text = f"Attempt {number}: offered version {target.version} by {what} of {patch.size} bytes. {ruling.why}"
    telemetry.add_history(connection, device.id, now_ms, HistoryKind.OFFERED, text)
    offer = _offer(number, target.identity, patch.digest, patch.size, target.size)
    return OfferMade(offer, False, consent_s(ruling, asked_ms, now_ms))


def consent_s(ruling: Ruling, asked_ms: int | None, now_ms: int) -> int:
    """For how long a device that was first asked then may put off what is offered; 0: it begins."""
    if ruling.pace is None or asked_ms is None:
        return 0
    return ruling.pace.schedule.consent_s(asked_ms, now_ms)


def repeat_offer(connection: Connection, attempt: Attempt) -> Offer | None:
    """The same offer again, for a device that has not heard of it."""
    image = releases.image_by_row(connection, attempt.target_image)
    patch = releases.patch_by_row(connection, attempt.patch_id)
    if image is None or patch is None or patch.digest is None or patch.size is None:
        return None
    return _offer(attempt.number, image.identity, patch.digest, patch.size, image.size)


def withdraw(connection: Connection, device: Device, attempt: Attempt, why: str, now_ms: int) -> None:
    """Ends an attempt that nobody wants any more. Its outcome still counts if the device has gone ahead."""
    store.move_attempt(connection, attempt, AttemptStatus.WITHDRAWN, {"ended_ms": now_ms})
    text = f"Attempt {attempt.number} was withdrawn. {why}"
    telemetry.add_history(connection, device.id, now_ms, HistoryKind.WITHDRAWN, text)


def _offer(number: int, identity: bytes, digest: bytes, patch_len: int, image_len: int) -> Offer:
    return Offer(number, identity[:IDENTITY_PREFIX_SIZE], digest, patch_len, image_len)


def _has_turn(connection: Connection, pace: Pace | None, now_ms: int) -> bool:
    per_minute = None if pace is None else pace.schedule.per_minute
    return pace is None or per_minute is None or store.take_turn(connection, pace.rollout_id, per_minute, now_ms)


def _asked_ms(connection: Connection, device: Device, target: Target, pace: Pace | None, now_ms: int) -> int | None:
    """Since when the device is asked; an offer that was withdrawn meanwhile gives it no more time."""
    if pace is None or pace.schedule.postpone_max_s is None:
        return None
    before_ms = store.first_asked_ms(connection, device.id, target.identity)
    return now_ms if before_ms is None else before_ms


def _choose_patch(
    connection: Connection, device: Device, target: Target, now_ms: int, may_wait: bool
) -> StoredPatch | None:
    full = _ready(connection, device, FULL, target, now_ms)
    if _is_patch_distrusted(connection, device, target):
        return full[1]
    assert device.identity is not None
    assert device.platform_id is not None
    base = releases.running_image(connection, device.product_id, device.platform_id, device.identity)
    if base is None:
        return full[1]
    status, patch = _ready(connection, device, base.identity, target, now_ms)
    if status is PatchStatus.PENDING and may_wait:
        # A full image is many times larger: waiting some seconds for the patch is the better offer.
        return None
    candidates = [item for item in (patch, full[1]) if item is not None]
    return min(candidates, key=lambda item: item.size or 0, default=None)


def _full_size(connection: Connection, target: Target) -> int:
    """What the target costs without a patch: nobody has packed it yet, or that failed, its own size."""
    full = releases.patch_between(connection, FULL, target.identity)
    return target.size if full is None or full.size is None else full.size


def _ready(
    connection: Connection, device: Device, base: bytes, target: Target, now_ms: int
) -> tuple[PatchStatus, StoredPatch | None]:
    """A patch's status, and the patch when it may be offered; one that nobody asked for yet is asked for."""
    patch = releases.patch_between(connection, base, target.identity)
    if patch is None or patch.status is PatchStatus.EVICTED:
        releases.want_patch(connection, device.product_id, base, target.identity, now_ms)
        return PatchStatus.PENDING, None
    return patch.status, patch if patch.status is PatchStatus.READY else None


def _is_patch_distrusted(connection: Connection, device: Device, target: Target) -> bool:
    """After a download that stopped, whatever the cause, the next one does not depend on the base."""
    return store.count_outcomes(connection, device.id, target.identity, OutcomeKind.STOPPED) > 0
