# SPDX-License-Identifier: Apache-2.0
"""A release is uploaded on a page: all its files or none, and the page names the one that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import HOME, sign_in
from tests.ota_server.usage.test_usage import limit

AT = f"{HOME}/releases/upload"
PHOTON, P1 = keys.image(1), keys.image(1, keys.P1)


def upload(server: Server, *files: tuple[str, bytes], **fields: str) -> Any:
    """Sends the form as a browser does, in which a field for files that is left empty comes as a file without name."""
    client = sign_in(server)
    form = form_of(client.get(AT).text, "/upload").fields | fields
    form.pop("files")
    return client.post(AT, data=form, files=[("files", ("", b"")), *(("files", file) for file in files)])


def releases(server: Server) -> list[int]:
    return [one["version"] for one in server.api("GET", "/products/thermostat/firmware")]


def test_images_of_two_platforms_and_their_elf_come_at_once(server: Server) -> None:
    server.product()
    files = (("t.elf", keys.elf(1)), ("t.bin", PHOTON.raw), ("t.bin", P1.raw))
    page = upload(server, *files, title="Frost <i>protection</i>", description="Never below 5 degrees")
    assert page.url.path == f"{HOME}/releases/1"
    assert "Frost &lt;i&gt;protection&lt;/i&gt;" in page.text
    assert page.text.count("1 of 1 release keys") == 2
    images = server.api("GET", "/products/thermostat/firmware/1")["images"]
    assert [one["has_elf"] for one in images] == [True, True]
    (line,) = server.api("GET", "/orgs/warm-rooms/audit", params={"action": "release.upload"})["audit"]
    assert line["detail"] == f"dashboard: photon {PHOTON.identity.hex()}, p1 {P1.identity.hex()}"


def test_signature_that_was_missing_comes_later_with_the_same_image(server: Server) -> None:
    server.product()
    page = upload(server, ("t.bin", keys.image(1, signer="development").raw))
    assert "not signed for production" in page.text
    assert f"{AT}?version=1" in page.text
    page = upload(server, ("t.bin", PHOTON.raw), version="1", title="Signed")
    assert "1 of 1 release keys" in page.text
    assert "Signed" in page.text


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        ((), {}, "choose at least one image"),
        ((("t.elf", keys.elf(1)),), {}, "choose at least one image"),
        ((("t.bin", b"no image"),), {}, "t.bin: not an image"),
        ((("<b>", b"no image"),), {}, "&lt;b&gt;: not an image"),
        ((("t.bin", PHOTON.raw), ("u.bin", keys.image(1, signer=None).raw)), {}, "u.bin: not signed as the key set"),
        ((("t.bin", keys.image(1, product=7).raw),), {}, "t.bin: the image is for product 7, not 1234"),
        ((("t.bin", PHOTON.raw),), {"version": "2"}, "t.bin: the image holds version 1, not 2"),
        ((("t.bin", PHOTON.raw),), {"version": "two"}, "give a whole number"),
        ((("t.bin", PHOTON.raw),), {"title": "x" * 201}, "at most 200 characters"),
        ((("t.bin", PHOTON.raw), ("u.elf", keys.elf(2))), {}, "u.elf: none of these images was made from this"),
        ((("t.bin", PHOTON.raw), ("u.bin", keys.image(2).raw)), {}, "hold versions 1 and 2: upload one at a time"),
        ((("t.bin", PHOTON.raw), ("u.bin", keys.image(1, size=8192).raw)), {}, "two of these images are for photon"),
        ((("t.bin", bytes(0x6_0001)),), {}, "t.bin: an image has at most 393,216 bytes"),
    ],
)
def test_wrong_files_are_named_and_nothing_is_kept(
    server: Server, files: tuple[tuple[str, bytes], ...], fields: dict[str, str], said: str
) -> None:
    server.product()
    page = upload(server, *files, description="Kept", **fields)
    assert page.status_code in (400, 409, 413)
    assert said in page.text
    assert "Kept</textarea>" in page.text
    assert releases(server) == []


def test_other_image_of_a_version_that_is_there_is_refused(photons: Server) -> None:
    page = upload(photons, ("t.bin", keys.image(2, size=8192).raw))
    assert page.status_code == 409
    assert "build it under a new version" in page.text
    photons.api("POST", "/products/thermostat/firmware/2/kill")
    assert "version 2 is killed" in upload(photons, ("t.bin", keys.image(2).raw)).text


def test_upload_beyond_the_space_of_an_organization_is_refused(server: Server) -> None:
    server.product()
    limit(server, storage_bytes=1000)
    page = upload(server, ("t.bin", PHOTON.raw))
    assert page.status_code == 403
    assert "limit is 1000 bytes of storage" in page.text
    assert releases(server) == []
