# SPDX-License-Identifier: Apache-2.0
"""Figures of products, hour by hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    standing = ("devices", "online", "customers", "active_customers")
    counted = ("events", "errors", "crashes", "confirmed", "failures")
    op.create_table(
        "product_hours",
        sa.Column(
            "product_id",
            sa.Integer(),
            sa.ForeignKey("products.id", name="fk_product_hours_product_id", ondelete="CASCADE"),
        ),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in standing),
        sa.Column("versions", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counted),
        sa.PrimaryKeyConstraint("product_id", "hour", name="pk_product_hours"),
    )
    op.create_table(
        "figure_marks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("counted_id", sa.BigInteger(), nullable=False),
        sa.Column("seen_id", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_figure_marks"),
    )
