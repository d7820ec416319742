# SPDX-License-Identifier: Apache-2.0
"""Calls of devices, what can be called on each, and devices that are watched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("devices") as batch:
        batch.add_column(sa.Column("interface", sa.Text(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("watched_until_ms", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("devices") as batch:
        batch.alter_column("interface", existing_type=sa.Text(), server_default=None)
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("function", "variable", name="call_kind", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("argument", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_calls_device_row"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    for column in ("device_row", "expires_ms"):
        op.create_index(f"ix_calls_{column}", "calls", [column])
