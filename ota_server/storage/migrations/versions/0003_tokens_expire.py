# SPDX-License-Identifier: Apache-2.0
"""Access tokens say who asked for them, how they begin, and when they expire. Older ones never do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tokens") as batch:
        batch.add_column(sa.Column("prefix", sa.String(length=8), nullable=False, server_default=""))
        batch.add_column(sa.Column("client", sa.String(length=64), nullable=False, server_default=""))
        batch.add_column(sa.Column("expires_ms", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("prefix", existing_type=sa.String(length=8), server_default=None)
        batch.alter_column("client", existing_type=sa.String(length=64), server_default=None)
        batch.create_index("ix_tokens_account_id", ["account_id"])
