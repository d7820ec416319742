# SPDX-License-Identifier: Apache-2.0
"""Cohorts are saved by name, and stages have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohorts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("cohort", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohorts")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_cohorts_product_id")),
        sa.UniqueConstraint("product_id", "name", name=op.f("uq_cohorts_product_id_name")),
    )
    with op.batch_alter_table("stages") as batch:
        batch.add_column(sa.Column("cohort", sa.Text(), nullable=False, server_default='{"all":true}'))
    with op.batch_alter_table("stages") as batch:
        batch.alter_column("cohort", existing_type=sa.Text(), server_default=None)
