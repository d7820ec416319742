# SPDX-License-Identifier: Apache-2.0
"""Devices are claimed by id or by code, used by their owner, and given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.customers import service as customers
from ota_server.devices import claims, service, store
from ota_server.devices.models import Device
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.products import store as products
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server
from tests.ota_server.keys import key

pytestmark = pytest.mark.both_databases

T = TypeVar("T")

PATH = f"/products/{keys.PRODUCT}"
DEVICE = "0123456789abcdef01234567"
OTHER = "00000000000000000000000a"


class Shop:
    """A product with two trusted devices; Kim is a customer of it, Lee is in no team and a customer of nothing."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.product()
        for number, device_id in enumerate((DEVICE, OTHER)):
            public = key(f"imported {number}").public_key.raw.hex()
            server.api("POST", f"{PATH}/devices", json={"id": device_id, "public_key": public})
        self.kim = self.do(lambda c: accounts.create_account(c, "kim@example.com", "-", 0))
        self.lee = self.do(lambda c: accounts.create_account(c, "lee@example.com", "-", 0))

    def do(self, work: Callable[[Connection], T]) -> T:
        return self.server.services.database.write(work)

    def make_customer(self) -> None:
        """Makes Kim one."""

        def write(connection: Connection) -> None:
            product, kim = products.get(connection, keys.PRODUCT), accounts_store.by_id(connection, self.kim[0])
            assert product is not None
            assert kim is not None
            customers.of_account(connection, product, kim, 0)

        self.do(write)

    def api(self, token: str, method: str, path: str, expect: int = 200, **arguments: Any) -> Any:
        """Calls the API as somebody else than the administrator."""
        headers = {"authorization": f"Bearer {token}"}
        response = self.server.client.request(method, f"/v1{path}", headers=headers, **arguments)
        assert response.status_code == expect, response.text
        return response.json()

    def tell(self, code: str, device_id: str = DEVICE) -> None:
        """What a check-in does with a code that its device tells."""

        def write(connection: Connection) -> None:
            product = products.get(connection, keys.PRODUCT)
            assert product is not None
            row: Device = service.find(connection, product, device_id)
            claims.redeem(connection, row, product, code, self.server.clock.now_ms())

        self.do(write)

    def set(self, **settings: Any) -> None:
        self.server.api("PUT", PATH, json={"product": settings})

    def owner(self, device_id: str = DEVICE) -> str | None:
        shown: str | None = self.server.api("GET", f"{PATH}/devices/{device_id}")["owner"]
        return shown

    def history(self, device_id: str = DEVICE) -> list[str]:
        return [line["text"] for line in self.server.api("GET", f"{PATH}/devices/{device_id}")["history"]]


@pytest.fixture
def shop(server: Server) -> Shop:
    return Shop(server)


def test_team_member_claims_by_id_and_uses_the_device(shop: Shop) -> None:
    server = shop.server
    claimed = server.api("POST", "/devices", json={"id": DEVICE.upper(), "request_transfer": True})
    assert (claimed["ok"], claimed["id"], claimed["claimed"]) == (True, DEVICE, True)
    assert server.api("PUT", f"/devices/{DEVICE}", json={"name": "kitchen"})["name"] == "kitchen"
    server.api("PUT", "/devices/kitchen", data={"notes": "by the window"})
    [mine] = server.api("GET", "/devices")
    assert (mine["id"], mine["owner"], mine["notes"], mine["online"]) == (DEVICE, EMAIL, "by the window", False)
    assert server.api("PUT", "/devices/kitchen/ping") == {"ok": True, "online": False}
    listed = server.api("GET", f"{PATH}/devices")
    assert {one["id"]: one["owner"] for one in listed["devices"]} == {DEVICE: EMAIL, OTHER: None}
    assert [one["username"] for one in listed["customers"]] == [EMAIL]
    assert server.api("DELETE", "/devices/kitchen") == {"ok": True}
    assert server.api("GET", "/devices") == []
    assert shop.owner() is None
    lines = server.api("GET", "/orgs/warm-rooms/audit", params={"action": "device."})["audit"]
    assert [line["action"] for line in lines][:2] == ["device.give_up", "device.change"]


def test_what_is_given_up_forgets_what_its_owner_called_it(shop: Shop) -> None:
    shop.server.api("POST", "/devices", json={"id": DEVICE})
    shop.server.api("PUT", f"/devices/{DEVICE}", json={"name": "kim's bedroom", "notes": "key under the mat"})
    assert shop.server.api("DELETE", f"{PATH}/devices/{DEVICE}/owner") == {"ok": True}
    shown = shop.server.api("GET", f"{PATH}/devices/{DEVICE}")
    assert (shown["owner"], shown["name"], shown["notes"]) == (None, "", "")


def test_device_that_tells_a_code_is_its_owners(shop: Shop) -> None:
    shop.make_customer()
    made = shop.api(shop.kim[1], "POST", f"{PATH}/device_claims")
    assert (len(made["claim_code"]), made["device_ids"]) == (63, [])
    shop.tell(made["claim_code"])
    assert shop.owner() == "kim@example.com"
    assert [one["id"] for one in shop.api(shop.kim[1], "GET", "/devices")] == [DEVICE]


def test_claim_is_made_at_a_check_in(shop: Shop) -> None:
    device = shop.server.device(3)
    device.claim_code = shop.server.api("POST", f"{PATH}/device_claims")["claim_code"]
    device.check_in()
    assert device.claim_code is None
    assert shop.owner(device.device_id.hex()) == EMAIL


def test_quarantined_device_claims_nothing_until_it_is_approved(shop: Shop) -> None:
    shop.set(auto_approve=False)
    device = shop.server.device(3)
    code = shop.server.api("POST", f"{PATH}/device_claims")["claim_code"]
    device.claim_code = code
    device.check_in()
    assert (device.claim_code, shop.owner(device.device_id.hex())) == (code, None)
    shop.server.api("POST", f"{PATH}/devices/{device.device_id.hex()}/approve")
    device.check_in()
    assert (device.claim_code, shop.owner(device.device_id.hex())) == (None, EMAIL)


def test_code_that_does_not_work_is_not_told_again(shop: Shop) -> None:
    device = shop.server.device(3)
    device.claim_code = "x" * 63
    answer = device.check_in()
    assert answer.is_claim_taken
    assert any("Not claimed" in text for text in shop.history(device.device_id.hex()))


def test_code_is_good_for_one_device(shop: Shop) -> None:
    code = shop.server.api("POST", "/device_claims")["claim_code"]
    shop.tell(code)
    shop.tell(code)
    shop.tell(code, OTHER)
    assert (shop.owner(), shop.owner(OTHER)) == (EMAIL, None)
    assert [text for text in shop.history() if "laim" in text] == [f"Claimed by {EMAIL}."]
    assert sum("Not claimed" in text for text in shop.history(OTHER)) == 1


def test_lost_answer_does_not_take_a_device_back_that_was_given_up(shop: Shop) -> None:
    code = shop.server.api("POST", "/device_claims")["claim_code"]
    shop.tell(code)
    shop.server.api("DELETE", f"/devices/{DEVICE}")
    shop.tell(code)
    assert shop.owner() is None


def test_code_expires(shop: Shop) -> None:
    code = shop.server.api("POST", "/device_claims")["claim_code"]
    shop.server.clock.advance_s(30 * 60)
    shop.tell(code)
    shop.tell("guessed" * 9)
    assert shop.owner() is None
    assert sum("is not valid, was used, or has expired" in text for text in shop.history()) == 2


def test_code_of_an_account_without_a_part_in_the_product_claims_nothing(shop: Shop) -> None:
    shop.tell(shop.api(shop.lee[1], "POST", "/device_claims")["claim_code"])
    assert shop.owner() is None
    shop.api(shop.lee[1], "POST", f"{PATH}/device_claims", 404)
    shop.api(shop.lee[1], "POST", "/devices", 404, json={"id": DEVICE})


def test_code_is_weighed_when_it_is_told(shop: Shop) -> None:
    """Who has left the team since, and a product that takes no claims any more."""

    def join(connection: Connection) -> None:
        organizations.add_member(connection, 1, shop.lee[0], Role.SUPPORT, 0)

    def leave(connection: Connection) -> None:
        organizations.remove_member(connection, 1, shop.lee[0])

    shop.do(join)
    code = shop.api(shop.lee[1], "POST", "/device_claims")["claim_code"]
    shop.do(leave)
    shop.tell(code)
    shop.make_customer()
    code = shop.api(shop.kim[1], "POST", f"{PATH}/device_claims")["claim_code"]
    shop.set(claiming="off")
    shop.tell(code)
    assert shop.owner() is None
    shop.api(shop.kim[1], "POST", f"{PATH}/device_claims", 403)


def test_product_says_whether_an_id_is_enough(shop: Shop) -> None:
    shop.make_customer()
    refused = shop.api(shop.kim[1], "POST", "/devices", 403, json={"id": DEVICE})
    assert "claim code" in refused["error_description"]
    shop.set(claiming="id")
    shop.api(shop.kim[1], "POST", "/devices", json={"id": DEVICE})
    assert shop.owner() == "kim@example.com"


def test_device_of_somebody_else_is_neither_claimed_nor_seen(shop: Shop) -> None:
    shop.make_customer()
    shop.set(claiming="id")
    shop.server.api("POST", "/devices", json={"id": DEVICE})
    refused = shop.api(shop.kim[1], "POST", "/devices", 409, json={"id": DEVICE})
    assert "belongs to someone else" in refused["error_description"]
    for method, path, body in (
        ("GET", f"/devices/{DEVICE}", None),
        ("PUT", f"/devices/{DEVICE}", {"name": "mine"}),
        ("PUT", f"/devices/{DEVICE}/ping", None),
        ("DELETE", f"/devices/{DEVICE}", None),
    ):
        shop.api(shop.kim[1], method, path, 404, json=body)
    assert shop.owner() == EMAIL


def test_what_is_not_trusted_is_not_claimed(shop: Shop) -> None:
    shop.set(auto_approve=False)
    waiting = shop.server.device(7)
    waiting.check_in()
    refused = shop.server.api("POST", "/devices", 409, json={"id": waiting.device_id.hex()})
    assert "is quarantined" in refused["error_description"]
    shop.server.api("DELETE", f"{PATH}/devices/{DEVICE}", 204, json={"deny": True})
    shop.server.api("POST", "/devices", 404, json={"id": DEVICE})


def test_owner_and_serial_number_stay_when_a_key_is_replaced(shop: Shop) -> None:
    device = shop.server.device(1)
    device.check_in()
    device_id = device.device_id.hex()
    shop.server.api("POST", "/devices", json={"id": device_id})
    shop.server.api("PUT", f"{PATH}/devices/{device_id}", json={"serial_number": "A-1"})
    replaced = shop.server.device(1, key=key("another"))
    replaced.check_in()
    shop.server.api("POST", f"{PATH}/devices/{device_id}/approve")
    shown = shop.server.api("GET", f"/devices/{device_id}")
    assert (shown["owner"], shown["serial_number"], shown["status"]) == (EMAIL, "A-1", "normal")


def test_several_devices_of_one_name_are_told_apart_by_id(shop: Shop) -> None:
    for device_id in (DEVICE, OTHER):
        shop.server.api("POST", "/devices", json={"id": device_id})
        shop.server.api("PUT", f"/devices/{device_id}", json={"name": "lamp"})
    shop.server.api("GET", "/devices/lamp", 400)
    assert shop.server.api("GET", f"/devices/{OTHER}")["id"] == OTHER


def test_codes_and_devices_of_one_owner_are_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "CODES_MAX", 2)
    monkeypatch.setattr(claims, "OWNED_MAX", 1)
    for expect in (200, 200, 409):
        shop.server.api("POST", "/device_claims", expect)
    shop.server.clock.advance_s(30 * 60)
    shop.server.api("POST", "/device_claims")
    shop.server.api("POST", "/devices", json={"id": DEVICE})
    shop.server.api("POST", "/devices", 409, json={"id": OTHER})


def test_a_new_id_is_made_for_a_product(shop: Shop) -> None:
    made = shop.server.api("POST", "/devices", json={"product_id": keys.PRODUCT})
    assert shop.server.api("GET", f"{PATH}/devices/{made['id']}")["status"] == "expected"
    shop.server.api("POST", "/devices", 400, json={})


def test_codes_are_kept_as_hashes(shop: Shop) -> None:
    code = shop.server.api("POST", "/device_claims")["claim_code"]
    with shop.server.services.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM claim_codes").fetchall()
    assert code not in str(kept)
    audit = shop.server.api("GET", "/orgs/warm-rooms/audit")
    assert code not in str(audit)


def test_serial_number_names_one_device_to_who_may_see_it(shop: Shop) -> None:
    number = {"serial_number": "WR-0001"}
    shop.server.api("PUT", f"{PATH}/devices/{DEVICE}", json=number)
    assert shop.server.api("GET", "/serial_numbers/WR-0001")["deviceID"] == DEVICE
    shop.server.api("PUT", f"{PATH}/devices/{OTHER}", 409, json=number)
    shop.server.api("PUT", f"{PATH}/devices/{OTHER}", 400, json={"serial_number": "with space"})
    shop.api(shop.lee[1], "GET", "/serial_numbers/WR-0001", 404)
    shop.make_customer()
    shop.api(shop.kim[1], "GET", "/serial_numbers/WR-0001", 404)
    shop.tell(shop.api(shop.kim[1], "POST", "/device_claims")["claim_code"])
    assert shop.api(shop.kim[1], "GET", "/serial_numbers/WR-0001")["deviceID"] == DEVICE
    shop.server.api("PUT", f"{PATH}/devices/{DEVICE}", json={"serial_number": None})
    shop.server.api("PUT", f"{PATH}/devices/{OTHER}", json=number)
    with shop.server.services.database.read() as connection:
        assert store.with_serial_number(connection, [keys.PRODUCT], "WR-0001") is not None
