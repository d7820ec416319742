# SPDX-License-Identifier: Apache-2.0
"""Rollouts count their offers of a minute, devices have time zones and may put an offer off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_COUNTED = ("minute", sa.BigInteger()), ("minute_offers", sa.Integer())


def upgrade() -> None:
    for name in ("devices", "products"):
        op.add_column(name, sa.Column("time_zone", sa.String(64), nullable=True))
    for name in ("asked_ms", "postponed_until_ms"):
        op.add_column("attempts", sa.Column(name, sa.BigInteger(), nullable=True))
    for name, kind in _COUNTED:
        op.add_column("rollouts", sa.Column(name, kind, nullable=False, server_default="0"))
    with op.batch_alter_table("rollouts") as batch:
        for name, kind in _COUNTED:
            batch.alter_column(name, existing_type=kind, server_default=None)
