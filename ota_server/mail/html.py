# SPDX-License-Identifier: Apache-2.0
"""The same mail as a page: paragraphs of its text, links as buttons."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_LINK = re.compile(r"https?://\S+")

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(text: str, *, name: str, support_email: str, color: str, background: str, text_color: str, logo: str) -> str:
    """HTML in these colours, under this name; `logo`: the address of a picture, or empty."""
    parts = [(part, bool(_LINK.fullmatch(part))) for part in text.strip().split("\n\n")]
    return _environment.get_template("letter.html").render(
        parts=parts,
        name=name,
        support_email=support_email,
        color=color,
        background=background,
        text_color=text_color,
        logo=logo,
    )
