# SPDX-License-Identifier: Apache-2.0
"""What looking at all devices found, for each rollout."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fleet_scans",
        sa.Column(
            "product_id",
            sa.Integer(),
            sa.ForeignKey("products.id", name="fk_fleet_scans_product_id", ondelete="CASCADE"),
        ),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_wanted", sa.Boolean(create_constraint=True, name="is_wanted"), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="pk_fleet_scans"),
    )
    op.create_table(
        "rollout_scans",
        sa.Column("rollout_id", sa.Integer(), sa.ForeignKey("rollouts.id", name="fk_rollout_scans_rollout_id")),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name="pk_rollout_scans"),
    )
    op.create_index("ix_devices_product_id", "devices", ["product_id", "id"])
