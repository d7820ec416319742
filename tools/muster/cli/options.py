# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

TIME_FILTERS = (
    click.option("--since", default="", metavar="TIME", help="From then on, such as 2026-11-23T08:00:00Z."),
    click.option("--until", default="", metavar="TIME", help="Before then."),
)


def together(*options: Decorator) -> Decorator:
    """Adds several options; the help shows them in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
