# SPDX-License-Identifier: Apache-2.0
"""Claim codes, how devices of a product are claimed, and serial numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    claiming = sa.Enum("off", "code", "id", name="claiming", native_enum=False, create_constraint=True, length=20)
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("claiming", claiming, nullable=False, server_default="code"))
    with op.batch_alter_table("products") as batch:
        batch.alter_column("claiming", existing_type=claiming, server_default=None)
    with op.batch_alter_table("devices") as batch:
        batch.add_column(sa.Column("serial_number", sa.String(length=64), nullable=True))
        batch.create_unique_constraint(op.f("uq_devices_product_id_serial_number"), ["product_id", "serial_number"])
    op.create_table(
        "claim_codes",
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("device_row", sa.Integer(), nullable=True),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_claim_codes_account_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_claim_codes_customer_id")),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_claim_codes_device_row")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_claim_codes")),
    )
    for column in ("account_id", "customer_id", "device_row", "expires_ms"):
        op.create_index(f"ix_claim_codes_{column}", "claim_codes", [column])
