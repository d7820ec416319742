# SPDX-License-Identifier: Apache-2.0
"""What is known of a version is counted week by week, and kept with the rollouts that are compared with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "version_weeks",
        *(_number(name) for name in ("product_id", "version", "week", "heard", "crashed")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_version_weeks_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "version", "week", name=op.f("pk_version_weeks")),
    )
    op.create_table(
        "baselines",
        *(_number(name) for name in ("rollout_id", "version", "devices")),
        *(_number(name) for name in ("heard", "crashed", "offered", "failures", "reverted")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_baselines_rollout_id")),
        sa.PrimaryKeyConstraint("rollout_id", "version", name=op.f("pk_baselines")),
    )
    with op.batch_alter_table("rollouts") as batch:
        batch.add_column(sa.Column("crashed_early", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("rollouts") as batch:
        batch.alter_column("crashed_early", existing_type=sa.Integer(), server_default=None)
    is_early = sa.Boolean(create_constraint=True, name=op.f("ck_rollout_crashes_is_early"))
    with op.batch_alter_table("rollout_crashes") as batch:
        batch.add_column(sa.Column("is_early", is_early, nullable=False, server_default=sa.true()))
    with op.batch_alter_table("rollout_crashes") as batch:
        batch.alter_column("is_early", existing_type=is_early, server_default=None)
