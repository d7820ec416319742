# SPDX-License-Identifier: Apache-2.0
"""A line of the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from ota_server.storage.schema import RowNumber, metadata

# Triggers of the migrations refuse to change or delete a row.
audit = Table(
    "audit",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=True),
    Column("address", String(64), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_audit_organization_id", "organization_id", "id"),
    Index("ix_audit_subject", "organization_id", "subject", "at_ms"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written.

    Attributes:
        account_id: who did it.
        organization_id: in whose log it is; None for what concerns the account alone.
        address: where the request came from; empty for the server's own commands.
        action: such as `rollout.pause`.
        subject: what it was done to.
    """

    at_ms: int
    account_id: int | None
    organization_id: int | None
    address: str
    action: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What is read."""

    id: int
    at_ms: int
    email: str
    address: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines; what is empty or None does not filter.

    Attributes:
        by: the address of the account that did it.
        action: how the action begins: `rollout.` are all of rollouts.
        subject: part of the subject.
        since_ms, until_ms: from and to (not included).
        before: only lines with a lower number, for the next page.
    """

    by: str = ""
    action: str = ""
    subject: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
