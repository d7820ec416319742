# SPDX-License-Identifier: Apache-2.0
"""Options that say when and how fast a rollout offers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from muster.cli.options import together
from muster.client import JsonObject

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

F = TypeVar("F", bound=Callable[..., Any])


class TimeType(click.ParamType[str]):
    """A time of ISO 8601; without an offset it is this computer's time."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return datetime.fromisoformat(str(value)).astimezone().isoformat()
        except (ValueError, OverflowError):
            return self.fail(f"{value!r} is not a time such as 2027-01-15T22:00", param, ctx)


class WindowType(click.ParamType[JsonObject]):
    """[DAY,...@]HH:MM-HH:MM."""

    name = "window"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> JsonObject:
        days, _, clock = str(value).rpartition("@")
        begin, dash, end = clock.partition("-")
        named = [[day for day in DAYS if len(word) > 1 and day.startswith(word.lower())] for word in days.split(",")]
        if not dash or (days and not all(len(found) == 1 for found in named)):
            self.fail(f"{value!r} is not a window such as 22:00-05:00 or sat,sun@00:00-24:00", param, ctx)
        window: JsonObject = {"from": begin, "to": end}
        return window | {"days": [found[0] for found in named]} if days else window


def schedule_options(command: F) -> F:
    """Adds the options of a schedule; the command gets them as one argument, `schedule`, empty when none is given."""

    @functools.wraps(command)
    def with_schedule(
        *,
        start_at: str | None,
        windows: tuple[JsonObject, ...],
        time_zone: str | None,
        per_minute: int | None,
        security: bool,
        deadline: str | None,
        postpone: int | None,
        **others: Any,
    ) -> Any:
        given: JsonObject = {
            "start_at": start_at,
            "windows": list(windows) or None,
            "time_zone": time_zone,
            "per_minute": per_minute,
            "priority": "security" if security else None,
            "deadline": deadline,
            "consent": None if postpone is None else {"postpone_max_s": postpone},
        }
        return command(schedule={name: value for name, value in given.items() if value is not None}, **others)

    options = together(
        click.option("--start-at", type=TimeType(), metavar="TIME", help="Begin then, once it is started."),
        click.option(
            "--window",
            "windows",
            type=WindowType(),
            multiple=True,
            metavar="[DAYS@]FROM-TO",
            help="Offer only then, such as 22:00-05:00 or sat,sun@00:00-24:00. May be given again.",
        ),
        click.option(
            "--time-zone",
            metavar="NAME",
            help="Whose clock windows go by, such as Europe/Madrid. [default: each device's own]",
        ),
        click.option(
            "--per-minute", type=click.IntRange(1, 1_000_000), metavar="COUNT", help="Most devices offered it a minute."
        ),
        click.option("--security", is_flag=True, help="Go before other rollouts; wait for no window, ask no device."),
        click.option(
            "--deadline", type=TimeType(), metavar="TIME", help="From then on wait for no window and ask no device."
        ),
        click.option(
            "--postpone",
            type=click.IntRange(1, 30 * 24 * 3600),
            metavar="SECONDS",
            help="Let devices put it off, so long at most.",
        ),
    )
    return options(with_schedule)  # type: ignore[return-value]  # what click makes of it is called by click alone
