# SPDX-License-Identifier: Apache-2.0
"""A mail that waits in the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from ota_server.storage.schema import metadata, status_type


class MailStatus(StrEnum):
    """What has become of a mail. One that was sent is not kept: links in it are secrets."""

    QUEUED = "queued"
    FAILED = "failed"


MAIL_MOVES: Mapping[MailStatus, frozenset[MailStatus]] = {
    MailStatus.QUEUED: frozenset({MailStatus.FAILED}),
    MailStatus.FAILED: frozenset(),
}

mails = Table(
    "mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("status", status_type(MailStatus, "mail_status"), nullable=False),
    Column("recipient", String(200), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("sender_name", String(100), nullable=False),
    Column("reply_to", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    Index("ix_mails_status_due_ms", "status", "due_ms"),
)


@dataclass(frozen=True, slots=True)
class Mail:
    """What is sent. It is not checked here: `outbox.put` does.

    Attributes:
        html: the same as `text`, for programs that show it; empty for a mail of text only.
        sender_name: shown beside the server's sender address; empty for the name that the operator gave.
        reply_to: where an answer goes; empty for the sender address.
    """

    recipient: str
    subject: str
    text: str
    html: str = ""
    sender_name: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail in the outbox. `tries`: how often it could not be sent."""

    id: int
    created_ms: int
    tries: int
    mail: Mail
