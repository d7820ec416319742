# SPDX-License-Identifier: Apache-2.0
"""Groups and notes of devices, and an index for each order of their list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("devices") as batch:
        batch.add_column(sa.Column("notes", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("devices") as batch:
        batch.alter_column("notes", existing_type=sa.Text(), server_default=None)
        batch.create_index("ix_devices_product_device", ["product_id", "device_id", "id"])
        batch.create_index("ix_devices_product_name", ["product_id", "name", "id"])
        batch.create_index(
            "ix_devices_product_seen",
            ["product_id", "last_seen_ms", "id"],
            postgresql_ops={"last_seen_ms": "NULLS FIRST"},
        )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("color", sa.String(length=7), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_groups_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("product_id", "name", name=op.f("uq_groups_product_id_name")),
    )
    op.create_table(
        "group_devices",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_group_devices_device_row")),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_group_devices_group_id")),
        sa.PrimaryKeyConstraint("group_id", "device_row", name=op.f("pk_group_devices")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_group_devices_device_row", "group_devices", ["device_row"])
