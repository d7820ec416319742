# SPDX-License-Identifier: Apache-2.0
"""Products say who may reprogram their devices, and how long their logs and events are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reprogrammers = sa.Enum(
        "developers", "administrators", name="reprogrammers", native_enum=False, create_constraint=True, length=20
    )
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("reprogrammers", reprogrammers, nullable=False, server_default="developers"))
        batch.add_column(sa.Column("keep_logs_days", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("keep_events_days", sa.Integer(), nullable=True))
    with op.batch_alter_table("products") as batch:
        batch.alter_column("reprogrammers", existing_type=reprogrammers, server_default=None)
