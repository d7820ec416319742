# SPDX-License-Identifier: Apache-2.0
"""What the management API says of rollouts, and of what they are expected to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from muster.layout import platform_name
from ota_server.api.views import Json, time
from ota_server.rollouts.forecast import SIMULATED, Forecast, Interval, Simulation, StageForecast
from ota_server.rollouts.judge import Distance, Judgement
from ota_server.rollouts.models import OutcomeKind, Rollout, Stage
from ota_server.rollouts.outcomes import reason_text
from ota_server.rollouts.progress import Progress


def rollout(
    item: Rollout,
    stages: Sequence[Stage],
    judgement: Judgement | None,
    progress: Progress,
    approvals: Sequence[tuple[int, str, int]],
) -> Json:
    """`judgement`: what the gate says now, of a rollout that is not over; `approvals`: stage, by whom, when."""
    counted = asdict(progress)
    scanned_ms = counted.pop("scanned_ms")
    return {
        "id": item.id,
        "product_id": item.product_id,
        "version": item.version,
        "undoes": item.undoes,
        "name": item.name,
        "status": item.status.value,
        "reason": item.reason,
        "gate": item.reason if judgement is None else judgement.reason,
        "gate_distance": [] if judgement is None else [distance(one) for one in judgement.distances],
        "salt": item.salt.hex(),
        "schedule": item.schedule.to_json(),
        "stage": item.stage + 1,
        "stages": [stage(one) for one in stages],
        "approvals": [{"stage": position + 1, "by": email, "at": time(at_ms)} for position, email, at_ms in approvals],
        "created_at": time(item.created_ms),
        "created_by": item.created_by,
        "started_at": time(item.started_ms),
        "ended_at": time(item.ended_ms),
        "counters": {
            "offered": item.offered,
            "confirmed": item.confirmed,
            "reverted": item.reverted,
            "failed": item.failed,
            "interrupted": item.interrupted,
            "no_contact": item.no_contact,
            "stopped": item.stopped,
            "crashed": item.crashed,
            "crashed_early": item.crashed_early,
        },
        "progress": {**counted, "scanned_at": time(scanned_ms)},
    }


def distance(item: Distance) -> Json:
    shown: Json = {"name": item.name, "count": item.count, "limit": item.limit}
    if item.evidence is None:
        return shown
    shown |= {"of": item.of, "rate": round(item.rate or 0, 6), "evidence": round(item.evidence, 2)}
    return {**shown, "before": item.before} if item.before else shown


def forecast(item: Forecast) -> Json:
    return {
        "scanned_at": time(item.scanned_ms),
        "devices": item.devices,
        "already": item.already,
        "skipped": [{"reason": reason, "devices": count} for reason, count in item.skipped.items()],
        "silent": item.silent,
        "stages": [stage_forecast(position, one) for position, one in enumerate(item.stages, 1)],
        "points": [{"at": time(at_ms), "confirmed": confirmed} for at_ms, confirmed in item.points],
        "bytes_patched": item.bytes_patched,
        "bytes_full": item.bytes_full,
    }


def expected(ends_ms: Interval) -> Json:
    """When something is expected to end."""
    return {"early": time(ends_ms.early), "likely": time(ends_ms.likely), "late": time(ends_ms.late)}


def stage_forecast(position: int, item: StageForecast) -> Json:
    sent = item.bytes_sent
    return {
        "position": position,
        "devices": item.devices,
        "bases": [
            {
                "platform": platform_name(base.platform_id),
                "identity": base.identity,
                "version": base.version,
                "devices": base.devices,
                "patch_bytes": base.patch_bytes,
                "full_bytes": base.full_bytes,
                "is_estimated": base.is_estimated,
            }
            for base in item.bases
        ],
        "ends_at": expected(item.ends_ms),
        "bytes_sent": {"early": sent.early, "likely": sent.likely, "late": sent.late},
    }


def simulation(item: Simulation) -> Json:
    return {
        "scanned_at": time(item.scanned_ms),
        "began_at": time(item.began_ms),
        "acts": [
            {
                "at": time(act.at_ms),
                "stage": act.stage + 1,
                "verdict": act.verdict.name.lower(),
                "reason": act.reason,
                "bytes_sent": act.bytes_sent,
                # How many of the other plays had this gate do the same.
                "also": item.ends.get((act.stage, act.verdict), 0),
            }
            for act in item.played.acts
        ],
        "others": [
            {"stage": stage + 1, "verdict": verdict.name.lower(), "plays": count}
            for (stage, verdict), count in sorted(item.ends.items(), key=lambda one: (one[0][0], one[0][1].value))
        ],
        "plays": SIMULATED,
        "points": [
            {
                "at": time(point.at_ms),
                "offered": point.offered,
                "confirmed": point.confirmed,
                "failures": point.failures,
                "bytes_sent": point.bytes_sent,
            }
            for point in item.played.shown
        ],
    }


def stage(item: Stage) -> Json:
    return {
        "position": item.position + 1,
        "cohort": item.cohort.to_json(),
        "percent": item.percent,
        "in_words": item.reach.in_words(),
        "gate": item.gate.to_json(),
        "started_at": time(item.started_ms),
        "reached_at": time(item.reached_ms),
        "ended_at": time(item.ended_ms),
    }


def reasons(items: Sequence[tuple[OutcomeKind, int, int]]) -> list[Json]:
    return [{"kind": kind.value, "reason": reason_text(reason), "count": count} for kind, reason, count in items]


def troubles(items: Sequence[tuple[str, OutcomeKind, int]]) -> list[Json]:
    return [
        {"device": device_id, "kind": kind.value, "reason": reason_text(reason)} for device_id, kind, reason in items
    ]
