# SPDX-License-Identifier: Apache-2.0
"""Mails are not lost, are tried again, and cannot be made to carry headers of a stranger."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from muster.errors import ValueOutOfRange
from ota_server.errors import Invalid, ServerError, TooMany
from ota_server.mail import outbox
from ota_server.mail.models import Mail, MailStatus, QueuedMail, mails
from ota_server.mail.postman import TRIES_MAX, Postman
from ota_server.mail.smtp import NotSent, SmtpMailer, SmtpSettings, Tls
from tests.ota_server.certificates import self_signed
from tests.ota_server.conftest import HandClock, Server, run_server
from tests.ota_server.mail.mail_server import (
    SENDER,
    Post,
    mailing_settings,
    run_mail_server,
    run_post,
    smtp_settings,
    text_of,
)

BEN = "ben@example.com"
MAIL = Mail(BEN, "Hello", "Good day.\nhttps://muster.example.com/secret\n")


@pytest.fixture
def post(tmp_path: Path, clock: HandClock) -> Iterator[Post]:
    with run_post(tmp_path / "server", clock) as post:
        yield post


def put(server: Server, mail: Mail = MAIL) -> None:
    server.services.database.write(lambda connection: outbox.put(connection, mail, server.clock.now_ms()))


def kept(server: Server) -> list[tuple[MailStatus, str, int]]:
    """Status, text and tries of what is in the outbox."""
    with server.services.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(mails.c.status, mails.c.text, mails.c.tries))]


def test_mail_arrives_and_is_forgotten(post: Post) -> None:
    put(post.server)
    mail = post.one(BEN)
    assert str(mail["From"]) == f"Muster <{SENDER}>"
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Hello", "auto-generated")
    assert text_of(mail) == MAIL.text
    assert kept(post.server) == []


def test_mail_may_have_html_another_name_and_an_address_for_answers(post: Post) -> None:
    put(post.server, replace(MAIL, html="<p>Grüezi</p>", sender_name='Wärme, "GmbH"', reply_to="help@example.com"))
    mail = post.one(BEN)
    assert mail["From"].addresses[0].display_name == 'Wärme, "GmbH"'
    assert str(mail["Reply-To"]) == "help@example.com"
    html = mail.get_body(("html",))
    assert html is not None
    assert html.get_content() == "<p>Grüezi</p>\n"


def test_mail_waits_for_a_mail_server_that_is_away(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post.mail_server.refusal = f"450 <{BEN}> greylisted"
    put(post.server)
    assert post.new() == []
    assert kept(post.server) == [(MailStatus.QUEUED, MAIL.text, 1)]
    post.mail_server.refusal = ""
    assert post.new() == []
    post.server.clock.advance_s(60)
    post.one(BEN)
    assert "try 1 of 10: 450 <the recipient> greylisted" in caplog.text
    assert BEN not in caplog.text


def test_mail_is_given_up_after_enough_tries_and_its_text_is_forgotten(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.mail_server.refusal = "451 try later"
    put(post.server)
    for _ in range(TRIES_MAX - 1):
        post.new()
        post.server.clock.advance_s(6 * 3600)
    assert kept(post.server) == [(MailStatus.QUEUED, MAIL.text, TRIES_MAX - 1)]
    post.new()
    assert kept(post.server) == [(MailStatus.FAILED, "", TRIES_MAX)]
    assert "is given up: 451 try later" in caplog.text
    assert "secret" not in caplog.text


def test_address_that_does_not_exist_is_given_up_at_once(post: Post) -> None:
    post.mail_server.refusal = "550 no such mailbox"
    put(post.server)
    post.new()
    assert kept(post.server) == [(MailStatus.FAILED, "", 1)]
    post.server.pass_days(91)
    post.server.services.jobs.forgetter.work_off()
    assert kept(post.server) == []


def test_mail_is_sent_after_a_restart(tmp_path: Path, clock: HandClock) -> None:
    with run_mail_server() as mail_server:
        settings = mailing_settings(tmp_path / "server", mail_server)
        for server in run_server(replace(settings, smtp=None), clock):
            put(server)
            assert server.services.jobs.postman.work_off() == 0
            token = server.token
        for server in run_server(settings, clock, token):
            server.services.jobs.postman.work_off()
        [mail] = mail_server.received
        assert mail["To"] == BEN


def test_mail_that_one_process_sends_is_sent_by_no_other(post: Post) -> None:
    database, clock = post.server.services.database, post.server.clock
    sent = []

    class Mailer:
        def send(self, queued: QueuedMail) -> None:
            sent.append(queued.id)
            assert Postman(database, self, clock).work_off() == 0

    put(post.server)
    assert Postman(database, Mailer(), clock).work_off() == 1
    assert len(sent) == 1


def test_refused_write_sends_nothing(post: Post) -> None:
    def write(connection: Connection) -> None:
        outbox.put(connection, MAIL, 0)
        raise Invalid("no")

    with pytest.raises(Invalid):
        post.server.services.database.write(write)
    assert post.new() == []


def test_outbox_is_bounded(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "QUEUED_MAX", 2)
    post.mail_server.refusal = "451 try later"
    for _ in range(2):
        put(post.server)
    with pytest.raises(TooMany):
        put(post.server)


@given(recipient=st.text(max_size=30), subject=st.text(max_size=30), name=st.text(max_size=30))
def test_nothing_that_is_taken_adds_a_header(recipient: str, subject: str, name: str) -> None:
    """`outbox.put` refuses it, or the message has just the headers that every mail has."""
    mail = Mail(recipient + "@example.com", subject, "text", sender_name=name)
    try:
        outbox.check(mail)
    except ServerError:
        return
    message = SmtpMailer(SmtpSettings("localhost", SENDER)).message(QueuedMail(1, 0, 0, mail))
    raw = bytes(message).split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0] for line in raw.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(
        b"From To Subject Date Message-ID Auto-Submitted Content-Type Content-Transfer-Encoding MIME-Version".split()
    )


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, recipient="ben@example.com\r\nBcc: eve@example.com"),
        replace(MAIL, recipient="ben@example.com, eve@example.com"),
        replace(MAIL, subject="Hello\r\nBcc: eve@example.com"),
        replace(MAIL, subject=""),
        replace(MAIL, subject=101 * "a"),
        replace(MAIL, sender_name="Muster\nBcc: eve@example.com"),
        replace(MAIL, reply_to="Eve <eve@example.com>"),
        replace(MAIL, text=20_001 * "a"),
    ],
)
def test_mail_with_more_in_it_than_it_says_is_refused(post: Post, mail: Mail) -> None:
    with pytest.raises(Invalid):
        put(post.server, mail)


def test_password_never_travels_in_clear() -> None:
    with pytest.raises(ValueOutOfRange, match="needs TLS"):
        SmtpSettings("mail.example.com", SENDER, tls=Tls.NONE, user="muster", password="secret")
    assert "secret" not in repr(SmtpSettings("mail.example.com", SENDER, user="muster", password="secret"))
    with pytest.raises(ValueOutOfRange, match="not an e-mail address"):
        SmtpSettings("mail.example.com", "muster")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Certificate and key for 127.0.0.1, signed by itself."""
    path = tmp_path / "mail.pem"
    path.write_bytes(b"".join(self_signed(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))))
    return path


@pytest.mark.parametrize("is_known", [True, False])
def test_mail_goes_only_to_a_server_whose_certificate_is_good(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with run_mail_server(tls_context=context, require_starttls=True) as mail_server:
        mailer = SmtpMailer(replace(smtp_settings(mail_server), tls=Tls.STARTTLS))
        queued = QueuedMail(1, 0, 0, MAIL)
        if is_known:
            mailer.send(queued)
            assert len(mail_server.received) == 1
        else:
            with pytest.raises(NotSent, match="certificate"):
                mailer.send(queued)
            assert mail_server.received == []


def test_mail_goes_nowhere_when_the_server_does_not_know_tls() -> None:
    with run_mail_server() as mail_server:
        with pytest.raises(NotSent, match="STARTTLS"):
            SmtpMailer(replace(smtp_settings(mail_server), tls=Tls.STARTTLS)).send(QueuedMail(1, 0, 0, MAIL))
        assert mail_server.received == []
