# SPDX-License-Identifier: Apache-2.0
"""Devices are counted by version without reading their rows."""

from __future__ import annotations

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["product_id", "status", "product_version", "platform_id"]
    op.create_index("ix_devices_product_counts", "devices", columns)
