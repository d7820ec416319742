# SPDX-License-Identifier: Apache-2.0
"""A look at all devices keeps the time zones of its sample; those that were looked at before are looked at again."""

from __future__ import annotations

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM rollout_scans")
