# SPDX-License-Identifier: Apache-2.0
"""Releases may be killed, and rollouts go back from a version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("releases", sa.Column("killed_ms", sa.BigInteger(), nullable=True))
    op.add_column("rollouts", sa.Column("undoes", sa.Integer(), nullable=True))
