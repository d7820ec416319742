# SPDX-License-Identifier: Apache-2.0
"""An organization's look: only what can be read and what is a picture; public files that name no organization."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from ota_server.dashboard.render import make_environment
from ota_server.errors import Invalid
from ota_server.mail.models import Mail
from ota_server.organizations import branding
from ota_server.organizations.branding import Branding, branded, contrast
from ota_server.organizations.png import check_png
from tests.ota_server.conftest import Server

PATH = "/orgs/warm-rooms/branding"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int = 2, height: int = 1, *more: bytes) -> bytes:
    """A picture of black pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress((b"\0" + bytes(width)) * height)
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def upload(server: Server, raw: bytes, expect: int = 200) -> Any:
    return server.api("PUT", f"{PATH}/logo", expect, files={"file": ("logo.png", raw)})


def test_an_organization_that_set_nothing_has_its_name_and_our_colours(server: Server) -> None:
    assert server.api("GET", PATH)["branding"] == {
        "name": "Warm Rooms",
        "support_email": "",
        "color": "#1f5fbf",
        "background": "#ffffff",
        "logo": "",
        "style_sheet": "/brand/colors/1f5fbf-ffffff.css",
    }


def test_what_is_changed_stays_and_the_rest_is_as_it_was(server: Server) -> None:
    server.api("PUT", PATH, json={"name": "Cosy", "color": "#FFD500", "background": "#101010"})
    server.api("PUT", PATH, json={"support_email": "Help@example.com"})
    found = server.api("GET", PATH)["branding"]
    assert (found["name"], found["color"], found["support_email"]) == ("Cosy", "#ffd500", "help@example.com")
    sheet = server.client.get(found["style_sheet"])
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--accent: #ffd500" in sheet.text
    assert "color-scheme: dark" in sheet.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"color": "red"}, "color"),
        ({"color": "#12345"}, "color"),
        ({"color": "#fff000"}, "color"),
        ({"color": "#777777", "background": "#808080"}, "color"),
        ({"background": "#000000;}"}, "background"),
        ({"name": ""}, "name"),
        ({"name": "Cosy\nRooms"}, "name"),
        ({"support_email": "help"}, "email"),
    ],
)
def test_what_cannot_be_read_is_refused(server: Server, body: dict[str, str], field: str) -> None:
    assert server.api("PUT", PATH, 400, json=body)["field"] == field
    assert server.api("GET", PATH)["branding"]["name"] == "Warm Rooms"


@pytest.mark.parametrize("colors", ["1f5fbf", "1f5fbf-", "1f5fbf-ffffff;}body{", "fffff0-ffffff", "-"])
def test_style_sheet_of_no_colours_is_refused(server: Server, colors: str) -> None:
    assert server.client.get(f"/brand/colors/{colors}.css").status_code == 400


def test_logo_is_public_under_its_digest_and_as_what_it_is(server: Server) -> None:
    path = upload(server, png())["branding"]["logo"]
    shown = server.client.get(path, headers={"authorization": ""})
    assert shown.content == png()
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in shown.headers["cache-control"]
    assert server.api("DELETE", f"{PATH}/logo")["branding"]["logo"] == ""
    assert server.client.get(path).status_code == 404


def test_other_things_that_are_kept_are_no_logos(stocked: Server) -> None:
    digest = stocked.api("GET", "/products/thermostat/firmware")[0]["images"][0]["sha256"]
    for name in (digest, "", "0", 64 * "0", 64 * "z"):
        assert stocked.client.get(f"/brand/logos/{name}.png").status_code == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"GIF89a",
        png()[:-1],
        png() + b"<script>",
        png()[:40] + b"x" + png()[41:],
        png(1025, 1),
        png(0, 1),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + b"\xff\xff\xff\xff",
        png(2, 1, chunk(b"tEXt", bytes(256 * 1024))),
    ],
)
def test_what_is_no_small_png_is_refused(server: Server, raw: bytes) -> None:
    assert upload(server, raw, 400)["field"] == "file"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_a_png_or_refused(raw: bytes, cut: int) -> None:
    for one in (raw, png()[:cut] + raw, b"\x89PNG\r\n\x1a\n" + raw):
        try:
            check_png(one)
        except Invalid:
            continue
        assert one.endswith(chunk(b"IEND", b""))


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert contrast("#767676", "#ffffff") >= 4.5


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_text_can_be_read_whatever_colours_are_taken(color: str, background: str) -> None:
    try:
        brand = Branding("Cosy", color=color, background=background)
    except Invalid:
        return
    assert contrast(brand.text, background) >= 4.5


def test_mail_to_customers_has_name_colours_and_address_and_no_markup_of_others() -> None:
    brand = Branding('Cosy <b>"Rooms"</b>', "help@example.com", "#aa0000", "#ffffff", 64 * "0")
    text = "Good day <script>,\n\nhttps://muster.example.com/reset?token=1\n"
    mail = branded(Mail("ben@example.com", "Hello", text), brand, "https://muster.example.com")
    assert (mail.sender_name, mail.reply_to, mail.text) == (brand.name, "help@example.com", text)
    assert "Good day &lt;script&gt;," in mail.html
    assert 'href="https://muster.example.com/reset?token=1"' in mail.html
    assert f'src="https://muster.example.com/brand/logos/{64 * "0"}.png"' in mail.html
    assert "background: #aa0000" in mail.html
    assert "<b>" not in mail.html


def test_customers_page_is_in_the_brand() -> None:
    environment: Environment = make_environment()
    page = environment.get_template("branded.html").render(brand=Branding("Cosy <Rooms>", "help@example.com"))
    assert "Cosy &lt;Rooms&gt;" in page
    assert branding.Branding("x").css_path in page
    assert "mailto:help@example.com" in page
