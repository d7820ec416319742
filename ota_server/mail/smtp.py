# SPDX-License-Identifier: Apache-2.0
"""Sends one mail over SMTP (RFC 5321)."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import Protocol

from muster.errors import ValueOutOfRange
from ota_server.accounts.addresses import clean_email, domain_of
from ota_server.errors import Invalid
from ota_server.mail.models import QueuedMail

TIMEOUT_S = 10.0
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class NotSent(Exception):
    """A mail was not taken. `is_final`: trying again would not help."""

    def __init__(self, reason: str, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Mailer(Protocol):
    """Sends mails."""

    def send(self, queued: QueuedMail) -> None:
        """Raises NotSent."""


class Tls(StrEnum):
    """How the way to the mail server is kept private."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS = {Tls.STARTTLS: 587, Tls.TLS: 465, Tls.NONE: 25}


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server, and who we are to it.

    Attributes:
        host: its name; its certificate must be for it.
        port: None for the usual one of the TLS mode.
        sender: the address that mails come from.
        sender_name: the name beside it.
        user: empty where it asks for no password.

    Raises:
        ValueOutOfRange: a password would travel in clear, or `sender` is no address.
    """

    host: str
    sender: str
    port: int | None = None
    tls: Tls = Tls.STARTTLS
    sender_name: str = "Muster"
    user: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        try:
            clean_email(self.sender)
        except Invalid as error:
            raise ValueOutOfRange(f"mails cannot come from {self.sender!r}: not an e-mail address") from error
        if self.user and self.tls is Tls.NONE and self.host not in LOCAL_HOSTS:
            raise ValueOutOfRange("the password for the mail server needs TLS: use starttls or tls")


class SmtpMailer:
    """Sends each mail over a connection of its own."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    def send(self, queued: QueuedMail) -> None:
        """Raises NotSent."""
        try:
            with self._connect() as smtp:
                smtp.send_message(self.message(queued), self._settings.sender, [queued.mail.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            [(code, text)] = error.recipients.values()
            raise NotSent(_said(code, text), is_final=500 <= code < 600) from error
        except smtplib.SMTPResponseException as error:
            raise NotSent(_said(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(str(error) or type(error).__name__) from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        port = settings.port or PORTS[settings.tls]
        if settings.tls is Tls.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(settings.host, port, timeout=TIMEOUT_S)
        try:
            if settings.tls is Tls.STARTTLS:
                smtp.starttls(context=ssl.create_default_context())
            if settings.user:
                smtp.login(settings.user, settings.password)
        except (smtplib.SMTPException, OSError):
            smtp.close()
            raise
        return smtp

    def message(self, queued: QueuedMail) -> EmailMessage:
        """The mail with its headers."""
        mail, settings = queued.mail, self._settings
        message = EmailMessage(SMTP)
        message["From"] = Address(mail.sender_name or settings.sender_name, addr_spec=settings.sender)
        message["To"] = Address(addr_spec=mail.recipient)
        if mail.reply_to:
            message["Reply-To"] = Address(addr_spec=mail.reply_to)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(queued.created_ms // 1000, UTC))
        # The same at each try: a mail that was taken and not answered for comes twice and can be told as one.
        message["Message-ID"] = f"<{queued.created_ms}.{queued.id}@{domain_of(settings.sender)}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        return message


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"
