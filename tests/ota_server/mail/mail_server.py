# SPDX-License-Identifier: Apache-2.0
"""A real mail server in this process (aiosmtpd), and a server that sends through it."""

from __future__ import annotations

import contextlib
import queue
import re
from asyncio import Server as Listener
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from ota_server.mail.smtp import SmtpSettings, Tls
from ota_server.settings import Settings
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server

SENDER = "muster@example.com"
PUBLIC_URL = "https://muster.example.com"
TIMEOUT_S = 60.0


@dataclass
class MailServer:
    """What it was sent. `refusal`: what it says to every recipient, when it is not empty."""

    port: int = 0
    refusal: str = ""
    received: list[EmailMessage] = field(default_factory=list)
    _arrived: queue.SimpleQueue[EmailMessage] = field(default_factory=queue.SimpleQueue)

    def wait_for_mail(self) -> EmailMessage:
        """The first one that nobody has waited for yet, from a server in another process."""
        return self._arrived.get(timeout=TIMEOUT_S)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=default)
        assert isinstance(message, EmailMessage)
        assert [message["To"].addresses[0].addr_spec] == envelope.rcpt_tos
        self.received.append(message)
        self._arrived.put(message)
        return "250 OK"


class FreePortController(Controller):
    """aiosmtpd's own would knock at port 0."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Listener)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def run_mail_server(**options: Any) -> Iterator[MailServer]:
    """Listens on a free port of this machine."""
    handler = MailServer()
    controller = FreePortController(handler, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        handler.port = controller.port
        yield handler
    finally:
        controller.stop()


def smtp_settings(mail_server: MailServer) -> SmtpSettings:
    return SmtpSettings("127.0.0.1", SENDER, mail_server.port, Tls.NONE)


@dataclass
class Post:
    """A server with a mail server behind it."""

    server: Server
    mail_server: MailServer

    def new(self) -> list[EmailMessage]:
        """The mails that came since the last call."""
        self.server.services.jobs.postman.work_off()
        found = list(self.mail_server.received)
        self.mail_server.received.clear()
        return found

    def one(self, recipient: str) -> EmailMessage:
        """The only mail that came since the last call."""
        [mail] = self.new()
        assert mail["To"] == recipient
        return mail

    def link(self, recipient: str) -> str:
        """The path of the link in the only mail that came, on this server."""
        return link_in(self.one(recipient))


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def link_in(mail: EmailMessage) -> str:
    found = re.search(rf"^{PUBLIC_URL}(/\S+)$", text_of(mail), re.MULTILINE)
    assert found is not None, text_of(mail)
    return found.group(1)


def mailing_settings(folder: Path, mail_server: MailServer, **changes: Any) -> Settings:
    return replace(make_settings(folder), smtp=smtp_settings(mail_server), public_url=PUBLIC_URL, **changes)


@contextlib.contextmanager
def run_post(folder: Path, clock: HandClock, **changes: Any) -> Iterator[Post]:
    """A server that sends mail. `changes`: of its settings."""
    with run_mail_server() as mail_server:
        for server in run_server(mailing_settings(folder, mail_server, **changes), clock):
            yield Post(server, mail_server)
