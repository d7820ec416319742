# SPDX-License-Identifier: Apache-2.0
"""Turns facts into HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ota_server.dashboard import places
from ota_server.dashboard.static_files import static_path

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
    "default": ("✓", "default"),
    "released": ("✓", "released"),
    "published": ("○", "published"),
    "killed": ("✕", "killed"),
    "signed": ("✓", "signed"),
    "to-sign": ("!", "not signed for production"),
    "patch-pending": ("·", "to be made"),
    "patch-ready": ("✓", "ready"),
    "patch-failed": ("✕", "failed"),
    "patch-evicted": ("−", "made room for others"),
    "active": ("✓", "trusted"),
    "expected": ("○", "expected"),
    "quarantined": ("!", "quarantined"),
    "denied": ("✕", "denied"),
    "online": ("●", "online"),
    "offline": ("○", "offline"),
    "development": ("⚒", "for development"),
    "locked": ("▣", "locked"),
    "opened": ("⇄", "session"),
    "called": ("»", "called"),
    "changed": ("✎", "changed"),
    "version": ("⬚", "version"),
    "crash": ("✕", "crash"),
    "alert": ("!", "alert"),
    "on": ("✓", "on"),
    "off": ("○", "off"),
    "unsigned": ("✎", "not signed"),
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
    environment.globals.update(levels=LEVELS, of_product=places.OF_PRODUCT, of_organization=places.OF_ORGANIZATION)
    environment.globals["of_account"] = places.OF_ACCOUNT
    environment.globals["static"] = static_path
    return environment


def ago(at_ms: int | None, now_ms: int) -> Markup:
    """A time in words, its exact value in the element."""
    if at_ms is None:
        return Markup("never")
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    words = words_ago(now_ms - at_ms)
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(_iso(at), at, words)


def moment(at_ms: int) -> Markup:
    """A time as it is, to the minute. In UTC; static/times.js says it in the viewer's zone."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return Markup('<time datetime="{}" data-exact>{:%Y-%m-%d %H:%M} UTC</time>').format(_iso(at), at)


def expected(at_ms: int | None) -> Markup:
    """A time to come, to the minute: nobody knows it better."""
    return Markup("not within four weeks") if at_ms is None else moment(at_ms)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


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
