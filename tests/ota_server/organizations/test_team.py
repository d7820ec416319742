# SPDX-License-Identifier: Apache-2.0
"""Teams: people are invited, join or decline, change roles and leave; somebody always administers."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.organizations import service as organizations
from ota_server.organizations import store as organizations_store
from ota_server.organizations.roles import PERMISSIONS, Permission, Role
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

pytestmark = pytest.mark.both_databases

BEN = "ben@example.com"


@dataclass
class Person:
    """Somebody with an account of their own on the same server."""

    server: Server
    token: str

    def api(self, method: str, path: str, expect: int = 200, **arguments: Any) -> Any:
        mine, self.server.token = self.server.token, self.token
        try:
            return self.server.api(method, path, expect, **arguments)
        finally:
            self.server.token = mine


@pytest.fixture
def ben(server: Server) -> Person:
    """In no organization."""
    _, token = server.services.database.write(lambda c: accounts.create_account(c, BEN, "-", 0))
    return Person(server, token)


def team(server: Server) -> dict[str, str]:
    """Roles by address."""
    return {one["username"]: one["role"]["name"] for one in server.api("GET", "/orgs/warm-rooms/team")["team"]}


def join(server: Server, person: Person, role: str) -> None:
    server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": role})
    person.api("POST", "/user/invitations/warm-rooms", json={"accept": True})


def test_invited_person_joins_with_the_role_of_the_invitation(server: Server, ben: Person) -> None:
    server.product()
    ben.api("GET", f"/products/{keys.PRODUCT}", 404)
    invited = server.api("POST", "/orgs/warm-rooms/team", json={"username": f" {BEN.upper()} ", "role": "View-only"})
    assert [(one["username"], one["role"]["name"]) for one in invited["invitations"]] == [(BEN, "View-only")]
    assert team(server) == {EMAIL: "Administrator"}
    [invitation] = ben.api("GET", "/user/invitations")["invitations"]
    assert invitation["organization"] == {"slug": "warm-rooms", "name": "Warm Rooms"}
    assert invitation["invited_by"] == EMAIL
    ben.api("GET", f"/products/{keys.PRODUCT}", 404)
    ben.api("POST", "/user/invitations/warm-rooms", json={"accept": True})
    assert team(server) == {EMAIL: "Administrator", BEN: "View-only"}
    assert ben.api("GET", f"/products/{keys.PRODUCT}")["product"]["org"] == "warm-rooms"
    assert ben.api("GET", "/user/invitations")["invitations"] == []


def test_declined_invitation_is_gone(server: Server, ben: Person) -> None:
    server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Support"})
    ben.api("POST", "/user/invitations/warm-rooms", json={"accept": False})
    ben.api("POST", "/user/invitations/warm-rooms", 404, json={"accept": True})
    assert team(server) == {EMAIL: "Administrator"}


def test_second_invitation_takes_the_place_of_the_first(server: Server, ben: Person) -> None:
    for role in ("Support", "Developer"):
        server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": role})
    ben.api("POST", "/user/invitations/warm-rooms", json={"accept": True})
    assert team(server)[BEN] == "Developer"
    answer = server.api("POST", "/orgs/warm-rooms/team", 409, json={"username": BEN, "role": "Support"})
    assert "in the team already" in answer["error_description"]


def test_withdrawn_invitation_cannot_be_accepted(server: Server, ben: Person) -> None:
    server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Support"})
    server.api("DELETE", f"/orgs/warm-rooms/team/{BEN}")
    ben.api("POST", "/user/invitations/warm-rooms", 404, json={"accept": True})


def test_invitation_to_somebody_else_cannot_be_accepted(server: Server, ben: Person) -> None:
    server.api("POST", "/orgs/warm-rooms/team", json={"username": "eve@example.com", "role": "Support"})
    ben.api("POST", "/user/invitations/warm-rooms", 404, json={"accept": True})


def test_removed_member_sees_nothing_any_more(server: Server, ben: Person) -> None:
    server.product()
    join(server, ben, "Developer")
    ben.api("GET", f"/products/{keys.PRODUCT}/devices")
    server.api("DELETE", f"/products/{keys.PRODUCT}/team/{BEN}")
    ben.api("GET", f"/products/{keys.PRODUCT}/devices", 404)
    assert ben.api("GET", "/orgs")["organizations"] == []


def test_member_of_any_role_may_leave(server: Server, ben: Person) -> None:
    join(server, ben, "View-only")
    ben.api("DELETE", f"/orgs/warm-rooms/team/{EMAIL}", 403)
    ben.api("DELETE", f"/orgs/warm-rooms/team/{BEN}")
    assert team(server) == {EMAIL: "Administrator"}


def test_last_administrator_can_neither_leave_nor_step_down(server: Server, ben: Person) -> None:
    join(server, ben, "Developer")
    for method, arguments in (("DELETE", {}), ("PUT", {"json": {"role": "Support"}})):
        answer = server.api(method, f"/orgs/warm-rooms/team/{EMAIL}", 409, **arguments)
        assert "last administrator" in answer["error_description"]
    server.api("PUT", f"/orgs/warm-rooms/team/{BEN}", json={"role": "Administrator"})
    server.api("PUT", "/orgs/warm-rooms/owner", json={"username": BEN})
    server.api("DELETE", f"/orgs/warm-rooms/team/{EMAIL}")
    assert ben.api("GET", "/orgs/warm-rooms/team")["team"][0]["username"] == BEN


def test_owner_can_neither_leave_nor_step_down_before_somebody_else_is_it(server: Server, ben: Person) -> None:
    join(server, ben, "Administrator")
    for person in (server, ben):
        for method, arguments in (("DELETE", {}), ("PUT", {"json": {"role": "Support"}})):
            answer = person.api(method, f"/orgs/warm-rooms/team/{EMAIL}", 409, **arguments)
            assert "owns Warm Rooms" in answer["error_description"]
    server.api("PUT", "/orgs/warm-rooms/owner", json={"username": BEN.upper()})
    assert owners(server) == [BEN]
    server.api("PUT", f"/orgs/warm-rooms/team/{EMAIL}", json={"role": "Support"})
    ben.api("DELETE", f"/orgs/warm-rooms/team/{EMAIL}")


def test_only_the_owner_gives_an_organization_away_and_only_to_an_administrator(server: Server, ben: Person) -> None:
    server.api("PUT", "/orgs/warm-rooms/owner", 404, json={"username": "nobody@example.com"})
    join(server, ben, "Developer")
    answer = server.api("PUT", "/orgs/warm-rooms/owner", 409, json={"username": BEN})
    assert "make them administrator first" in answer["error_description"]
    ben.api("PUT", "/orgs/warm-rooms/owner", 403, json={"username": BEN})
    server.api("PUT", f"/orgs/warm-rooms/team/{BEN}", json={"role": "Administrator"})
    ben.api("PUT", "/orgs/warm-rooms/owner", 403, json={"username": BEN})
    assert owners(server) == [EMAIL]


def owners(server: Server) -> list[str]:
    return [one["username"] for one in server.api("GET", "/orgs/warm-rooms/team")["team"] if one["owner"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": BEN, "role": "King"}, "role"),
        ({"username": "nobody", "role": "Support"}, "email"),
        ({"role": "Support"}, "username"),
    ],
)
def test_bad_invitation_is_refused(server: Server, body: dict[str, str], field: str) -> None:
    assert server.api("POST", "/orgs/warm-rooms/team", 400, json=body)["field"] == field
    assert server.api("GET", "/orgs/warm-rooms/team")["invitations"] == []


def test_organizations_are_apart(server: Server, ben: Person) -> None:
    server.product()
    ben.api("POST", "/orgs", 201, json={"organization": {"name": "Ben & Sons"}})
    ben.api("POST", "/orgs", 409, json={"organization": {"name": "Warm Rooms"}})
    # Ids are in images, so that they are the whole server's.
    ben.api("POST", "/products", 409, json={"product": {"id": keys.PRODUCT, "name": "Mine"}})
    ben.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Lamp"}})
    assert [one["slug"] for one in ben.api("GET", "/products")["products"]] == ["lamp"]
    assert [one["slug"] for one in ben.api("GET", "/orgs/ben-sons/products")["products"]] == ["lamp"]
    assert [one["slug"] for one in server.api("GET", "/products")["products"]] == ["thermostat"]
    subjects = {line["by"] for line in ben.api("GET", "/orgs/ben-sons/audit")["audit"]}
    assert subjects == {BEN}


def test_account_of_several_organizations_says_whose_a_product_is(server: Server, ben: Person) -> None:
    ben.api("POST", "/products", 403, json={"product": {"id": 7, "name": "Lamp"}})
    join(server, ben, "Developer")
    ben.api("POST", "/orgs", 201, json={"organization": {"name": "Ben & Sons", "slug": "ben"}})
    answer = ben.api("POST", "/products", 400, json={"product": {"id": 7, "name": "Lamp"}})
    assert answer["field"] == "org"
    made = ben.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Lamp", "org": "ben"}})
    assert made["product"]["org"] == "ben"
    server.api("GET", "/products/7", 404)


def test_renamed_organization_keeps_its_address(server: Server) -> None:
    server.api("PUT", "/orgs/warm-rooms", json={"name": "Cosy Rooms"})
    assert server.api("GET", "/orgs/warm-rooms")["organization"]["name"] == "Cosy Rooms"


def test_changes_of_the_team_are_in_the_audit_log(server: Server, ben: Person) -> None:
    join(server, ben, "Support")
    server.api("PUT", f"/orgs/warm-rooms/team/{BEN}", json={"role": "Developer"})
    server.api("DELETE", f"/orgs/warm-rooms/team/{BEN}")
    lines = server.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert [(line["action"], line["by"], line["detail"]) for line in lines] == [
        ("team.remove", EMAIL, ""),
        ("team.role", EMAIL, "developer"),
        ("invitation.accept", BEN, "support"),
        ("team.invite", EMAIL, "support"),
    ]


def test_page_of_roles_is_the_table_of_roles() -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "server.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    head = next(row for row in rows if row[1:] == ["scope", *(role.label for role in Role)])
    shown = {row[0]: row[1:] for row in rows[rows.index(head) + 2 :][: len(Permission)]}
    meant = {
        re.sub("_", " ", permission.name.lower()): [
            f"`{permission}`",
            *("yes" if permission in PERMISSIONS[role] else "" for role in Role),
        ]
        for permission in Permission
    }
    assert shown == meant


def end_tokens(connection: Connection) -> None:
    account = accounts_store.by_email(connection, BEN)
    assert account is not None
    accounts_store.end_tokens(connection, account.id)


def leave(connection: Connection) -> None:
    organization = organizations_store.by_slug(connection, "warm-rooms")
    assert organization is not None
    organizations.remove(connection, organization, BEN)


@pytest.mark.parametrize(("loss", "status"), [(leave, 403), (end_tokens, 401)])
def test_right_that_is_lost_while_a_request_waits_for_its_write_is_not_used(
    server: Server,
    ben: Person,
    monkeypatch: pytest.MonkeyPatch,
    loss: Callable[[Connection], None],
    status: int,
) -> None:
    server.product()
    join(server, ben, "Developer")
    database = server.services.database
    begun, waiting = threading.Event(), threading.Event()

    def lose(connection: Connection) -> None:
        begun.set()
        assert waiting.wait(60)
        loss(connection)

    submit = database.submit

    def tell(work: Callable[[Connection], Any]) -> Future[Any]:
        queued = submit(work)
        waiting.set()
        return queued

    lost = submit(lose)
    assert begun.wait(60)
    monkeypatch.setattr(database, "submit", tell)
    ben.api("PUT", f"/products/{keys.PRODUCT}", status, json={"product": {"name": "Cold Rooms"}})
    lost.result()
    assert server.api("GET", f"/products/{keys.PRODUCT}")["product"]["name"] == "Thermostat"
