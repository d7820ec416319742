# SPDX-License-Identifier: Apache-2.0
"""It is known from which row on figures count, so that they can be counted anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("figure_marks", sa.Column("first_id", sa.BigInteger(), nullable=True))
    op.execute("UPDATE figure_marks SET first_id = counted_id")
    with op.batch_alter_table("figure_marks") as batch:
        batch.alter_column("first_id", existing_type=sa.BigInteger(), nullable=False)
