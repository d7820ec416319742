# SPDX-License-Identifier: Apache-2.0
"""Rollouts have a schedule, and may wait for their start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_STATUSES = ("running", "paused", "completed", "aborted")


def _statuses(*names: str) -> sa.Enum:
    return sa.Enum(*names, name="rollout_status", native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    with op.batch_alter_table("rollouts") as batch:
        batch.add_column(sa.Column("schedule", sa.Text(), nullable=False, server_default="{}"))
        batch.alter_column(
            "status",
            existing_type=_statuses("draft", *_STATUSES),
            existing_nullable=False,
            type_=_statuses("draft", "scheduled", *_STATUSES),
        )
    with op.batch_alter_table("rollouts") as batch:
        batch.alter_column("schedule", existing_type=sa.Text(), server_default=None)
