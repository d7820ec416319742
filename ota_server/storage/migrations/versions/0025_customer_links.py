# SPDX-License-Identifier: Apache-2.0
"""Links in mails may be for customers of a product."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("account_links") as batch:
        batch.add_column(sa.Column("product_id", sa.Integer(), nullable=True))
        name = op.f("fk_account_links_product_id")
        batch.create_foreign_key(name, "products", ["product_id"], ["id"], ondelete="CASCADE")
