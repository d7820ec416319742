# SPDX-License-Identifier: Apache-2.0
"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The number of a row of a table that grows with every report: SQLite numbers rows only where it says INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("auto_approve", sa.Boolean(create_constraint=True, name="auto_approve"), nullable=False),
        sa.Column("check_in_interval_s", sa.Integer(), nullable=False),
        sa.Column("quarantine_max", sa.Integer(), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=True),
        sa.Column("plan_token", sa.LargeBinary(length=8), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
    )
    op.create_table(
        "stop_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_tokens")),
    )
    op.create_table(
        "audit",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_audit_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_at", ["at_ms"], unique=False)

    op.create_table(
        "devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=24), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "expected",
                "quarantined",
                "active",
                "denied",
                name="device_status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("quarantine_reason", sa.Text(), nullable=False),
        sa.Column("development", sa.Boolean(create_constraint=True, name="development"), nullable=False),
        sa.Column("locked_version", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.LargeBinary(length=8), nullable=True),
        sa.Column("session_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("session_counter", sa.BigInteger(), nullable=False),
        sa.Column("session_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("session_answer", sa.LargeBinary(), nullable=True),
        sa.Column("pending_id", sa.LargeBinary(length=8), nullable=True),
        sa.Column("pending_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("pending_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("pending_answer", sa.LargeBinary(), nullable=True),
        sa.Column("identity", sa.LargeBinary(length=8), nullable=True),
        sa.Column("product_version", sa.Integer(), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("hardware_revision", sa.Integer(), nullable=True),
        sa.Column("security_counter", sa.BigInteger(), nullable=True),
        sa.Column("boot_state", sa.Integer(), nullable=True),
        sa.Column("bootloader_version", sa.Integer(), nullable=True),
        sa.Column("keyset_version", sa.BigInteger(), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("uptime_s", sa.BigInteger(), nullable=True),
        sa.Column("boots", sa.BigInteger(), nullable=True),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("online_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("attempt_counter", sa.BigInteger(), nullable=False),
        sa.Column("open_attempt", sa.BigInteger(), nullable=True),
        sa.Column("blocked", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_devices_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("device_id", "public_key", name=op.f("uq_devices_device_id_public_key")),
        sa.UniqueConstraint("pending_id", name=op.f("uq_devices_pending_id")),
        sa.UniqueConstraint("session_id", name=op.f("uq_devices_session_id")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index("ix_devices_product_online", ["product_id", "online_until_ms"], unique=False)
        batch_op.create_index("ix_devices_product_status", ["product_id", "status", "device_id", "id"], unique=False)
        batch_op.create_index(
            "ix_devices_product_version",
            ["product_id", "product_version", "device_id", "id"],
            unique=False,
            postgresql_ops={"product_version": "NULLS FIRST"},
        )

    op.create_table(
        "patches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("base_identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column("target_identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending", "ready", "failed", name="patch_status", native_enum=False, create_constraint=True, length=20
            ),
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_patches_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patches")),
        sa.UniqueConstraint("base_identity", "target_identity", name=op.f("uq_patches_base_identity_target_identity")),
    )
    with op.batch_alter_table("patches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_patches_digest"), ["digest"], unique=False)

    op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_releases_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("product_id", "version", name=op.f("uq_releases_product_id_version")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("cookie_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_web_sessions_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_sessions")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_web_sessions_cookie_hash")),
    )
    op.create_table(
        "counted_reports",
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_counted_reports_device_row")),
        sa.PrimaryKeyConstraint("device_row", "report_id", name=op.f("pk_counted_reports")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crashes",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("identity8", sa.LargeBinary(length=8), nullable=False),
        sa.Column("reason", sa.BigInteger(), nullable=False),
        sa.Column("pc", sa.BigInteger(), nullable=False),
        sa.Column("lr", sa.BigInteger(), nullable=False),
        sa.Column("uptime_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_crashes_device_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crashes")),
    )
    with op.batch_alter_table("crashes", schema=None) as batch_op:
        batch_op.create_index("ix_crashes_device_at", ["device_row", "at_ms"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_events_device_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_device_at", ["device_row", "at_ms"], unique=False)

    op.create_table(
        "history",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "opened",
                "quarantined",
                "changed",
                "version",
                "offered",
                "withdrawn",
                "staged",
                "trial",
                "confirmed",
                "reverted",
                "failed",
                "interrupted",
                "no_contact",
                "stopped",
                "crash",
                "alert",
                name="history_kind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("once", sa.String(length=120), nullable=True),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_history_device_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
        sa.UniqueConstraint("device_row", "once", name=op.f("uq_history_device_row_once")),
    )
    with op.batch_alter_table("history", schema=None) as batch_op:
        batch_op.create_index("ix_history_device_at", ["device_row", "at_ms"], unique=False)

    op.create_table(
        "images",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column("identity8", sa.LargeBinary(length=8), nullable=False),
        sa.Column("blob", sa.LargeBinary(length=32), nullable=False),
        sa.Column("elf_blob", sa.LargeBinary(length=32), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("security_counter", sa.BigInteger(), nullable=False),
        sa.Column("hardware_lowest", sa.Integer(), nullable=False),
        sa.Column("hardware_highest", sa.Integer(), nullable=False),
        sa.Column("min_bootloader", sa.Integer(), nullable=False),
        sa.Column("signers", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_images_product_id")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_images_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("identity", name=op.f("uq_images_identity")),
        sa.UniqueConstraint("release_id", "platform_id", name=op.f("uq_images_release_id_platform_id")),
    )
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.create_index("ix_images_product_identity8", ["product_id", "identity8"], unique=False)

    op.create_table(
        "logs",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_logs_device_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logs")),
    )
    with op.batch_alter_table("logs", schema=None) as batch_op:
        batch_op.create_index("ix_logs_device_at", ["device_row", "at_ms"], unique=False)

    op.create_table(
        "openings",
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_openings_device_row")),
        sa.PrimaryKeyConstraint("device_row", "digest", name=op.f("pk_openings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "running",
                "paused",
                "completed",
                "aborted",
                name="rollout_status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("reverted", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("interrupted", sa.Integer(), nullable=False),
        sa.Column("no_contact", sa.Integer(), nullable=False),
        sa.Column("stopped", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_rollouts_product_id")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_rollouts_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
    )
    with op.batch_alter_table("rollouts", schema=None) as batch_op:
        batch_op.create_index("ix_rollouts_product_status", ["product_id", "status"], unique=False)

    op.create_table(
        "attempts",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("rollout_id", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Integer(), nullable=True),
        sa.Column("target_image", sa.Integer(), nullable=False),
        sa.Column("target_identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=True),
        sa.Column("patch_id", sa.Integer(), nullable=False),
        sa.Column("is_full", sa.Boolean(create_constraint=True, name="is_full"), nullable=False),
        sa.Column("patch_size", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "offered",
                "downloading",
                "staged",
                "trial",
                "confirmed",
                "reverted",
                "failed",
                "interrupted",
                "no_contact",
                "stopped",
                "withdrawn",
                name="attempt_status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Integer(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("is_latest", sa.Boolean(create_constraint=True, name="is_latest"), nullable=False),
        sa.Column("offered_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_attempts_device_row")),
        sa.ForeignKeyConstraint(["patch_id"], ["patches.id"], name=op.f("fk_attempts_patch_id")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_attempts_rollout_id")),
        sa.ForeignKeyConstraint(["target_image"], ["images.id"], name=op.f("fk_attempts_target_image")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("device_row", "number", name=op.f("uq_attempts_device_row_number")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_rollout_latest", ["rollout_id", "is_latest", "status"], unique=False)

    op.create_table(
        "outcomes",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("device_row", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("rollout_id", sa.Integer(), nullable=True),
        sa.Column("target_identity", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "confirmed",
                "reverted",
                "failed",
                "interrupted",
                "no_contact",
                "stopped",
                name="outcome_kind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_failure", sa.Boolean(create_constraint=True, name="is_failure"), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_row"], ["devices.id"], name=op.f("fk_outcomes_device_row")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_outcomes_rollout_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint("device_row", "attempt", name=op.f("uq_outcomes_device_row_attempt")),
    )
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outcomes_rollout_id"), ["rollout_id"], unique=False)

    op.create_table(
        "stages",
        sa.Column("rollout_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("min_confirmed", sa.Integer(), nullable=False),
        sa.Column("max_failures", sa.Integer(), nullable=False),
        sa.Column("failures_forgiven", sa.Integer(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_stages_rollout_id")),
        sa.PrimaryKeyConstraint("rollout_id", "position", name=op.f("pk_stages")),
    )
