# SPDX-License-Identifier: Apache-2.0
"""What devices told can be read for a whole product."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("history", "logs", "crashes"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("product_id", sa.Integer(), nullable=True))
        op.execute(
            f"UPDATE {table} SET product_id = "  # noqa: S608 - ours
            f"(SELECT product_id FROM devices WHERE devices.id = {table}.device_row)"
        )
        with op.batch_alter_table(table) as batch:
            batch.create_foreign_key(
                op.f(f"fk_{table}_product_id"), "products", ["product_id"], ["id"], ondelete="SET NULL"
            )
    op.drop_index("ix_events_product_id", "events")
    for table in ("history", "logs", "events"):
        op.create_index(f"ix_{table}_product_at", table, ["product_id", "at_ms", "id"])
    op.create_index("ix_crashes_product_at", "crashes", ["product_id", "at_ms"])
