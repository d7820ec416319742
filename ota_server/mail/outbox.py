# SPDX-License-Identifier: Apache-2.0
"""The outbox: a mail is written in the commit of what causes it, and so neither lost nor sent for nothing."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from ota_server.accounts.addresses import clean_email
from ota_server.errors import Invalid, TooMany
from ota_server.mail.models import MAIL_MOVES, Mail, MailStatus, QueuedMail, mails
from ota_server.moves import check_move
from ota_server.storage.sql import is_due

QUEUED_MAX = 10_000
LEASE_MS = 10 * 60 * 1000
"""When a mail is another process's that nobody has said of whether it was sent."""
AHEAD_MAX_MS = 24 * 3600 * 1000
TEXT_MAX = 20_000
_MAIL = tuple(mails.c[field.name] for field in fields(Mail))


def put(connection: Connection, mail: Mail, now_ms: int) -> None:
    """Sends a mail soon after the commit. Raises Invalid; TooMany when too many wait."""
    check(mail)
    waiting = connection.execute(select(func.count()).where(mails.c.status == MailStatus.QUEUED)).scalar_one()
    if waiting >= QUEUED_MAX:
        raise TooMany("too many mails wait to be sent: try again later", 600)
    connection.execute(
        insert(mails).values(
            **asdict(mail), status=MailStatus.QUEUED, created_ms=now_ms, due_ms=now_ms, tries=0, reason=""
        )
    )


def check(mail: Mail) -> None:
    """Raises Invalid for an address or a header that is none, or a text that is too long."""
    clean_email(mail.recipient)
    if mail.reply_to:
        clean_email(mail.reply_to)
    headers = (mail.subject, mail.sender_name)
    if any(len(text) > 100 or not text.isprintable() for text in headers) or not mail.subject:
        raise Invalid("subject and name in a mail are one line of up to 100 characters")
    if max(len(mail.text), len(mail.html)) > TEXT_MAX:
        raise Invalid(f"a mail has up to {TEXT_MAX} characters")


def due(connection: Connection, now_ms: int) -> QueuedMail | None:
    """The mail that should be sent next."""
    row = connection.execute(
        select(mails.c.id, mails.c.created_ms, mails.c.tries, *_MAIL)
        .where(mails.c.status == MailStatus.QUEUED, _is_due(now_ms))
        .order_by(mails.c.due_ms, mails.c.id)
        .limit(1)
    ).first()
    return None if row is None else QueuedMail(row.id, row.created_ms, row.tries, Mail(*row[3:]))


def take(connection: Connection, queued: QueuedMail, now_ms: int) -> bool:
    """Keeps others away from a mail for a while; False when another process has it."""
    taken = connection.execute(
        update(mails)
        .where(mails.c.id == queued.id, mails.c.status == MailStatus.QUEUED, _is_due(now_ms))
        .values(due_ms=now_ms + LEASE_MS)
    )
    return taken.rowcount == 1


def sent(connection: Connection, queued: QueuedMail) -> None:
    connection.execute(delete(mails).where(mails.c.id == queued.id))


def put_off(connection: Connection, queued: QueuedMail, due_ms: int, reason: str) -> None:
    """It is tried again later."""
    values = {"due_ms": due_ms, "tries": queued.tries + 1, "reason": reason[:200]}
    connection.execute(update(mails).where(mails.c.id == queued.id).values(values))


def fail(connection: Connection, queued: QueuedMail, reason: str) -> None:
    """It is given up; its text is forgotten."""
    check_move(MAIL_MOVES, f"mail {queued.id}", MailStatus.QUEUED, MailStatus.FAILED)
    values = {"status": MailStatus.FAILED, "tries": queued.tries + 1, "reason": reason[:200], "text": "", "html": ""}
    connection.execute(update(mails).where(mails.c.id == queued.id).values(values))


def _is_due(now_ms: int) -> ColumnElement[bool]:
    return is_due(mails.c.due_ms, now_ms, AHEAD_MAX_MS)


def forget_before(connection: Connection, before_ms: int) -> None:
    """Removes mails that failed long ago."""
    connection.execute(delete(mails).where(mails.c.status == MailStatus.FAILED, mails.c.created_ms < before_ms))
