# SPDX-License-Identifier: Apache-2.0
"""OAuth clients that people make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "type",
            sa.Enum("installed", "web", name="client_type", native_enum=False, create_constraint=True, length=20),
            nullable=False,
        ),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=True),
        sa.Column(
            "scope",
            sa.Enum(
                "*all*", "create_customer", name="client_scope", native_enum=False, create_constraint=True, length=20
            ),
            nullable=False,
        ),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_oauth_clients_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_oauth_clients_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("client_id", name=op.f("uq_oauth_clients_client_id")),
    )
    op.create_index("ix_oauth_clients_account_id", "oauth_clients", ["account_id"])
    op.create_index("ix_oauth_clients_product_id", "oauth_clients", ["product_id"])
