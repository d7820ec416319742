# SPDX-License-Identifier: Apache-2.0
"""Rules for rollouts: making, starting, pausing and ending them, and what their gates decide."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ota_server.audit import store as audit
from ota_server.audit.models import Entry
from ota_server.errors import Conflict, Forbidden, Invalid, NotFound
from ota_server.organizations import store as organizations
from ota_server.products import store as products
from ota_server.products.models import Product
from ota_server.releases import service as releases_service
from ota_server.releases import store as releases
from ota_server.rollouts import baseline, cohorts, progress, store
from ota_server.rollouts.cohort import Cohort, Everyone
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.judge import Judgement, Verdict, judge, with_reached
from ota_server.rollouts.models import COUNTERS, Forgiven, Rollout, RolloutStatus, Stage
from ota_server.rollouts.schedule import Schedule
from ota_server.telemetry.steady import steady_since
from ota_server.times import rfc3339

STAGES_MAX = 20
SALT_SIZE = 16
BY_GATE = "by the gate: "


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage of a rollout to be made; see `Stage` for the fields."""

    percent: int
    gate: Gate
    cohort: Cohort = field(default_factory=Everyone)


def create(
    connection: Connection,
    product: Product,
    version: int,
    stages: Sequence[NewStage],
    by: str,
    now_ms: int,
    name: str = "",
    salt: bytes | None = None,
    schedule: Schedule | None = None,
    undoes: int | None = None,
) -> Rollout:
    """Makes a draft. `undoes`: see `Rollout`.

    Raises:
        NotFound: there is no such release, or no group or cohort of a name.
        Invalid: stages or salt have no legal value.
        Conflict: it is killed.
    """
    release = releases_service.find(connection, product, version)
    releases_service.check_alive(release)
    check_stages(stages)
    for stage in stages:
        cohorts.check_names(connection, product, stage.cohort)
    if salt is not None and len(salt) != SALT_SIZE:
        raise Invalid(f"a salt has {SALT_SIZE} bytes", "salt")
    values: dict[str, object] = {
        "product_id": product.id,
        "release_id": release.id,
        "version": version,
        "undoes": undoes,
        "name": name or f"Version {version}",
        "status": RolloutStatus.DRAFT,
        "reason": "Not started yet.",
        "salt": salt or os.urandom(SALT_SIZE),
        "schedule": schedule or Schedule(),
        "stage": 0,
        "created_ms": now_ms,
        "created_by": by,
        "forgiven": Forgiven(),
        **dict.fromkeys(COUNTERS, 0),
    }
    stage_values: list[dict[str, object]] = [
        {"cohort": stage.cohort, "percent": stage.percent, "gate": stage.gate, "failures_forgiven": 0}
        for stage in stages
    ]
    return get(connection, product, store.add(connection, values, stage_values))


def get(connection: Connection, product: Product, rollout_id: int) -> Rollout:
    """A rollout of this product. Raises NotFound."""
    rollout = store.get(connection, rollout_id)
    if rollout is None or rollout.product_id != product.id:
        raise NotFound(f"product {product.id} has no rollout {rollout_id}")
    return rollout


def start(connection: Connection, product: Product, rollout_id: int, now_ms: int) -> Rollout:
    """Starts a draft, or schedules one whose time has not come.

    Raises:
        Conflict: it is no draft, or its release has no image.
    """
    rollout = get(connection, product, rollout_id)
    if rollout.status is RolloutStatus.PAUSED:
        raise Conflict(f"rollout {rollout.id} is paused: resume it")
    if rollout.schedule.is_due(now_ms):
        _begin(connection, rollout, now_ms)
    else:
        store.move_rollout(connection, rollout, RolloutStatus.SCHEDULED, {"reason": _waits(rollout.schedule)})
    return get(connection, product, rollout_id)


def _begin(connection: Connection, rollout: Rollout, now_ms: int) -> None:
    """Begins the first stage, with saved cohorts as they are now, and asks for the patches that are likely needed.

    Raises Conflict.
    """
    targets = [
        image
        for image in releases.images_of_product(connection, rollout.product_id)
        if image.version == rollout.version
    ]
    if not targets:
        raise Conflict(f"release {rollout.version} has no image yet: publish one first")
    store.move_rollout(connection, rollout, RolloutStatus.RUNNING, {"started_ms": now_ms, "reason": "Stage 1 begins."})
    stages = store.stages_of(connection, rollout.id)
    for stage in stages:
        meant = cohorts.resolve(connection, rollout.product_id, stage.cohort)
        store.change_stage(connection, rollout.id, stage.position, {"cohort": meant})
    if any(stage.gate.worse_than_before for stage in stages):
        baseline.keep(connection, rollout, now_ms)
    store.change_stage(connection, rollout.id, 0, {"started_ms": now_ms})
    for image in targets:
        releases_service.want_likely_patches(connection, image, now_ms)
    store.ask_scan(connection, rollout.product_id)
    products.plan_changed(connection, rollout.product_id)


def cancel(connection: Connection, product: Product, rollout_id: int, by: str) -> Rollout:
    """Takes a scheduled start back: it is a draft again. Raises Conflict."""
    rollout = get(connection, product, rollout_id)
    store.move_rollout(connection, rollout, RolloutStatus.DRAFT, {"reason": f"Its start was cancelled by {by}."})
    return get(connection, product, rollout_id)


def reschedule(connection: Connection, product: Product, rollout_id: int, schedule: Schedule, now_ms: int) -> Rollout:
    """Gives it another schedule; a scheduled one whose time has come by that begins. Raises Conflict."""
    rollout = get(connection, product, rollout_id)
    if rollout.status is RolloutStatus.ABORTED:
        raise Conflict(f"rollout {rollout.id} is aborted: it offers nothing any more")
    store.change(connection, rollout.id, {"schedule": schedule})
    products.plan_changed(connection, product.id)
    if rollout.status is RolloutStatus.SCHEDULED:
        if schedule.is_due(now_ms):
            _begin(connection, rollout, now_ms)
        else:
            store.change(connection, rollout.id, {"reason": _waits(schedule)})
    return get(connection, product, rollout_id)


def _waits(schedule: Schedule) -> str:
    assert schedule.start_ms is not None
    return f"Waits for its start at {rfc3339(schedule.start_ms)}."


def pause(connection: Connection, product: Product, rollout_id: int, reason: str) -> Rollout:
    """Stops offering; offers not staged yet are withdrawn at the devices' next check-ins. Raises Conflict."""
    rollout = get(connection, product, rollout_id)
    store.move_rollout(connection, rollout, RolloutStatus.PAUSED, {"reason": reason})
    products.plan_changed(connection, product.id)
    return get(connection, product, rollout_id)


def resume(connection: Connection, product: Product, rollout_id: int, by: str, now_ms: int) -> Rollout:
    """Goes on; failures until now have been seen and no longer count against the stage. Raises Conflict."""
    rollout = get(connection, product, rollout_id)
    if rollout.status in (RolloutStatus.DRAFT, RolloutStatus.SCHEDULED):
        raise Conflict(f"rollout {rollout.id} is {rollout.status} and has not begun: start it")
    store.move_rollout(connection, rollout, RolloutStatus.RUNNING, {"reason": f"Resumed by {by}."})
    forgiven = Forgiven(rollout.failures, rollout.reverted, rollout.crashed, rollout.crashed_early)
    store.change(connection, rollout.id, {"forgiven": forgiven})
    # Who approved the stage knew less than who resumes it.
    store.forget_approvals(connection, rollout.id, rollout.stage)
    store.change_stage(connection, rollout.id, rollout.stage, {"failures_forgiven": rollout.failures})
    products.plan_changed(connection, product.id)
    apply_gate(connection, rollout.id, now_ms)
    return get(connection, product, rollout_id)


def abort(connection: Connection, product: Product, rollout_id: int, by: str, now_ms: int) -> Rollout:
    """Ends it for good; devices keep what they run. Raises Conflict."""
    rollout = get(connection, product, rollout_id)
    is_default = rollout.undoes is None and reaches_all(connection, rollout)
    if rollout.status is RolloutStatus.COMPLETED and is_default:
        raise Conflict(f"rollout {rollout.id} is completed: release another version as the product's default")
    store.move_rollout(connection, rollout, RolloutStatus.ABORTED, {"reason": f"Aborted by {by}.", "ended_ms": now_ms})
    products.plan_changed(connection, product.id)
    return get(connection, product, rollout_id)


def approve(connection: Connection, product: Product, rollout_id: int, account_id: int, now_ms: int) -> Rollout:
    """Approves the stage that runs, when its gate waits for nothing else.

    Raises:
        Conflict: it does not wait for that, or the account has approved it.
        Forbidden: the account's role is not enough. An API user has none.
    """
    rollout = get(connection, product, rollout_id)
    if rollout.status is not RolloutStatus.RUNNING:
        raise Conflict(f"rollout {rollout.id} is {rollout.status}: there is nothing to approve")
    stage, judgement, _ = _look(connection, rollout, now_ms)
    if not judgement.awaits_approval or stage.gate.approval is None:
        raise Conflict(f"nothing waits for approval now. {judgement.reason}")
    roles = {one.id: role for one, role in organizations.of_account(connection, account_id)}
    if not stage.gate.approval.may_give(roles.get(product.organization_id)):
        raise Forbidden(f"stage {stage.position + 1} is approved by {stage.gate.approval.in_words()}")
    if not store.add_approval(connection, rollout.id, stage.position, account_id, now_ms):
        raise Conflict(f"you have approved stage {stage.position + 1}: it needs somebody else")
    apply_gate(connection, rollout.id, now_ms)
    return get(connection, product, rollout_id)


def apply_gate(connection: Connection, rollout_id: int, now_ms: int) -> None:
    """Compares the counters with the gate, and moves the rollout on, pauses or completes it."""
    while True:
        rollout = store.get(connection, rollout_id)
        assert rollout is not None
        if rollout.status is not RolloutStatus.RUNNING:
            return
        stage, judgement, is_reached_now = _look(connection, rollout, now_ms)
        if is_reached_now:
            store.change_stage(connection, rollout_id, stage.position, {"reached_ms": stage.reached_ms})
        if judgement.verdict is Verdict.WAIT:
            store.change(connection, rollout_id, {"reason": judgement.reason})
            return
        products.plan_changed(connection, rollout.product_id)
        if judgement.verdict is Verdict.PAUSE:
            store.move_rollout(connection, rollout, RolloutStatus.PAUSED, {"reason": judgement.reason})
            note(connection, rollout, "pause", f"{BY_GATE}{judgement.reason}", now_ms)
            return
        store.change_stage(connection, rollout_id, stage.position, {"ended_ms": now_ms})
        if judgement.verdict is Verdict.COMPLETE:
            reason = _complete(connection, rollout, judgement, now_ms)
            note(connection, rollout, "complete", f"{BY_GATE}{reason}", now_ms)
            return
        store.change(connection, rollout_id, {"stage": stage.position + 1, "reason": judgement.reason})
        note(connection, rollout, "advance", f"{BY_GATE}{judgement.reason}", now_ms)
        # What failed before has been weighed by the gate that let the rollout on.
        store.change_stage(
            connection, rollout_id, stage.position + 1, {"started_ms": now_ms, "failures_forgiven": rollout.failures}
        )


def is_due(connection: Connection, rollout: Rollout, now_ms: int) -> bool:
    """Whether `keep_time` would change something."""
    if rollout.status is RolloutStatus.SCHEDULED:
        return rollout.schedule.is_due(now_ms)
    if rollout.status is not RolloutStatus.RUNNING:
        return False
    _, judgement, is_reached_now = _look(connection, rollout, now_ms)
    return judgement.verdict is not Verdict.WAIT or is_reached_now


def keep_time(connection: Connection, rollout_id: int, now_ms: int) -> None:
    """Does what the time asks of a rollout; nothing when it has been done."""
    rollout = store.get(connection, rollout_id)
    assert rollout is not None
    if rollout.status is RolloutStatus.SCHEDULED and rollout.schedule.is_due(now_ms):
        _begin(connection, rollout, now_ms)
        note(connection, rollout, "start", "by its schedule", now_ms)
    apply_gate(connection, rollout_id, now_ms)


def current_judgement(connection: Connection, rollout: Rollout, now_ms: int) -> Judgement:
    """What the gate of the stage that runs says now."""
    return _look(connection, rollout, now_ms)[1]


def _look(connection: Connection, rollout: Rollout, now_ms: int) -> tuple[Stage, Judgement, bool]:
    """The stage that runs, what its gate says now, and whether it has its confirmed boots only since now."""
    stages = store.stages_of(connection, rollout.id)
    kept = stages[rollout.stage]
    stage = with_reached(rollout, kept, now_ms, steady_since(connection, now_ms) if kept.gate.soak_s else 0)
    approvals = store.count_approvals(connection, rollout.id, stage.position) if stage.gate.approval else 0
    before = baseline.before(connection, rollout.id) if stage.gate.worse_than_before else None
    is_last = stage.position == len(stages) - 1
    return stage, judge(rollout, stage, is_last, now_ms, approvals, before), stage != kept


def _complete(connection: Connection, rollout: Rollout, judgement: Judgement, now_ms: int) -> str:
    reason = f"{judgement.reason.removesuffix('.')}, {progress.not_offered(connection, rollout)} not seen."
    store.move_rollout(connection, rollout, RolloutStatus.COMPLETED, {"reason": reason, "ended_ms": now_ms})
    product = products.get(connection, rollout.product_id)
    assert product is not None
    # One that goes back just goes on. Else, whoever was not seen gets it later, as the product's default; where not all
    # devices were meant, from the rollout.
    if rollout.undoes is not None:
        return reason
    if reaches_all(connection, rollout) and (product.default_version or 0) < rollout.version:
        products.set_default_version(connection, rollout.product_id, rollout.version)
    return reason


def note(connection: Connection, rollout: Rollout, verb: str, detail: str, now_ms: int) -> None:
    """A line of the audit log about a move that nobody asked for; people's are written where they ask."""
    product = products.get(connection, rollout.product_id)
    assert product is not None
    subject = f"{product.id} rollout {rollout.id}"
    audit.add(connection, Entry(now_ms, None, product.organization_id, "", f"rollout.{verb}", subject, detail))


def check_stages(stages: Sequence[NewStage]) -> None:
    """Raises Invalid."""
    if not 1 <= len(stages) <= STAGES_MAX:
        raise Invalid(f"a rollout has 1 to {STAGES_MAX} stages", "stages")
    percents: dict[Cohort, int] = {}
    min_confirmed = 0
    for number, stage in enumerate(stages, 1):
        if not percents.get(stage.cohort, 0) < stage.percent <= 100:
            raise Invalid(f"stage {number}: percentages of a cohort rise, up to 100", "stages")
        if stage.gate.min_confirmed < min_confirmed:
            raise Invalid(f"stage {number}: min_confirmed counts the whole rollout and does not fall", "stages")
        percents[stage.cohort], min_confirmed = stage.percent, stage.gate.min_confirmed


def stage_list(connection: Connection, rollout: Rollout) -> list[Stage]:
    return store.stages_of(connection, rollout.id)


def reaches_all(connection: Connection, rollout: Rollout) -> bool:
    """Whether it brings its version to every device of the product."""
    return any(stage.reach.reaches_all for stage in stage_list(connection, rollout))
