# SPDX-License-Identifier: Apache-2.0
"""Turns facts into HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent

STATES = {
    "confirmed": ("✓", "confirmed"),
    "trial": ("◐", "on trial"),
    "downloading": ("↓", "downloading"),
    "staged": ("▣", "staged"),
    "offered": ("→", "offered"),
    "retrying": ("↻", "trying again"),
    "interrupted": ("↯", "interrupted"),
    "no_contact": ("⌁", "no contact"),
    "stopped": ("■", "download stopped"),
    "waiting": ("·", "waiting"),
    "failed": ("✕", "failed"),
    "reverted": ("↶", "reverted"),
    "not_seen": ("?", "not seen"),
    "withdrawn": ("−", "withdrawn"),
    "running": ("▶", "running"),
    "paused": ("‖", "paused"),
    "completed": ("✓", "completed"),
    "aborted": ("✕", "aborted"),
    "draft": ("○", "draft"),
    "scheduled": ("◷", "scheduled"),
    "approved": ("✓", "approved"),
    "active": ("✓", "trusted"),
    "expected": ("○", "expected"),
    "quarantined": ("!", "quarantined"),
    "denied": ("✕", "denied"),
    "online": ("●", "online"),
    "offline": ("○", "offline"),
    "development": ("⚒", "for development"),
    "locked": ("⚿", "locked"),
    "opened": ("⇄", "session"),
    "called": ("»", "called"),
    "changed": ("✎", "changed"),
    "version": ("⬚", "version"),
    "crash": ("✕", "crash"),
    "alert": ("!", "alert"),
}
"""Sign and words of every state: colour is never the only mark."""

LEVELS = ("debug", "info", "warning", "error")


def make_environment() -> Environment:
    """The templates, with everything escaped and no name undefined."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ago"] = ago
    environment.filters["expected"] = expected
    environment.filters["moment"] = moment
    environment.filters["size"] = size
    environment.filters["state"] = state
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.globals["levels"] = LEVELS
    return environment


def ago(at_ms: int | None, now_ms: int) -> Markup:
    """A time in words, its exact value in the element."""
    if at_ms is None:
        return Markup("never")
    exact = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    iso = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, exact, words_ago(now_ms - at_ms))


def moment(at_ms: int) -> Markup:
    """A time as it is, to the minute: it does not change while the page is open."""
    iso = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(iso, expected(at_ms))


def expected(at_ms: int | None) -> str:
    """A time to come, to the minute: nobody knows it better."""
    if at_ms is None:
        return "not within four weeks"
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def size(count: int) -> str:
    """Bytes in the unit that fits, such as 1.5 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{count:,} B" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def words_ago(past_ms: int) -> str:
    """Such as "4 min ago"."""
    seconds = max(past_ms, 0) // 1000
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {word} ago"
    return f"{seconds} s ago" if seconds >= 5 else "just now"


def state(name: str) -> Markup:
    """A state: sign, word and colour."""
    sign, words = STATES.get(name, ("·", name))
    return Markup('<span class="state s-{}"><span class="sign" aria-hidden="true">{}</span> {}</span>').format(
        name, sign, words
    )
