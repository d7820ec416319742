# SPDX-License-Identifier: Apache-2.0
"""How an organization looks to its customers: name, logo, colours, where to ask for help."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, insert, select

from ota_server.accounts.addresses import clean_email
from ota_server.errors import Invalid
from ota_server.mail import html
from ota_server.mail.models import Mail
from ota_server.organizations.models import Organization, branding
from ota_server.organizations.png import check_png

COLOR = "#1f5fbf"
BACKGROUND = "#ffffff"
DARK = ("#1b2129", "#000000")
LIGHT = ("#f4f6f8", "#ffffff")
"""Colours of text. Black or white can be read on every background."""
CONTRAST_MIN = 4.5
"""Between what is read and what is behind it (WCAG 2.2, success criterion 1.4.3)."""
LOGO_SIZE_MAX = 256 * 1024

_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Branding:
    """What customers see. An instance can be read: its colours stand out.

    Attributes:
        name: whose pages and mails they are.
        support_email: where customers ask for help; empty for nowhere.
        color: of links and buttons, such as #1f5fbf.
        background: what is behind everything.
        logo: SHA-256 of a PNG file, in hexadecimal digits; empty for none.

    Raises:
        Invalid: a field has no legal value.
    """

    name: str
    support_email: str = ""
    color: str = COLOR
    background: str = BACKGROUND
    logo: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 100 or not self.name.isprintable() or self.name != self.name.strip():
            raise Invalid("a name has 1 to 100 characters", "name")
        if self.support_email and clean_email(self.support_email) != self.support_email:
            raise Invalid("not an e-mail address", "support_email")
        for field in ("color", "background"):
            if not _HEX.fullmatch(getattr(self, field)):
                raise Invalid(f"{field} is # and six hexadecimal digits, in lower case", field)
        if contrast(self.color, self.background) < CONTRAST_MIN:
            raise Invalid("the colour cannot be read on this background: take a darker or a lighter one", "color")

    @property
    def text(self) -> str:
        """The colour of text."""
        candidates = (DARK[0], LIGHT[0], DARK[1], LIGHT[1])
        return next(one for one in candidates if contrast(one, self.background) >= CONTRAST_MIN)

    @property
    def css_path(self) -> str:
        """A public style sheet with these colours, as variables of muster.css."""
        return f"/brand/colors/{self.color[1:]}-{self.background[1:]}.css"

    @property
    def logo_path(self) -> str:
        """The logo's public address; empty without one."""
        return _logo_path(self.logo)


def _logo_path(digest: str) -> str:
    return f"/brand/logos/{digest}.png" if digest else ""


def contrast(one: str, other: str) -> float:
    """1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def style_sheet(color: str, background: str, where: str = ":root") -> str:
    """The variables of muster.css in these colours, on light and dark screens alike. Raises Invalid."""
    brand = Branding("-", color=color, background=background)
    scheme = "light" if brand.text in DARK else "dark"
    return (
        f"{where} {{ color-scheme: {scheme}; --bg: {background}; --surface: {background}; --accent: {color}; "
        f"--text: {brand.text}; --quiet: {brand.text}; --failed: {brand.text}; "
        f"--line: color-mix(in srgb, {brand.text} 25%, {background}); }}\n"
    )


def of_organization(connection: Connection, organization: Organization) -> Branding:
    """As it was set; otherwise the organization's name in our colours."""
    columns = (branding.c.name, branding.c.support_email, branding.c.color, branding.c.background, branding.c.logo)
    row = connection.execute(select(*columns).where(branding.c.organization_id == organization.id)).first()
    return Branding(organization.name) if row is None else Branding(*row)


def keep(connection: Connection, organization: Organization, brand: Branding) -> None:
    connection.execute(delete(branding).where(branding.c.organization_id == organization.id))
    connection.execute(
        insert(branding).values(
            organization_id=organization.id,
            name=brand.name,
            support_email=brand.support_email,
            color=brand.color,
            background=brand.background,
            logo=brand.logo,
        )
    )


def check_logo(raw: bytes) -> None:
    """Raises Invalid for what is no PNG image of a decent size."""
    if len(raw) > LOGO_SIZE_MAX:
        raise Invalid(f"a logo has up to {LOGO_SIZE_MAX // 1024} KiB", "file")
    check_png(raw)


def is_logo(connection: Connection, digest: str) -> bool:
    """Whether some organization shows it."""
    return connection.execute(select(branding.c.logo).where(branding.c.logo == digest).limit(1)).first() is not None


def logos(connection: Connection, organization_ids: Collection[int]) -> dict[int, str]:
    """The logos' public addresses, by the organization's id; without those that have none."""
    where = branding.c.organization_id.in_(organization_ids), branding.c.logo != ""
    rows = connection.execute(select(branding.c.organization_id, branding.c.logo).where(*where))
    return {key: _logo_path(digest) for key, digest in rows}


def branded(mail: Mail, brand: Branding, url: str) -> Mail:
    """A mail of text in an organization's look, with its name and its address for answers. `url`: of the server."""
    page = html.page(
        mail.text,
        name=brand.name,
        support_email=brand.support_email,
        color=brand.color,
        background=brand.background,
        text_color=brand.text,
        logo=f"{url}{brand.logo_path}" if brand.logo else "",
    )
    return replace(mail, html=page, sender_name=brand.name, reply_to=brand.support_email)
