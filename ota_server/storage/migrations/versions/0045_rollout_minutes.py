# SPDX-License-Identifier: Apache-2.0
"""What came of rollouts in each minute is kept; forecasts say how they go, so that devices are looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_COUNTERS = ("offered", "confirmed", "reverted", "failed")
_FILL = """
    INSERT INTO rollout_minutes (rollout_id, minute, offered, confirmed, reverted, failed)
    SELECT rollout_id, minute, SUM(offered), SUM(confirmed), SUM(reverted), SUM(failed) FROM (
        SELECT rollout_id, MIN(offered_ms) / 60000 AS minute, 1 AS offered, 0 AS confirmed, 0 AS reverted, 0 AS failed
        FROM attempts WHERE rollout_id IS NOT NULL GROUP BY rollout_id, device_row
        UNION ALL
        SELECT rollout_id, at_ms / 60000, 0, CASE WHEN kind = 'confirmed' THEN 1 ELSE 0 END,
            CASE WHEN kind = 'reverted' THEN 1 ELSE 0 END,
            CASE WHEN kind = 'failed' OR (is_failure AND kind IN ('no_contact', 'stopped')) THEN 1 ELSE 0 END
        FROM outcomes WHERE rollout_id IS NOT NULL
    ) AS came GROUP BY rollout_id, minute
"""


def upgrade() -> None:
    op.create_table(
        "rollout_minutes",
        sa.Column("rollout_id", sa.Integer(), sa.ForeignKey("rollouts.id"), primary_key=True),
        sa.Column("minute", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTERS),
        sqlite_with_rowid=False,
    )
    op.execute(_FILL)
    op.execute("DELETE FROM rollout_scans")
