# SPDX-License-Identifier: Apache-2.0
"""Customers are counted by when they were last active."""

from __future__ import annotations

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_customers_product_active", "customers", ["product_id", "active_ms"])
