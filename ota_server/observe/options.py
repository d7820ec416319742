# SPDX-License-Identifier: Apache-2.0
"""Options about what a process logs."""

from __future__ import annotations

import click

from ota_server.observe.logs import LogForm, LogLevel

log_form_option = click.option(
    "--log",
    "log_form",
    type=click.Choice(LogForm),
    default=LogForm.TEXT,
    show_default=True,
    help="How log lines are written, on standard error.",
)
log_level_option = click.option(
    "--log-level",
    type=click.Choice(LogLevel),
    default=LogLevel.WARNING,
    show_default=True,
    help="The lowest that is written.",
)
