# SPDX-License-Identifier: Apache-2.0
"""What OAuth clients were granted, and tokens of customers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OWNERS = {"account_id": "accounts.id", "customer_id": "customers.id", "client_row": "oauth_clients.id"}


def upgrade() -> None:
    op.create_table(
        "oauth_grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_row", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        *(
            sa.ForeignKeyConstraint([column], [key], name=op.f(f"fk_oauth_grants_{column}"), ondelete="CASCADE")
            for column, key in OWNERS.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_grants")),
    )
    for column in OWNERS:
        op.create_index(f"ix_oauth_grants_{column}", "oauth_grants", [column])
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column("is_used", sa.Boolean(create_constraint=True, name="is_used"), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["oauth_grants.id"], name=op.f("fk_refresh_tokens_grant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    for column in ("grant_id", "expires_ms"):
        op.create_index(f"ix_refresh_tokens_{column}", "refresh_tokens", [column])
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("account_id", existing_type=sa.Integer(), nullable=True)
        for column, key in (("customer_id", "customers"), ("grant_id", "oauth_grants")):
            batch.add_column(sa.Column(column, sa.Integer(), nullable=True))
            batch.create_foreign_key(op.f(f"fk_tokens_{column}"), key, [column], ["id"], ondelete="CASCADE")
            batch.create_index(f"ix_tokens_{column}", [column])
