# SPDX-License-Identifier: Apache-2.0
"""The option of the server's commands that says how much patches may take."""

from __future__ import annotations

import click

from ota_server.settings import DEFAULT_PATCH_BUDGET

patch_budget_option = click.option(
    "--patch-budget",
    type=click.IntRange(min=0),
    default=DEFAULT_PATCH_BUDGET,
    show_default=True,
    metavar="BYTES",
    help="Of patches that are kept; those that were not offered for longest make room, and are made again when needed.",
)
