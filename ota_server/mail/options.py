# SPDX-License-Identifier: Apache-2.0
"""Options of the server's commands that say how mail is sent."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from muster.errors import FileFault
from ota_server.mail.smtp import PORTS, SmtpSettings, Tls

PASSWORD_VARIABLE = "MUSTER_SMTP_PASSWORD"  # noqa: S105  # its name, not a password

_OPTIONS = (
    click.option(
        "--smtp", "smtp_host", metavar="HOST", help="Mail server. Without it no mail is sent, and nobody signs up."
    ),
    click.option(
        "--smtp-port",
        type=click.IntRange(1, 65_535),
        help=f"[default: {', '.join(f'{port} for {tls}' for tls, port in PORTS.items())}]",
    ),
    click.option(
        "--smtp-tls",
        type=click.Choice([tls.value for tls in Tls]),
        default=Tls.STARTTLS.value,
        show_default=True,
        help="How the way to the mail server is kept private.",
    ),
    click.option("--smtp-user", default="", help="Who we are to the mail server."),
    click.option(
        "--smtp-password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File with its password. [default: the environment's {PASSWORD_VARIABLE}]",
    ),
    click.option("--mail-from", metavar="EMAIL", help="The address that mails come from."),
    click.option("--mail-name", default="Muster", show_default=True, help="The name beside it."),
)


def mail_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an argument `smtp`: SmtpSettings, or None without `--smtp`."""

    @functools.wraps(command)
    def wrapped(
        *arguments: Any,
        smtp_host: str | None,
        smtp_port: int | None,
        smtp_tls: str,
        smtp_user: str,
        smtp_password_file: Path | None,
        mail_from: str | None,
        mail_name: str,
        **named: Any,
    ) -> None:
        smtp = None
        if smtp_host is not None:
            if mail_from is None:
                raise click.UsageError("--smtp needs --mail-from, the address that mails come from")
            password = _password(smtp_password_file) if smtp_user else ""
            smtp = SmtpSettings(smtp_host, mail_from, smtp_port, Tls(smtp_tls), mail_name, smtp_user, password)
        command(*arguments, smtp=smtp, **named)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _password(path: Path | None) -> str:
    """Never an argument: those are seen by every user of the machine."""
    if path is None:
        return os.environ.get(PASSWORD_VARIABLE, "")
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFault(f"cannot read the password in {path}: {error}") from error
