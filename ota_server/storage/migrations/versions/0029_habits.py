# SPDX-License-Identifier: Apache-2.0
"""When devices are used to check in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("habit", sa.LargeBinary(46), nullable=True))
