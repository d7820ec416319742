# SPDX-License-Identifier: Apache-2.0
"""A product's devices are counted beside requests; those that are locked, or for development, have an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_standings",
        sa.Column(
            "product_id",
            sa.Integer(),
            sa.ForeignKey("products.id", name="fk_product_standings_product_id", ondelete="CASCADE"),
        ),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("online", sa.Integer(), nullable=False),
        sa.Column("tallies", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="pk_product_standings"),
    )
    op.drop_index("ix_devices_product_counts", "devices")
    columns = ["product_id", "status", "product_version", "platform_id", "development", "locked_version"]
    op.create_index("ix_devices_product_counts", "devices", columns)
    is_one = {"locked": "locked_version IS NOT NULL", "development": "development IS TRUE"}
    for name, where in is_one.items():
        op.create_index(
            f"ix_devices_product_{name}",
            "devices",
            ["product_id", "device_id", "id"],
            sqlite_where=sa.text(where.replace("TRUE", "1")),
            postgresql_where=sa.text(where),
        )
