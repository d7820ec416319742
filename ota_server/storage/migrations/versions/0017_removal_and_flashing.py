# SPDX-License-Identifier: Apache-2.0
"""Devices are removed from their product, and flashed with images that are no release's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images") as batch:
        batch.alter_column("release_id", existing_type=sa.Integer(), nullable=True)
    with op.batch_alter_table("devices") as batch:
        batch.alter_column("product_id", existing_type=sa.Integer(), nullable=True)
        batch.add_column(sa.Column("flash_image", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_devices_flash_image"), "images", ["flash_image"], ["id"])
