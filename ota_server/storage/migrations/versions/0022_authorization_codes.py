# SPDX-License-Identifier: Apache-2.0
"""Authorization codes of OAuth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "authorization_codes",
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=False),
        sa.Column("challenge", sa.String(length=128), nullable=True),
        sa.Column("is_used", sa.Boolean(create_constraint=True, name="is_used"), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["oauth_grants.id"], name=op.f("fk_authorization_codes_grant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_authorization_codes")),
    )
    for column in ("grant_id", "expires_ms"):
        op.create_index(f"ix_authorization_codes_{column}", "authorization_codes", [column])
