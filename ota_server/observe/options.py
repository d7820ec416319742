# SPDX-License-Identifier: Apache-2.0
"""Options about what a process logs."""

from __future__ import annotations

import click

from ota_server.observe.logs import Accesses, LogForm, LogLevel

log_form_option = click.option(
    "--log",
    "log_form",
    type=click.Choice([form.value for form in LogForm]),
    default=LogForm.TEXT.value,
    show_default=True,
    help="How log lines are written, on standard error.",
)
log_level_option = click.option(
    "--log-level",
    type=click.Choice([level.value for level in LogLevel]),
    default=LogLevel.WARNING.value,
    show_default=True,
    help="The lowest that is written.",
)
access_log_option = click.option(
    "--access-log",
    "accesses",
    type=click.Choice([accesses.value for accesses in Accesses]),
    default=Accesses.NONE.value,
    show_default=True,
    help="Which requests get a line in the log.",
)
