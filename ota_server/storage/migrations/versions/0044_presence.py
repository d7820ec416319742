# SPDX-License-Identifier: Apache-2.0
"""What each check-in changes has a narrow table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_MOVED = "session_counter, uptime_s, health, habit, last_seen_ms, online_until_ms"


def upgrade() -> None:
    op.create_table(
        "presence",
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("session_counter", sa.BigInteger(), nullable=False),
        sa.Column("uptime_s", sa.BigInteger(), nullable=True),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("habit", sa.LargeBinary(46), nullable=True),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("online_until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_presence_device_row")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_presence_product_id")),
        sa.PrimaryKeyConstraint("device_row", name=op.f("pk_presence")),
    )
    op.execute(
        f"INSERT INTO presence (device_row, product_id, {_MOVED}) SELECT id, product_id, {_MOVED} FROM devices"  # noqa: S608
    )
    op.create_index("ix_presence_product_online", "presence", ["product_id", "online_until_ms"])
    op.create_index(
        "ix_presence_product_seen",
        "presence",
        ["product_id", "last_seen_ms", "device_row"],
        postgresql_ops={"last_seen_ms": "NULLS FIRST"},
    )
    op.drop_index("ix_devices_product_online", "devices")
    op.drop_index("ix_devices_product_seen", "devices")
    with op.batch_alter_table("devices") as batch:
        for name in _MOVED.split(", "):
            batch.drop_column(name)
