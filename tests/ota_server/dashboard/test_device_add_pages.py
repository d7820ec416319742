# SPDX-License-Identifier: Apache-2.0
"""Devices are added on a page: a list or a table, with what came of each line; commands name the product."""

from __future__ import annotations

from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in

ADD = f"{HOME}/devices/add"
ONE, TWO, THREE = (f"{number:024x}" for number in (1, 2, 3))


def test_import_tells_what_came_of_each_line(server: Server) -> None:
    server.product()
    server.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    server.api("POST", "/products/7/devices", json={"id": THREE})
    client = sign_in(server)
    data = {"form_token": form_token(client.get(ADD).text), "lines": f"{ONE}\r\n\r\n{THREE}\n<b>none</b>"}
    page = client.post(ADD, data=data, files={"file": ("", b"")}).text
    assert "<h1>1 added, 0 known already, 2 not imported</h1>" in page
    assert "another product" in page
    assert "&lt;b&gt;none&lt;/b&gt;" in page
    assert "<h1>0 added, 1 known already, 2 not imported</h1>" in client.post(ADD, data=data).text
    table = f"id,name,groups\n{TWO},porch,beta\n"
    page = client.post(ADD, data={"form_token": data["form_token"]}, files={"file": ("t.csv", table.encode())}).text
    assert "<h1>1 added, 0 known already, 0 not imported</h1>" in page
    (found,) = server.api("GET", f"/products/{keys.PRODUCT}/devices?groups=beta")["devices"]
    assert (found["id"], found["name"]) == (TWO, "porch")


def test_table_that_cannot_be_imported_is_refused_as_a_whole(server: Server) -> None:
    server.product()
    client = sign_in(server)
    token = form_token(client.get(ADD).text)
    for raw, said in (
        (f"id,name\n{ONE},porch\n{ONE[1:]},attic\n", "an id has 24 hexadecimal digits"),
        (f"id,owner of it\n{ONE},me\n", "the first line names columns"),
        ("\n", "paste ids, or choose a file"),
        ("\n" * 10_001 + ONE, "at most 10000 devices"),
    ):
        page = client.post(ADD, data={"form_token": token}, files={"file": ("t.csv", raw.encode())})
        assert page.status_code == 400, raw[:40]
        assert said in page.text
    binary = client.post(ADD, data={"form_token": token}, files={"file": ("t.csv", b"\xff\xfe")})
    assert "not text in UTF-8" in binary.text
    huge = client.post(ADD, data={"form_token": token}, files={"file": ("t.csv", bytes(3 * 1024 * 1024))})
    assert huge.status_code == 413
    assert server.api("GET", f"/products/{keys.PRODUCT}/devices")["devices"] == []


def test_page_has_commands_of_its_product(server: Server) -> None:
    server.product(claiming="off")
    client = sign_in(server)
    page = client.get(ADD).text
    assert f"muster device provision --server http://127.0.0.1 --product {keys.PRODUCT} --port" in page
    assert "are not claimed by customers" in page
    assert "device_claims" not in page
    server.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"claiming": "id"}})
    page = client.get(ADD).text
    assert "/v1/products/thermostat/device_claims" in page
    assert "/v1/devices -d id=" in page
