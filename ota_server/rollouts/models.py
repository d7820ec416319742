# SPDX-License-Identifier: Apache-2.0
"""Rollouts, stages, attempts and outcomes as the server keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from ota_server.moves import Moves
from ota_server.rollouts.cohort import Cohort, CohortText, ReachingStage
from ota_server.rollouts.gate import Gate
from ota_server.rollouts.schedule import Schedule
from ota_server.storage.schema import DocumentType, RowNumber, metadata, status_type


class RolloutStatus(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    """Started, and waits for its time."""
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ABORTED = "aborted"


ROLLOUT_MOVES: Moves[RolloutStatus] = {
    RolloutStatus.DRAFT: frozenset({RolloutStatus.SCHEDULED, RolloutStatus.RUNNING, RolloutStatus.ABORTED}),
    RolloutStatus.SCHEDULED: frozenset({RolloutStatus.DRAFT, RolloutStatus.RUNNING, RolloutStatus.ABORTED}),
    RolloutStatus.RUNNING: frozenset({RolloutStatus.PAUSED, RolloutStatus.COMPLETED, RolloutStatus.ABORTED}),
    RolloutStatus.PAUSED: frozenset({RolloutStatus.RUNNING, RolloutStatus.ABORTED}),
    RolloutStatus.COMPLETED: frozenset({RolloutStatus.ABORTED}),
    RolloutStatus.ABORTED: frozenset(),
}

OPEN = (RolloutStatus.DRAFT, RolloutStatus.SCHEDULED, RolloutStatus.RUNNING, RolloutStatus.PAUSED)
"""Statuses of rollouts that have not ended."""


class AttemptStatus(StrEnum):
    """How far one device is with one offer."""

    OFFERED = "offered"
    DOWNLOADING = "downloading"
    STAGED = "staged"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NO_CONTACT = "no_contact"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"


GOING_ON = (AttemptStatus.OFFERED, AttemptStatus.DOWNLOADING, AttemptStatus.STAGED, AttemptStatus.TRIAL)
ENDS = frozenset(AttemptStatus) - frozenset(GOING_ON)

ATTEMPT_MOVES: Moves[AttemptStatus] = {
    # Any report may be lost, so every later state can be the next one that is heard of.
    AttemptStatus.OFFERED: frozenset({AttemptStatus.DOWNLOADING, AttemptStatus.STAGED, AttemptStatus.TRIAL}) | ENDS,
    AttemptStatus.DOWNLOADING: frozenset({AttemptStatus.STAGED, AttemptStatus.TRIAL}) | ENDS,
    AttemptStatus.STAGED: frozenset({AttemptStatus.TRIAL}) | ENDS,
    AttemptStatus.TRIAL: ENDS - {AttemptStatus.STOPPED},
    **dict.fromkeys(ENDS, frozenset()),
    # A withdrawal may cross a device that has staged the image already: then its outcome still counts.
    AttemptStatus.WITHDRAWN: frozenset(
        {
            AttemptStatus.CONFIRMED,
            AttemptStatus.REVERTED,
            AttemptStatus.FAILED,
            AttemptStatus.INTERRUPTED,
            AttemptStatus.NO_CONTACT,
        }
    ),
}


class OutcomeKind(StrEnum):
    """What came of an attempt. Only CONFIRMED is a success; only REVERTED and FAILED are failures."""

    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    """The trial ran and the device went back: watchdog, fault or software reset."""
    FAILED = "failed"
    """The device refused the image."""
    INTERRUPTED = "interrupted"
    """Three trials were cut by loss of power."""
    NO_CONTACT = "no_contact"
    """No authentic answer before the trial's deadline."""
    STOPPED = "stopped"
    """The download stopped: a flash error, a damaged patch."""


COUNTERS = (
    "offered",
    "confirmed",
    "reverted",
    "failed",
    "interrupted",
    "no_contact",
    "stopped",
    "crashed",
    "crashed_early",
)


CHARTED = ("offered", "confirmed", "reverted", "failed")
"""Counters whose course is kept: see `course`."""


@dataclass(frozen=True, slots=True)
class Forgiven:
    """Devices whose failure counts no longer against a rate."""

    failures: int = 0
    reverted: int = 0
    crashed: int = 0
    crashed_early: int = 0

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Forgiven:
        return cls(**json.loads(text))


rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("release_id", ForeignKey("releases.id"), nullable=False),
    Column("version", Integer, nullable=False),
    # It is for whoever runs this version, and goes back from it.
    Column("undoes", Integer, nullable=True),
    Column("name", String(200), nullable=False),
    Column("status", status_type(RolloutStatus, "rollout_status"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("salt", LargeBinary(16), nullable=False),
    Column("schedule", DocumentType(Schedule), nullable=False),
    # The minute since 1970 in which it offered last, and how often it did so then.
    Column("minute", BigInteger, nullable=False, default=0),
    Column("minute_offers", Integer, nullable=False, default=0),
    Column("stage", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("started_ms", BigInteger, nullable=True),
    Column("ended_ms", BigInteger, nullable=True),
    *(Column(name, Integer, nullable=False, default=0) for name in COUNTERS),
    Column("forgiven", DocumentType(Forgiven), nullable=False),
    Index("ix_rollouts_product_status", "product_id", "status"),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey("products.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("cohort", CohortText, nullable=False),
    UniqueConstraint("product_id", "name"),
)

stages = Table(
    "stages",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("cohort", CohortText, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("gate", DocumentType(Gate), nullable=False),
    Column("failures_forgiven", Integer, nullable=False, default=0),
    Column("started_ms", BigInteger, nullable=True),
    Column("reached_ms", BigInteger, nullable=True),
    Column("ended_ms", BigInteger, nullable=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=True),
    Column("stage", Integer, nullable=True),
    Column("target_image", ForeignKey("images.id"), nullable=False),
    Column("target_identity", LargeBinary(32), nullable=False),
    Column("base_version", Integer, nullable=True),
    Column("patch_id", ForeignKey("patches.id"), nullable=False),
    Column("is_full", Boolean(create_constraint=True, name="is_full"), nullable=False),
    Column("patch_size", Integer, nullable=False),
    Column("full_size", Integer, nullable=False),
    Column("status", status_type(AttemptStatus, "attempt_status"), nullable=False),
    Column("reason", Integer, nullable=True),
    Column("received", BigInteger, nullable=False, default=0),
    Column("is_latest", Boolean(create_constraint=True, name="is_latest"), nullable=False),
    Column("offered_ms", BigInteger, nullable=False),
    Column("asked_ms", BigInteger, nullable=True),
    Column("postponed_until_ms", BigInteger, nullable=True),
    Column("ended_ms", BigInteger, nullable=True),
    UniqueConstraint("device_row", "number"),
    Index("ix_attempts_rollout_latest", "rollout_id", "is_latest", "status"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("device_row", ForeignKey("devices.id"), nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=True, index=True),
    Column("target_identity", LargeBinary(32), nullable=False),
    Column("kind", status_type(OutcomeKind, "outcome_kind"), nullable=False),
    Column("is_failure", Boolean(create_constraint=True, name="is_failure"), nullable=False),
    Column("reason", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("device_row", "attempt"),
)
IS_TROUBLE = outcomes.c.kind != literal_column("'confirmed'")
"""Of an outcome that was no success; written out, or SQLite would not see that the index is for it."""
Index("ix_outcomes_trouble", outcomes.c.rollout_id, outcomes.c.id, sqlite_where=IS_TROUBLE, postgresql_where=IS_TROUBLE)

# One row for each rollout, and one for each end that some outcome of it came to: see `counts`.
attempt_counts = Table(
    "attempt_counts",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    *(Column(status.value, Integer, nullable=False, default=0) for status in AttemptStatus),
    Column("bytes_sent", BigInteger, nullable=False, default=0),
    Column("bytes_saved", BigInteger, nullable=False, default=0),
)

trouble_counts = Table(
    "trouble_counts",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("kind", status_type(OutcomeKind, "outcome_kind"), primary_key=True),
    Column("reason", Integer, primary_key=True),
    Column("outcomes", Integer, nullable=False),
)

# What came in a minute since 1970 of the counters that a rollout's chart shows; no row where nothing did.
rollout_minutes = Table(
    "rollout_minutes",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Integer, nullable=False, default=0) for name in CHARTED),
    sqlite_with_rowid=False,
)

# When a product's devices were looked at last, and what that found for each rollout: see `scanner`.
fleet_scans = Table(
    "fleet_scans",
    metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("began_ms", BigInteger, nullable=False),
    # NULL: it is under way.
    Column("took_ms", BigInteger, nullable=True),
    Column("is_wanted", Boolean(create_constraint=True, name="is_wanted"), nullable=False),
)

rollout_scans = Table(
    "rollout_scans",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("found", Text, nullable=False),
    Column("sample", LargeBinary, nullable=False),
    Column("forecast", Text, nullable=False),
)

# Who let a stage end; an account's approval counts once.
approvals = Table(
    "approvals",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

# Who crashed while it ran what a rollout offered it, once for each device and rollout.
rollout_crashes = Table(
    "rollout_crashes",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("device_row", ForeignKey("devices.id"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("is_early", Boolean(create_constraint=True, name="is_early"), nullable=False),
    sqlite_with_rowid=False,
)

# How many devices were heard running a version in a week of the epoch, and how many of these crashed: see `baseline`.
version_weeks = Table(
    "version_weeks",
    metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("week", Integer, primary_key=True),
    Column("heard", Integer, nullable=False, default=0),
    Column("crashed", Integer, nullable=False, default=0),
)

# What was known of every other version when a rollout began, and how many of its devices ran it.
baselines = Table(
    "baselines",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    *(
        Column(name, Integer, nullable=False)
        for name in ("devices", "heard", "crashed", "offered", "failures", "reverted")
    ),
)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Bringing a release to a product's devices.

    Attributes:
        undoes: it goes back from this version, and is for who runs it; None: it goes forward.
        reason: why it has its status, in a sentence with numbers.
        salt: spreads devices over percentages, 16 bytes.
        schedule: when and how fast it offers.
        stage: position of the stage that runs, from 0.
        offered .. stopped: devices that were offered it, and outcomes by kind; `failed` also counts a device's third
            NO_CONTACT or third stopped download.
        crashed: devices that were offered it and crashed while they ran it, confirmed or on trial.
        crashed_early: those that did so within a week of being offered it.
        forgiven: what a team member has seen and resumed after.
    """

    id: int
    product_id: int
    release_id: int
    version: int
    undoes: int | None
    name: str
    status: RolloutStatus
    reason: str
    salt: bytes
    schedule: Schedule
    stage: int
    created_ms: int
    created_by: str
    started_ms: int | None
    ended_ms: int | None
    offered: int
    confirmed: int
    reverted: int
    failed: int
    interrupted: int
    no_contact: int
    stopped: int
    crashed: int
    crashed_early: int
    forgiven: Forgiven

    @property
    def failures(self) -> int:
        return self.reverted + self.failed


@dataclass(frozen=True, slots=True)
class SavedCohort:
    """A cohort with a name."""

    id: int
    product_id: int
    name: str
    description: str
    cohort: Cohort


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of a cohort with a gate. A later stage includes the earlier ones.

    Attributes:
        cohort: names saved ones until the rollout starts, and none any more then.
        percent: 1 to 100, of the cohort.
        failures_forgiven: those before it began, and those that a team member has seen and resumed after.
        reached_ms: when it had the confirmed boots that its gate needs.
    """

    rollout_id: int
    position: int
    cohort: Cohort
    percent: int
    gate: Gate
    failures_forgiven: int
    started_ms: int | None
    reached_ms: int | None
    ended_ms: int | None

    @property
    def reach(self) -> ReachingStage:
        """Whom it brings into the rollout."""
        return ReachingStage(self.cohort, self.percent)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One offer to one device, and how far it is.

    Attributes:
        number: the attempt number that device and boot log know, unique on its device.
        rollout_id, stage: None where no rollout asked for it.
        is_latest: the newest attempt of its device in its rollout.
        reason: of the boot log, or a negative `ota_status`.
        full_size: what the full image would have had in place of `patch_size`; 0: nothing is to be fetched again, since
            the attempt before ended on trial.
        received: bytes of the patch that the device has.
        asked_ms: when its device was first asked whether it lets an offer of this image begin; None: it is not asked.
        postponed_until_ms: how long its product puts it off; None: it does not.
    """

    id: int
    device_row: int
    number: int
    rollout_id: int | None
    stage: int | None
    target_image: int
    target_identity: bytes
    base_version: int | None
    patch_id: int
    is_full: bool
    patch_size: int
    full_size: int
    status: AttemptStatus
    reason: int | None
    received: int
    is_latest: bool
    offered_ms: int
    asked_ms: int | None
    postponed_until_ms: int | None
    ended_ms: int | None

    @property
    def is_open(self) -> bool:
        return self.status in GOING_ON

    def is_postponed(self, now_ms: int) -> bool:
        return self.postponed_until_ms is not None and self.postponed_until_ms > now_ms


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; there is one for each, and counters change with it."""

    id: int
    device_row: int
    attempt: int
    rollout_id: int | None
    target_identity: bytes
    kind: OutcomeKind
    is_failure: bool
    reason: int
    at_ms: int
