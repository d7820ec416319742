# SPDX-License-Identifier: Apache-2.0
"""Organizations own products. What a server has until now becomes one organization's, its accounts administrators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROLES = ("administrator", "developer", "support", "view-only")


def upgrade() -> None:
    organizations = op.create_table(
        "organizations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organizations_slug")),
    )
    members = op.create_table(
        "members",
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", _role("member_role"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_members_account_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_members_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", "account_id", name=op.f("pk_members")),
    )
    op.create_index("ix_members_account_id", "members", ["account_id"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("role", _role("invitation_role"), nullable=False),
        sa.Column("invited_by", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_invitations_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("organization_id", "email", name=op.f("uq_invitations_organization_id_email")),
    )
    op.create_index("ix_invitations_email", "invitations", ["email"])
    organization_id = _adopt(organizations, members)
    _add_owner("products", organization_id)
    with op.batch_alter_table("products") as batch:
        batch.alter_column("organization_id", existing_type=sa.Integer(), nullable=False)
        batch.create_index("ix_products_organization_id", ["organization_id"])
    _add_owner("audit", organization_id)
    with op.batch_alter_table("audit") as batch:
        batch.drop_index("ix_audit_at")
        batch.create_index("ix_audit_organization_id", ["organization_id", "id"])


def _role(name: str) -> sa.Enum:
    return sa.Enum(*_ROLES, name=name, native_enum=False, create_constraint=True, length=20)


def _adopt(organizations: sa.Table, members: sa.Table) -> int | None:
    """The organization of what is there already; None on an empty server."""
    connection = op.get_bind()
    accounts = connection.execute(sa.text("SELECT id, created_ms FROM accounts ORDER BY id")).all()
    if not accounts:
        return None
    created_ms = accounts[0].created_ms
    values = {"slug": "my-organization", "name": "My organization", "created_ms": created_ms}
    # Its number is the database's to give: the next organization gets another one.
    key = connection.execute(sa.insert(organizations).values(**values)).inserted_primary_key
    assert key is not None
    organization_id = int(key[0])
    row = {"organization_id": organization_id, "role": "administrator", "created_ms": created_ms}
    op.bulk_insert(members, [{"account_id": one.id, **row} for one in accounts])
    return organization_id


def _add_owner(table: str, organization_id: int | None) -> None:
    with op.batch_alter_table(table) as batch:
        batch.add_column(sa.Column("organization_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f(f"fk_{table}_organization_id"), "organizations", ["organization_id"], ["id"])
    if organization_id is not None:
        op.execute(sa.text(f"UPDATE {table} SET organization_id = {organization_id}"))  # noqa: S608 - both are ours
