# SPDX-License-Identifier: Apache-2.0
"""Devices wait for patches so many check-ins; patches make room for others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def _statuses(*names: str) -> sa.Enum:
    return sa.Enum(*names, name="patch_status", native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    with op.batch_alter_table("patches") as batch:
        batch.add_column(sa.Column("used_ms", sa.BigInteger(), nullable=True))
        batch.alter_column(
            "status",
            existing_type=_statuses("pending", "ready", "failed"),
            existing_nullable=False,
            type_=_statuses("pending", "ready", "failed", "evicted"),
        )
    for table, column, value in (("products", "patch_wait", "12"), ("devices", "patch_waits", "0")):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column(column, sa.Integer(), nullable=False, server_default=value))
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=sa.Integer(), server_default=None)
