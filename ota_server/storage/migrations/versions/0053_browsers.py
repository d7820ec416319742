# SPDX-License-Identifier: Apache-2.0
"""Sign-ins know their browser, and tokens when they were used last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

SIGN_IN_MS = 12 * 3600 * 1000
"""How long a sign-in lasts: until now it was kept when one ends, and not when it began."""


def upgrade() -> None:
    times = ("created_ms", "used_ms")
    with op.batch_alter_table("web_sessions") as batch:
        for name in times:
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("address", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("agent", sa.String(200), nullable=False, server_default=""))
    op.execute(f"UPDATE web_sessions SET created_ms = expires_ms - {SIGN_IN_MS}, used_ms = expires_ms - {SIGN_IN_MS}")  # noqa: S608 - ours
    with op.batch_alter_table("web_sessions") as batch:
        for name in times:
            batch.alter_column(name, existing_type=sa.BigInteger(), server_default=None)
        batch.alter_column("address", existing_type=sa.String(64), server_default=None)
        batch.alter_column("agent", existing_type=sa.String(200), server_default=None)
        batch.create_index("ix_web_sessions_account_id", ["account_id"])
    op.add_column("tokens", sa.Column("used_ms", sa.BigInteger(), nullable=True))
