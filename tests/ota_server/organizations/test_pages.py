# SPDX-License-Identifier: Apache-2.0
"""The pages show invitations, and offer only what one's role allows."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Connection
from starlette.testclient import TestClient

from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.service import Passwords
from ota_server.organizations import store
from ota_server.organizations.roles import Role
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, PASSWORD, Server

BEN = "ben@example.com"
HOME = "/products/thermostat"


@pytest.fixture
def ben(stocked: Server) -> TestClient:
    """A browser of somebody who is in no organization."""
    hashed = Passwords().hash(PASSWORD)
    stocked.services.database.write(lambda c: accounts.create_account(c, BEN, hashed, 0))
    stocked.client.post("/sign-in", data={"email": BEN, "password": PASSWORD})
    return stocked.client


def _invite(server: Server, role: str) -> None:
    server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": role})


def _answer(browser: TestClient, answer: str) -> None:
    found = re.search(r'name="form_token" value="([0-9a-f]{32})"', browser.get("/").text)
    assert found is not None
    browser.post("/invitations/warm-rooms", data={"form_token": found.group(1), "answer": answer})


def test_invitation_waits_on_the_first_page(stocked: Server, ben: TestClient) -> None:
    assert "You are in no organization yet" in ben.get("/").text
    _invite(stocked, "Support")
    page = ben.get("/").text
    assert f"{EMAIL} invites you to the team of <strong>Warm Rooms</strong> as Support." in page
    assert ben.get(HOME).status_code == 404
    _answer(ben, "accept")
    assert "<h1>Thermostat" in ben.get("/").text
    assert ben.get(HOME).status_code == 200


def test_declined_invitation_leaves_the_page_as_it_was(stocked: Server, ben: TestClient) -> None:
    _invite(stocked, "Support")
    _answer(ben, "decline")
    assert "You are in no organization yet" in ben.get("/").text
    assert ben.get(HOME).status_code == 404


def test_invitation_is_answered_by_a_form_of_this_session_only(stocked: Server, ben: TestClient) -> None:
    _invite(stocked, "Support")
    assert ben.post("/invitations/warm-rooms", data={"form_token": 32 * "0", "answer": "accept"}).status_code == 403
    assert ben.get(HOME).status_code == 404


@pytest.mark.parametrize(
    ("role", "is_offered"), [(Role.DEVELOPER, True), (Role.SUPPORT, False), (Role.VIEW_ONLY, False)]
)
def test_rollout_is_paused_by_who_controls_firmware(
    stocked: Server, ben: TestClient, role: Role, is_offered: bool
) -> None:
    number = stocked.rollout(2)
    _join(stocked, role)
    for path in (HOME, f"{HOME}/rollouts/{number}"):
        assert ("Pause for" in ben.get(path).text) == is_offered


@pytest.mark.parametrize(("role", "is_offered"), [(Role.SUPPORT, True), (Role.VIEW_ONLY, False)])
def test_key_is_approved_by_who_manages_devices(server: Server, role: Role, is_offered: bool) -> None:
    server.product(auto_approve=False)
    device = server.device(running=keys.image(1))
    device.check_in()
    hashed = Passwords().hash(PASSWORD)
    server.services.database.write(lambda c: accounts.create_account(c, BEN, hashed, 0))
    _join(server, role)
    server.client.post("/sign-in", data={"email": BEN, "password": PASSWORD})
    page = server.client.get(f"{HOME}/devices/{device.device_id.hex()}").text
    assert "Keys that wait for approval" in page
    assert ("Approve this key" in page) == is_offered


def _join(server: Server, role: Role) -> None:
    def join(connection: Connection) -> None:
        account = accounts_store.by_email(connection, BEN)
        assert account is not None
        store.add_member(connection, 1, account.id, role, 0)

    server.services.database.write(join)
