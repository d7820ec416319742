# SPDX-License-Identifier: Apache-2.0
"""Devices are imported from a table and exported as one."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.devices import search, table
from ota_server.errors import Invalid
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

PATH = f"/products/{keys.PRODUCT}/devices"
KEY = keys.key("one").public_key.raw.hex()


def device_id(number: int) -> str:
    return f"{number:024x}"


@pytest.fixture
def shop(server: Server) -> Server:
    server.product()
    return server


def send(server: Server, *lines: str, expect: int = 200) -> Any:
    return server.api("POST", PATH, expect, files={"file": ("file", "\r\n".join(lines).encode())})


def export(server: Server, **query: Any) -> list[dict[str, str]]:
    headers = {"authorization": f"Bearer {server.token}"}
    response = server.client.get(f"/v1{PATH}", params={"format": "csv", **query}, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="devices-thermostat.csv"'
    return list(csv.DictReader(io.StringIO(response.text)))


def test_table_is_imported_with_all_that_it_says(shop: Server) -> None:
    answer = send(
        shop,
        "\ufeffid,Key,name,serial_number,groups,notes",
        f'{device_id(1)},{KEY},kitchen,S1,beta cellar,"left, by the\nwindow"',
        f"{device_id(2)},,,,,",
    )
    assert answer["updatedDeviceIds"] == [device_id(1), device_id(2)]
    one = shop.api("GET", f"{PATH}/{device_id(1)}")
    assert (one["name"], one["serial_number"], one["groups"]) == ("kitchen", "S1", ["beta", "cellar"])
    assert (one["notes"], one["status"]) == ("left, by the\nwindow", "active")
    again = send(shop, "id,name", f"{device_id(1)},hall", f"{device_id(2)},")
    assert again["existingDeviceIds"] == [device_id(1), device_id(2)]
    one = shop.api("GET", f"{PATH}/{device_id(1)}")
    assert (one["name"], one["groups"]) == ("hall", ["beta", "cellar"]), "what is not said stays"


def test_every_refused_line_is_named_and_nothing_is_imported(shop: Server) -> None:
    shop.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    shop.api("POST", "/products/7/devices", json={"id": device_id(9)})
    refused = send(
        shop,
        "id,serial_number,groups",
        f"{device_id(1)},S1,",
        f"{device_id(2)},S1,",
        f"{device_id(3)},,Not/Good",
        f"{device_id(9)},,",
        expect=400,
    )
    assert [(one["line"], one["reason"].split(":")[0]) for one in refused["refused"]] == [
        (3, f"device {device_id(1)} has the serial number S1"),
        (4, "a group's name has 1 to 64 lower-case letters, digits, _ and -"),
        (5, "the device is another product's"),
    ]
    assert shop.api("GET", PATH)["devices"] == []
    assert shop.api("GET", f"/products/{keys.PRODUCT}/groups")["groups"] == []


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        (["id,name", "123,x", f"{device_id(1)}", f"{device_id(2)},a,b"], ["24 hexadecimal", "1 cells", "3 cells"]),
        (["id,key", f"{device_id(1)},12"], ["a key has 64"]),
        (["id", device_id(1), "", device_id(1)], ["in line 2 already"]),
    ],
)
def test_lines_that_cannot_be_read_are_named(shop: Server, lines: list[str], reasons: list[str]) -> None:
    refused = send(shop, *lines, expect=400)["refused"]
    assert len(refused) == len(reasons)
    for one, reason in zip(refused, reasons, strict=True):
        assert reason in one["reason"]


@pytest.mark.parametrize("header", ["id,colour", "id,id", "id,id,name"])
def test_columns_that_nobody_knows_are_refused(shop: Server, header: str) -> None:
    assert "names columns once each" in send(shop, header, expect=400)["error_description"]


def test_groups_in_a_table_need_the_role_that_groups_need(shop: Server) -> None:
    def join(connection: Connection) -> str:
        account_id, token = accounts.create_account(connection, "support@example.com", "-", 0)
        organizations.add_member(connection, 1, account_id, Role.SUPPORT, 0)
        return token

    shop.token = shop.services.database.write(join)
    send(shop, "id,name,groups", f"{device_id(1)},kitchen,")
    send(shop, "id,groups", f"{device_id(1)},beta", expect=403)


def test_export_holds_what_an_import_reads_and_more(shop: Server) -> None:
    send(shop, "id,key,name,serial_number,groups,notes", f"{device_id(1)},{KEY},=1+1,S1,beta cellar,n")
    send(shop, "id", device_id(2))
    shop.api("POST", "/devices", json={"id": device_id(1)})
    one, two = export(shop)
    assert list(one) == [*table.READ, *table.SHOWN]
    assert (one["id"], one["key"], one["name"], one["groups"]) == (device_id(1), KEY, "'=1+1", "beta cellar")
    assert (one["owner"], one["status"], two["status"]) == (EMAIL, "active", "expected")
    lines = [",".join(one), *(",".join(row.values()) for row in (one, two))]
    assert send(shop, *lines)["existingDeviceIds"] == [device_id(1), device_id(2)]
    assert shop.api("GET", f"{PATH}/{device_id(1)}")["name"] == "=1+1"


def test_export_takes_filters_and_comes_in_pages(shop: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ota_server.devices.export._AT_ONCE", 3)
    ids = [device_id(number) for number in range(10)]
    send(shop, "id,groups", *(f"{one},{'even' if int(one, 16) % 2 == 0 else ''}" for one in ids))
    assert [row["id"] for row in export(shop)] == ids
    assert [row["id"] for row in export(shop, groups="even")] == ids[::2]
    assert export(shop, deviceName="none") == []
    with shop.services.database.read() as connection:
        wanted = search.Search(per_page=4)
        first = search.next_of_product(connection, keys.PRODUCT, wanted, None)
        assert [row.device_id for row in search.next_of_product(connection, keys.PRODUCT, wanted, first[-1])] == ids[
            4:8
        ]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_is_a_table_or_a_refusal(lines: list[str]) -> None:
    try:
        found = table.parse(["id,key,name,serial_number,groups,notes", *lines])
    except Invalid as error:
        found = []
        event(type(error).__name__)
    assert len({line.device.device_id for line in found}) == len(found)


def test_table_is_told_from_a_list_of_ids() -> None:
    assert table.is_table(["\ufeffname, ID"])
    assert table.is_table(['"id","key"'])
    assert not table.is_table([device_id(1)])
    assert not table.is_table([f"{device_id(1)},{KEY}"])
    assert not table.is_table([])
