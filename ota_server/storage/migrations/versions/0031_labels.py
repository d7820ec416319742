# SPDX-License-Identifier: Apache-2.0
"""Devices have tags and a country."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("devices") as batch:
        batch.add_column(sa.Column("tags", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("country", sa.String(2), nullable=True))
    with op.batch_alter_table("devices") as batch:
        batch.alter_column("tags", existing_type=sa.Text(), server_default=None)
