# SPDX-License-Identifier: Apache-2.0
"""A forecast is made of each look at all devices; those that were looked at before are looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM rollout_scans")
    op.add_column("rollout_scans", sa.Column("forecast", sa.Text(), nullable=False))
