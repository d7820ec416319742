# SPDX-License-Identifier: Apache-2.0
"""Rollouts count the devices that crash, and remember which failures were forgiven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rollout_crashes",
        sa.Column("rollout_id", sa.Integer(), nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_crashes_rollout_id")),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_rollout_crashes_device_row")),
        sa.PrimaryKeyConstraint("rollout_id", "device_row", name=op.f("pk_rollout_crashes")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("rollouts") as batch:
        batch.add_column(sa.Column("crashed", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("forgiven", sa.Text(), nullable=False, server_default="{}"))
    with op.batch_alter_table("rollouts") as batch:
        batch.alter_column("crashed", existing_type=sa.Integer(), server_default=None)
        batch.alter_column("forgiven", existing_type=sa.Text(), server_default=None)
