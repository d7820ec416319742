# SPDX-License-Identifier: Apache-2.0
"""Organizations have an owner: at first the administrator who has been in the team longest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("organizations") as batch:
        batch.add_column(sa.Column("owner_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_organizations_owner_id"), "accounts", ["owner_id"], ["id"])
    organizations = sa.table("organizations", sa.column("id"), sa.column("owner_id"))
    members = sa.table(
        "members", sa.column("organization_id"), sa.column("account_id"), sa.column("role"), sa.column("created_ms")
    )
    first = (
        sa.select(members.c.account_id)
        .where(members.c.organization_id == organizations.c.id, members.c.role == "administrator")
        .order_by(members.c.created_ms, members.c.account_id)
        .limit(1)
        .scalar_subquery()
    )
    op.execute(sa.update(organizations).values(owner_id=first))
