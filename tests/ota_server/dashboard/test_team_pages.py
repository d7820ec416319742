# SPDX-License-Identifier: Apache-2.0
"""An organization's team, audit log and use on pages."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Connection

from ota_server.accounts import service as accounts
from ota_server.accounts.service import Passwords
from ota_server.organizations import store
from ota_server.organizations.roles import Role
from tests.ota_server.conftest import EMAIL, PASSWORD, Server
from tests.ota_server.dashboard.test_pages import form_token, sign_in
from tests.ota_server.organizations.test_team import owners

BOB = "bob@example.com"
BASE = "/organizations/warm-rooms"
TEAM = f"{BASE}/team"


def send(server: Server, path: str, **fields: str | list[str]) -> tuple[int, str]:
    """Sends a form of the signed-in client: status and page."""
    token = form_token(server.client.get(TEAM).text)
    response = server.client.post(path, data={"form_token": token, **fields})
    return response.status_code, response.text


def join(server: Server, role: Role) -> None:
    """BOB has an account, with the usual password, and this role."""
    hashed = Passwords().hash(PASSWORD)

    def write(connection: Connection) -> None:
        account_id, _ = accounts.create_account(connection, BOB, hashed, 0)
        store.add_member(connection, 1, account_id, role, 0)

    server.services.database.write(write)


def test_somebody_is_invited_and_the_invitation_withdrawn(server: Server) -> None:
    client = sign_in(server)
    status, page = send(server, f"{TEAM}/invite", email="Bob@example.com", role="support")
    assert status == 200
    assert "bob@example.com is invited as Support." in page
    assert "This server sends no mail" in page
    assert "Withdraw the invitation of bob@example.com?" in client.get(f"{TEAM}/remove?who=bob@example.com").text
    assert send(server, f"{TEAM}/remove", username=BOB)[0] == 200
    assert server.api("GET", "/orgs/warm-rooms/team")["invitations"] == []


def test_wrong_address_comes_back_with_what_was_typed(server: Server) -> None:
    sign_in(server)
    status, page = send(server, f"{TEAM}/invite", email='no"body', role="support")
    assert status == 400
    assert 'value="no&#34;body"' in page
    assert re.search(r'aria-describedby="invite-email-about" aria-invalid="true"', page)
    assert '<span id="invite-email-about"><span class="error">not an e-mail address</span>' in page
    assert '<option value="support" selected>' in page


def test_member_gets_another_role_and_is_removed(server: Server) -> None:
    client = sign_in(server)
    join(server, Role.SUPPORT)
    assert send(server, f"{TEAM}/role", username=BOB, role="developer")[0] == 200
    page = client.get(TEAM).text
    assert "2 people and 0 programs" in page
    assert '<option value="developer" selected>' in page
    assert "Remove bob@example.com?" in client.get(f"{TEAM}/remove?who=bob@example.com").text
    assert send(server, f"{TEAM}/remove", username=BOB)[0] == 200
    assert [one["username"] for one in server.api("GET", "/orgs/warm-rooms/team")["team"]] == [EMAIL]
    assert send(server, f"{TEAM}/remove", username=EMAIL)[0] == 409


def test_owner_makes_another_administrator_the_owner(server: Server) -> None:
    client = sign_in(server)
    assert "There is no other administrator." in client.get(f"{TEAM}/owner").text
    join(server, Role.ADMINISTRATOR)
    assert f'href="{TEAM}/owner"' in client.get(TEAM).text
    assert f'<option value="{EMAIL}"' not in client.get(f"{TEAM}/owner").text
    status, page = send(server, f"{TEAM}/owner", username=BOB, typed="warm")
    assert status == 400
    assert '<span class="error">type warm-rooms to make somebody else its owner</span>' in page
    assert owners(server) == [EMAIL]
    status, page = send(server, f"{TEAM}/owner", username=BOB, typed="warm-rooms")
    assert status == 200
    assert f'href="{TEAM}/owner"' not in page
    assert owners(server) == [BOB]
    newest = server.api("GET", "/orgs/warm-rooms/audit")["audit"][0]
    assert (newest["action"], newest["subject"], newest["by"]) == ("organization.transfer", BOB, EMAIL)


def test_owner_is_changed_by_nobody_else(server: Server) -> None:
    join(server, Role.ADMINISTRATOR)
    client = sign_in(server, email=BOB)
    assert f'href="{TEAM}/owner"' not in client.get(TEAM).text
    shown = client.get(f"{TEAM}/owner")
    assert shown.status_code == 403
    assert "only the owner of Warm Rooms can give it to somebody else" in shown.text
    assert send(server, f"{TEAM}/owner", username=BOB, typed="warm-rooms")[0] == 403
    assert client.get("/organizations/none/team/owner").status_code == 404
    assert owners(server) == [EMAIL]


@pytest.mark.parametrize(
    ("who", "status", "why"),
    [
        (BOB, 409, "bob@example.com is Developer: make them administrator first"),
        ("nobody@example.com", 404, "nobody@example.com is not in the team of Warm Rooms"),
    ],
)
def test_owner_must_be_an_administrator(server: Server, who: str, status: int, why: str) -> None:
    join(server, Role.DEVELOPER)
    sign_in(server)
    answered, page = send(server, f"{TEAM}/owner", username=who, typed="warm-rooms")
    assert answered == status
    assert f'<p class="error" role="alert">{why}</p>' in page
    assert owners(server) == [EMAIL]


def test_token_of_a_program_is_shown_once(server: Server) -> None:
    client = sign_in(server)
    status, page = send(server, f"{TEAM}/programs", friendly_name="CI", scopes=["firmware:update"])
    found = re.search(r'<code class="secret">([0-9a-f]{40})</code>', page)
    assert status == 200
    assert found is not None
    assert server.whoami(found.group(1))["username"].startswith("ci-")
    assert found.group(1) not in client.get(TEAM).text
    username = server.api("GET", "/orgs/warm-rooms/team")["team"][1]["username"]
    status, page = send(server, f"{TEAM}/token", username=username)
    assert 'class="secret"' in page
    server.whoami(found.group(1), 401)
    assert send(server, f"{TEAM}/programs", friendly_name="CI")[0] == 400


def test_support_sees_the_team_and_changes_nothing(server: Server) -> None:
    join(server, Role.SUPPORT)
    client = sign_in(server, email=BOB)
    page = client.get(TEAM).text
    assert "2 people" in page
    for word in ("<select", "Invite", "Remove …", f'href="{BASE}/audit"'):
        assert word not in page
    assert client.get(f"{BASE}/audit").status_code == 403
    assert "Remove bob@example.com?" in client.get(f"{TEAM}/remove?who=bob@example.com").text


def test_audit_log_is_filtered_by_its_address_and_exported(server: Server) -> None:
    client = sign_in(server)
    server.product()
    send(server, f"{TEAM}/invite", email=BOB, role="support")
    page = client.get(f"{BASE}/audit?action=team.").text
    assert "team.invite" in page
    assert "product.create" not in page
    assert f'href="{BASE}/audit.csv?action=team."' in page
    text = client.get(f"{BASE}/audit.csv?action=team.").text
    assert text.splitlines()[0].startswith('"id","at","by"')
    assert len(text.splitlines()) == 2
    assert "No line is like this" in client.get(f"{BASE}/audit?until=1999-12-31").text


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "<script>"])
def test_wrong_day_is_said_beside_the_filter(server: Server, day: str) -> None:
    page = sign_in(server).get(f"{BASE}/audit", params={"since": day})
    assert page.status_code == 400
    assert "give a date, such as 2026-11-23" in page.text
    assert 'aria-describedby="wrong"' in page.text


def test_audit_log_goes_on_to_older_lines(server: Server) -> None:
    client = sign_in(server)
    for number in range(101):
        server.api("PUT", "/orgs/warm-rooms", json={"name": f"Rooms {number:03}"})
    page = client.get(f"{BASE}/audit").text
    assert "Rooms 100" in page
    assert "Rooms 000" not in page
    older = re.search(r'href="(\?before=[0-9]+)">Older', page)
    assert older is not None
    page = client.get(f"{BASE}/audit{older.group(1)}").text
    assert "Rooms 000" in page
    assert "Newest" in page


def test_use_says_what_there_is_and_what_there_may_be(stocked: Server) -> None:
    stocked.device().check_in()
    client = sign_in(stocked)
    page = client.get(f"{BASE}/usage").text
    shown = stocked.api("GET", "/orgs/warm-rooms/usage")["usage"]
    assert f'data-label="Check-ins">{shown["check_ins"]}<' in page
    assert "no limit" in page
    assert client.get(f"{BASE}/usage.csv").text.splitlines()[0].startswith("date,check_ins")
