# SPDX-License-Identifier: Apache-2.0
"""Accounts know when they signed in last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("signed_in_ms", sa.BigInteger(), nullable=True))
