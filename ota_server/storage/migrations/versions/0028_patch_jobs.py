# SPDX-License-Identifier: Apache-2.0
"""Workers take patches by lease, those of most devices first, and say what making them took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("patches") as batch:
        batch.add_column(sa.Column("devices", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("lease", sa.LargeBinary(16), nullable=True))
        batch.add_column(sa.Column("due_ms", sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("duration_ms", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
        batch.create_index(op.f("ix_patches_status"), ["status", "due_ms"])
    with op.batch_alter_table("patches") as batch:
        batch.alter_column("devices", existing_type=sa.Integer(), server_default=None)
        batch.alter_column("due_ms", existing_type=sa.BigInteger(), server_default=None)
        batch.alter_column("tries", existing_type=sa.Integer(), server_default=None)
