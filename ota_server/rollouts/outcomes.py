# SPDX-License-Identifier: Apache-2.0
"""Counts what came of attempts. The outcome's row, the counters and the gate's verdict are one commit."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from muster.layout import IDENTITY_PREFIX_SIZE
from muster.protocol import Outcome, OutcomeType
from muster.status import OtaStatus
from ota_server.devices import store as devices
from ota_server.devices.models import Device
from ota_server.rollouts import baseline, counts, service, store
from ota_server.rollouts.models import Attempt, AttemptStatus, OutcomeKind
from ota_server.telemetry import store as telemetry
from ota_server.telemetry.models import HistoryKind

NO_CONTACT_MAX = 3
"""So many trials of one image on one device may end without contact; the last of them is a failure."""
STOPPED_MAX = 3
"""The same for downloads that stopped."""
INTERRUPTED_MAX = 5
"""After so many interrupted attempts an image is not offered to a device again; that is no failure of the image."""

REASON_NO_CONTACT = 4
REASON_CHECK_BASE = 256

REASONS = {
    0: "none",
    1: "the watchdog reset its trial",
    2: "a processor fault reset its trial",
    3: "it reset itself during its trial",
    4: "no contact with the server before the trial's deadline",
    5: "three trials ended by loss of power",
    6: "its confirmed slot was corrupt, it fell back to the other one",
    7: "it recovered from having nothing bootable",
}
"""Reasons of the boot log (docs/spec/boot.md section 4)."""

# The image itself, or this device for good, is at fault: another download would end the same way. A device says so only
# of bytes that have the patch's digest; ERR_IDENTITY it says of a patch's header too, which a gateway may have made up.
_REFUSALS = frozenset(range(OtaStatus.ERR_SLOT, OtaStatus.ERR_IMAGE_LENGTH + 1)) - {OtaStatus.ERR_IDENTITY}


def reason_text(reason: int) -> str:
    """A reason in words: of the boot log, or a negative `ota_status`."""
    status = reason if reason < 0 else REASON_CHECK_BASE - reason
    if reason in REASONS:
        return REASONS[reason]
    try:
        return OtaStatus(status).text
    except ValueError:
        return f"reason {reason}"


def kind_of(outcome: Outcome) -> OutcomeKind:
    """What a report of the boot log's last outcome counts as."""
    if outcome.type is OutcomeType.CONFIRMED:
        return OutcomeKind.CONFIRMED
    if outcome.type is OutcomeType.INTERRUPTED:
        return OutcomeKind.INTERRUPTED
    if outcome.reason == REASON_NO_CONTACT:
        return OutcomeKind.NO_CONTACT
    return OutcomeKind.FAILED if outcome.reason >= REASON_CHECK_BASE else OutcomeKind.REVERTED


def count_outcome(connection: Connection, device: Device, outcome: Outcome, now_ms: int) -> Attempt | None:
    """Counts a reported outcome, at most once; returns its attempt, or None for one that this server did not make."""
    if outcome.attempt == 0 and outcome.type is OutcomeType.CONFIRMED and outcome.reason == 0:
        return None  # what the device was made with: every new device tells it once
    attempt = store.attempt_of(connection, device.id, outcome.attempt)
    if attempt is None or attempt.target_identity[: len(outcome.identity)] != outcome.identity:
        text = f"Told of attempt {outcome.attempt}, which this server did not make: {reason_text(outcome.reason)}."
        once = f"outcome {outcome.attempt} {outcome.type} {outcome.identity.hex()} {outcome.reason}"
        telemetry.add_history(connection, device.id, now_ms, HistoryKind.ALERT, text, once)
        return None
    end_attempt(connection, device, attempt, kind_of(outcome), outcome.reason, now_ms)
    return attempt


def stop_attempt(connection: Connection, device: Device, attempt: Attempt, status: int, now_ms: int) -> None:
    """Counts a download that the device gave up with a negative `ota_status`."""
    end_attempt(connection, device, attempt, OutcomeKind.STOPPED, status, now_ms)


def end_attempt(
    connection: Connection, device: Device, attempt: Attempt, kind: OutcomeKind, reason: int, now_ms: int
) -> None:
    """Writes the outcome of an attempt; a second one changes nothing."""
    is_final = is_failure(connection, device, attempt, kind, reason)
    is_new = store.add_outcome(
        connection,
        {
            "device_row": device.id,
            "attempt": attempt.number,
            "rollout_id": attempt.rollout_id,
            "target_identity": attempt.target_identity,
            "kind": kind,
            "is_failure": is_final,
            "reason": reason,
            "at_ms": now_ms,
        },
    )
    if not is_new:
        return
    store.move_attempt(connection, attempt, AttemptStatus(kind.value), {"reason": reason, "ended_ms": now_ms})
    text = _history_text(attempt, kind, reason)
    telemetry.add_history(connection, device.id, now_ms, HistoryKind(kind.value), text)
    if is_final or _is_worn_out(connection, device, attempt, kind):
        _block(connection, device, attempt.target_identity)
    if attempt.rollout_id is not None:
        escalated = is_final and kind in (OutcomeKind.NO_CONTACT, OutcomeKind.STOPPED)
        store.count_up(connection, attempt.rollout_id, now_ms, kind.value, *(["failed"] if escalated else []))
        if kind is not OutcomeKind.CONFIRMED:
            counts.trouble(connection, attempt.rollout_id, kind, reason)
        service.apply_gate(connection, attempt.rollout_id, now_ms)


def count_crash(connection: Connection, device: Device, identity: bytes, now_ms: int) -> None:
    """Counts a new crash of an image: of its version, and of the rollout that offered it to the device, once each.

    `identity`: the first bytes of the crashed image's. A crash on trial counts as one besides the revert that follows.
    """
    baseline.count_crash(connection, device, identity, now_ms)
    for attempt in store.attempts_of_device(connection, device.id):
        if attempt.rollout_id is not None and attempt.target_identity[: len(identity)] == identity:
            is_early = now_ms < attempt.offered_ms + baseline.WEEK_MS
            if store.add_crash(connection, attempt.rollout_id, device.id, is_early, now_ms):
                store.count_up(connection, attempt.rollout_id, now_ms, "crashed", *["crashed_early"] * is_early)
                service.apply_gate(connection, attempt.rollout_id, now_ms)
            return


def is_failure(connection: Connection, device: Device, attempt: Attempt, kind: OutcomeKind, reason: int) -> bool:
    """Whether an outcome counts as a failure of the image, so that this device is not offered it again."""
    if kind in (OutcomeKind.REVERTED, OutcomeKind.FAILED):
        return True
    if kind is OutcomeKind.STOPPED and reason in _REFUSALS:
        return True
    limits = {OutcomeKind.NO_CONTACT: NO_CONTACT_MAX, OutcomeKind.STOPPED: STOPPED_MAX}
    if kind not in limits:
        return False
    before = store.count_outcomes(connection, device.id, attempt.target_identity, kind)
    return before + 1 >= limits[kind]


def _is_worn_out(connection: Connection, device: Device, attempt: Attempt, kind: OutcomeKind) -> bool:
    return (
        kind is OutcomeKind.INTERRUPTED
        and store.count_outcomes(connection, device.id, attempt.target_identity, kind) >= INTERRUPTED_MAX
    )


def _block(connection: Connection, device: Device, identity: bytes) -> None:
    current = devices.by_row(connection, device.id)
    assert current is not None
    blocked = sorted({*json.loads(current.blocked), identity[:IDENTITY_PREFIX_SIZE].hex()})
    devices.change(connection, device.id, {"blocked": json.dumps(blocked)})


def _history_text(attempt: Attempt, kind: OutcomeKind, reason: int) -> str:
    number = f"Attempt {attempt.number}"
    if kind is OutcomeKind.CONFIRMED:
        return f"{number} confirmed."
    words = {
        OutcomeKind.REVERTED: "reverted",
        OutcomeKind.FAILED: "was refused",
        OutcomeKind.INTERRUPTED: "was interrupted",
        OutcomeKind.NO_CONTACT: "ended without contact",
        OutcomeKind.STOPPED: "stopped while downloading",
    }
    return f"{number} {words[kind]}: {reason_text(reason)}."
