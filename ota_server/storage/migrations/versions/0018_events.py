# SPDX-License-Identifier: Apache-2.0
"""Events of organizations and products besides those of devices, and how far the clock has been looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as batch:
        batch.add_column(sa.Column("organization_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("product_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("core_id", sa.String(length=24), nullable=True))
        batch.add_column(sa.Column("ttl_s", sa.Integer(), nullable=False, server_default="60"))
    op.execute(
        """UPDATE events SET
             product_id = (SELECT product_id FROM devices WHERE devices.id = events.device_row),
             core_id = (SELECT device_id FROM devices WHERE devices.id = events.device_row)"""
    )
    op.execute(
        "UPDATE events SET organization_id ="
        " (SELECT organization_id FROM products WHERE products.id = events.product_id)"
    )
    with op.batch_alter_table("events", recreate="auto", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("device_row", existing_type=sa.Integer(), nullable=True)
        batch.alter_column("organization_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("core_id", existing_type=sa.String(length=24), nullable=False)
        batch.alter_column("ttl_s", existing_type=sa.Integer(), server_default=None)
        batch.create_foreign_key(op.f("fk_events_organization_id"), "organizations", ["organization_id"], ["id"])
        batch.create_foreign_key(op.f("fk_events_product_id"), "products", ["product_id"], ["id"])
    for column in ("at_ms", "product_id"):
        op.create_index(f"ix_events_{column}", "events", [column])
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
