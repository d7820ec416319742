# SPDX-License-Identifier: Apache-2.0
"""A third kind of call: devices are asked to show themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def _kinds(*names: str) -> sa.Enum:
    return sa.Enum(*names, name="call_kind", native_enum=False, create_constraint=True, length=20)


def upgrade() -> None:
    with op.batch_alter_table("calls") as batch:
        batch.alter_column(
            "kind",
            existing_type=_kinds("function", "variable"),
            existing_nullable=False,
            type_=_kinds("function", "variable", "signal"),
        )
