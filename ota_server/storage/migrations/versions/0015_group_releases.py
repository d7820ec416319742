# SPDX-License-Identifier: Apache-2.0
"""Versions are released to groups, and it is known which were ever released. Defaults until now were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("groups", sa.Column("released_version", sa.Integer(), nullable=True))
    op.add_column("releases", sa.Column("released_ms", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE releases SET released_ms = created_ms WHERE EXISTS (SELECT 1 FROM products"
        " WHERE products.id = releases.product_id AND products.default_version = releases.version)"
    )
