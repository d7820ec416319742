# SPDX-License-Identifier: Apache-2.0
"""How large ELF files are is in the database: files may lie far away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images") as batch:
        batch.add_column(sa.Column("elf_size", sa.Integer(), nullable=True))
