# SPDX-License-Identifier: Apache-2.0
"""Where a rollout's devices stand is counted as they move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

STATUSES = (
    "offered",
    "downloading",
    "staged",
    "trial",
    "confirmed",
    "reverted",
    "failed",
    "interrupted",
    "no_contact",
    "stopped",
    "withdrawn",
)
LOADING = "('offered', 'downloading')"
PARTLY = "('offered', 'downloading', 'stopped', 'withdrawn')"


def upgrade() -> None:
    kinds = sa.Enum(
        "confirmed",
        "reverted",
        "failed",
        "interrupted",
        "no_contact",
        "stopped",
        name="outcome_kind",
        native_enum=False,
        create_constraint=True,
        length=20,
    )
    with op.batch_alter_table("attempts") as batch:
        batch.add_column(sa.Column("full_size", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("attempts") as batch:
        batch.alter_column("full_size", server_default=None)
    is_trouble = sa.text("kind != 'confirmed'")
    op.create_index(
        "ix_outcomes_trouble",
        "outcomes",
        ["rollout_id", "id"],
        sqlite_where=is_trouble,
        postgresql_where=is_trouble,
    )
    op.create_table(
        "attempt_counts",
        sa.Column("rollout_id", sa.Integer(), sa.ForeignKey("rollouts.id", name="fk_attempt_counts_rollout_id")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in STATUSES),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("bytes_saved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name="pk_attempt_counts"),
    )
    op.create_table(
        "trouble_counts",
        sa.Column("rollout_id", sa.Integer(), sa.ForeignKey("rollouts.id", name="fk_trouble_counts_rollout_id")),
        sa.Column("kind", kinds, nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "kind", "reason", name="pk_trouble_counts"),
    )
    op.execute(
        "UPDATE attempts SET full_size = coalesce((SELECT patches.size FROM patches "
        "WHERE patches.target_identity = attempts.target_identity AND length(patches.base_identity) = 0), "
        "(SELECT images.size FROM images WHERE images.id = attempts.target_image))"
    )
    # A device that was interrupted on trial, or without contact, still has the image.
    op.execute(
        "UPDATE attempts SET full_size = 0 WHERE EXISTS (SELECT 1 FROM attempts AS earlier "
        "WHERE earlier.device_row = attempts.device_row AND earlier.rollout_id = attempts.rollout_id "
        "AND earlier.number < attempts.number AND earlier.status IN ('interrupted', 'no_contact'))"
    )
    op.execute(f"UPDATE attempts SET received = patch_size WHERE status NOT IN {PARTLY}")  # noqa: S608 - ours
    by_status = ", ".join(f"count(CASE WHEN is_latest AND attempts.status = '{name}' THEN 1 END)" for name in STATUSES)
    saved = f"full_size = 0 OR is_full OR received < patch_size OR attempts.status IN {LOADING}"
    op.execute(
        f"INSERT INTO attempt_counts (rollout_id, {', '.join(STATUSES)}, bytes_sent, bytes_saved) "  # noqa: S608 - ours
        f"SELECT rollouts.id, {by_status}, "
        f"coalesce(sum(CASE WHEN attempts.status IN {LOADING} OR full_size = 0 THEN 0 ELSE received END), 0), "
        f"coalesce(sum(CASE WHEN {saved} THEN 0 ELSE full_size - patch_size END), 0) "
        "FROM rollouts LEFT JOIN attempts ON attempts.rollout_id = rollouts.id GROUP BY rollouts.id"
    )
    op.execute(
        "INSERT INTO trouble_counts (rollout_id, kind, reason, outcomes) SELECT rollout_id, kind, reason, count(*) "
        "FROM outcomes WHERE rollout_id IS NOT NULL AND kind != 'confirmed' GROUP BY rollout_id, kind, reason"
    )
