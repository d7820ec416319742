# SPDX-License-Identifier: Apache-2.0
"""A stage's gate is one document; stages remember when they had the confirmed boots that they need."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_STAGES = sa.table(
    "stages",
    *(sa.column(name, sa.Integer()) for name in ("rollout_id", "position", "min_confirmed", "max_failures")),
    sa.column("gate", sa.Text()),
)


def upgrade() -> None:
    with op.batch_alter_table("stages") as batch:
        batch.add_column(sa.Column("gate", sa.Text(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("reached_ms", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    for stage in connection.execute(sa.select(_STAGES)).all():
        gate = json.dumps({"min_confirmed": stage.min_confirmed, "max_failures": stage.max_failures})
        connection.execute(
            sa.update(_STAGES)
            .where(_STAGES.c.rollout_id == stage.rollout_id, _STAGES.c.position == stage.position)
            .values(gate=gate)
        )
    with op.batch_alter_table("stages") as batch:
        batch.alter_column("gate", existing_type=sa.Text(), server_default=None)
        batch.drop_column("min_confirmed")
        batch.drop_column("max_failures")
