# SPDX-License-Identifier: Apache-2.0
"""What was done to one device is found in the audit log."""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_subject", "audit", ["organization_id", "subject", "at_ms"])
