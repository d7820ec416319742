# SPDX-License-Identifier: Apache-2.0
"""What organizations use is counted by day, and limits take back what goes beyond them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.errors import Unavailable
from ota_server.organizations import service as organizations
from ota_server.usage import service
from tests.ota_server import keys
from tests.ota_server.conftest import Server

USAGE = "/orgs/warm-rooms/usage"
DEVICES = [f"{number:024x}" for number in range(1, 4)]


def usage(server: Server, **days: str) -> Any:
    return server.api("GET", USAGE, params=days)["usage"]


def limit(server: Server, organization: int | None = None, **values: int | None) -> None:
    server.services.database.write(lambda connection: service.change_limits(connection, organization, dict(values)))


def refused(server: Server, method: str, path: str, **arguments: Any) -> str:
    answer = server.api(method, path, 403, **arguments)
    assert answer["code"] == "limit_reached"
    return str(answer["error_description"])


def test_what_there_is_now(stocked: Server) -> None:
    stocked.api("POST", "/products/thermostat/devices", json={"ids": DEVICES})
    stocked.api("POST", "/orgs/warm-rooms/team", json={"username": "ben@example.com"})
    now = usage(stocked)["now"]
    images = sum(
        image["size"] for release in stocked.api("GET", "/products/thermostat/firmware") for image in release["images"]
    )
    patches = sum(patch["size"] for patch in stocked.api("GET", "/products/thermostat/patches")["patches"])
    assert now == {"seats": 2, "devices": 3, "storage_bytes": images + patches}


def test_check_ins_and_served_bytes_are_counted_by_day(stocked: Server) -> None:
    stocked.rollout(2)
    device = stocked.device()
    device.update()
    today = usage(stocked)
    [day] = today["days"]
    assert day["date"] == "2027-01-15"
    assert day["check_ins"] == today["check_ins"] > 0
    assert day["bytes_served"] == today["bytes_served"] > 0
    stocked.clock.advance_s(24 * 3600)
    device.check_in()
    later = usage(stocked)
    assert [one["date"] for one in later["days"]] == ["2027-01-15", "2027-01-16"]
    assert later["check_ins"] == today["check_ins"] + later["days"][1]["check_ins"]
    assert usage(stocked, **{"from": "2027-01-16", "to": "2027-01-16"})["days"] == later["days"][1:]


def test_what_there_was_is_written_down_each_day(stocked: Server) -> None:
    stocked.api("POST", "/products/thermostat/devices", json={"ids": DEVICES})
    stocked.services.jobs.forgetter.work_off()
    stocked.clock.advance_s(24 * 3600)
    stocked.api("DELETE", f"/products/thermostat/devices/{DEVICES[0]}", 204, json={"deny": True})
    stocked.services.jobs.forgetter.work_off()
    assert [day["devices"] for day in usage(stocked)["days"]] == [3, 2]


def test_days_as_a_table(stocked: Server) -> None:
    stocked.device().check_in()
    stocked.services.jobs.forgetter.work_off()
    headers = {"authorization": f"Bearer {stocked.token}"}
    answer = stocked.client.get(f"/v1{USAGE}.csv", headers=headers)
    assert answer.headers["content-type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(answer.text))
    [day] = usage(stocked)["days"]
    assert row == {key: str(value) for key, value in day.items()}


@pytest.mark.parametrize(
    "days",
    [
        {"from": "2027-01-16", "to": "2027-01-15"},
        {"from": "2025-01-01", "to": "2027-01-15"},
        {"from": "yesterday"},
        {"to": "0001-01-01"},
    ],
)
def test_days_that_are_none_are_refused(server: Server, days: dict[str, str]) -> None:
    server.api("GET", USAGE, 400, params=days)


def test_nothing_counted_is_lost_while_the_database_is_away(stocked: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stocked.device().check_in()

    def submit(_work: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(stocked.services.database, "submit", submit)
        with pytest.raises(Unavailable):
            stocked.services.write_usage()
    assert usage(stocked)["check_ins"] > 0


def test_import_beyond_the_limit_imports_nothing(stocked: Server) -> None:
    limit(stocked, devices=2)
    said = refused(stocked, "POST", "/products/thermostat/devices", json={"ids": DEVICES})
    assert said.startswith("this server's limit is 2 devices, and this would make 3: remove some, or ask")
    assert usage(stocked)["now"]["devices"] == 0
    stocked.api("POST", "/products/thermostat/devices", json={"ids": DEVICES[:2]})
    assert usage(stocked)["limits"]["devices"] == 2
    limit(stocked, devices=None)
    stocked.api("POST", "/products/thermostat/devices", json={"ids": DEVICES})


def test_device_beyond_the_limit_waits_in_quarantine(stocked: Server) -> None:
    limit(stocked, devices=1)
    first, second = stocked.device(1), stocked.device(2)
    first.check_in()
    second.check_in()
    assert stocked.seen(first)["status"] == "active"
    assert stocked.seen(second)["status"] == "quarantined"
    refused(stocked, "POST", f"/products/thermostat/devices/{second.device_id.hex()}/approve")
    first.check_in()
    limit(stocked, devices=2)
    stocked.api("POST", f"/products/thermostat/devices/{second.device_id.hex()}/approve")


def test_invitation_beyond_the_limit_is_not_made(server: Server) -> None:
    limit(server, seats=2)
    team = "/orgs/warm-rooms/team"
    server.api("POST", team, json={"username": "ben@example.com"})
    server.api("POST", team, json={"username": "ben@example.com", "role": "Support"})
    refused(server, "POST", team, json={"username": "eve@example.com"})
    assert len(server.api("GET", team)["invitations"]) == 1


def test_upload_beyond_the_limit_is_not_kept(server: Server) -> None:
    server.product()
    raw = keys.image(1).raw
    limit(server, storage_bytes=len(raw) - 1)
    refused(server, "POST", "/products/thermostat/firmware", files={"file": ("firmware.bin", raw)})
    assert server.api("GET", "/products/thermostat/firmware") == []
    limit(server, storage_bytes=len(raw))
    server.publish(keys.image(1))


def test_operator_says_how_many_organizations_an_account_may_make(server: Server) -> None:
    cold = {"organization": {"name": "Cold Rooms"}}
    limit(server, organizations=1)
    refused(server, "POST", "/orgs", json=cold)
    limit(server, organizations=2)
    server.api("POST", "/orgs", 201, json=cold)


def test_operator_is_not_limited(server: Server) -> None:
    limit(server, organizations=0)

    def write(connection: Connection) -> str:
        return organizations.add_administrator(connection, "eve@example.com", "-", "Eve's", 0)

    assert server.services.database.write(write)


def test_limit_of_one_organization_goes_before_that_of_all(stocked: Server) -> None:
    limit(stocked, devices=1)
    limit(stocked, 1, devices=3)
    stocked.api("POST", "/products/thermostat/devices", json={"ids": DEVICES})
    assert usage(stocked)["limits"] == {"seats": None, "devices": 3, "storage_bytes": None}


def test_limits_are_no_use_to_strangers(server: Server) -> None:
    """An account that is in no team sees nothing of it."""
    _, token = server.services.database.write(lambda c: accounts.create_account(c, "eve@example.com", "-", 0))
    headers = {"authorization": f"Bearer {token}"}
    assert server.client.get(f"/v1{USAGE}", headers=headers).status_code == 404
