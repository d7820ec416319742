# SPDX-License-Identifier: Apache-2.0
"""Signed-in browsers: listed, seen now and then, signed out from elsewhere, one or all."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from ota_server.accounts import service as accounts
from tests.ota_server.conftest import EMAIL, PASSWORD, Server

pytestmark = pytest.mark.both_databases

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def browser(server: Server, agent: str = FIREFOX) -> TestClient:
    """One more browser, signed in."""
    made = TestClient(server.client.app, headers={"user-agent": agent})
    sent = made.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}, follow_redirects=False)
    assert sent.status_code == 303
    return made


def is_signed_in(one: TestClient) -> bool:
    return one.get("/search", follow_redirects=False).status_code == 200


def test_browsers_are_listed_with_what_they_say_they_are(server: Server) -> None:
    browser(server)
    server.clock.advance_s(60)
    browser(server, "a" * 300 + "\x7f")
    last, first = server.api("GET", "/user/browsers")["browsers"]
    assert (first["agent"], first["address"], last["agent"]) == (FIREFOX, "testclient", 200 * "a")
    assert first["signed_in_at"] == first["last_used_at"] == "2027-01-15T08:00:00.000Z"
    assert first["expires_at"] == "2027-01-15T20:00:00.000Z"


def test_browser_that_asks_for_pages_is_used_to_ten_minutes(server: Server) -> None:
    one = browser(server)
    for wait_s, used in ((600, "08:00:00"), (1, "08:10:01"), (600, "08:10:01")):
        server.clock.advance_s(wait_s)
        assert is_signed_in(one)
        server.services.database.write(lambda _connection: None)
        [listed] = server.api("GET", "/user/browsers")["browsers"]
        assert listed["last_used_at"] == f"2027-01-15T{used}.000Z"


def test_one_browser_is_signed_out_from_elsewhere(server: Server) -> None:
    first, second = browser(server), browser(server)
    number = min(one["id"] for one in server.api("GET", "/user/browsers")["browsers"])
    server.api("DELETE", f"/user/browsers/{number}")
    assert (is_signed_in(first), is_signed_in(second)) == (False, True)
    server.api("DELETE", f"/user/browsers/{number}", 404)


def test_all_browsers_are_signed_out_and_tokens_go_on(server: Server) -> None:
    both = (browser(server), browser(server))
    server.api("DELETE", "/user/browsers")
    assert [is_signed_in(one) for one in both] == [False, False]
    assert server.api("GET", "/user/browsers") == {"browsers": []}


def test_sign_in_that_has_expired_is_not_listed(server: Server) -> None:
    browser(server)
    server.clock.advance_s(12 * 3600)
    assert server.api("GET", "/user/browsers") == {"browsers": []}


def test_browser_of_somebody_else_is_not_there(server: Server) -> None:
    one = browser(server)
    [listed] = server.api("GET", "/user/browsers")["browsers"]
    server.token = server.services.database.write(
        lambda connection: accounts.create_account(connection, "ben@example.com", "-", 0)
    )[1]
    server.api("DELETE", f"/user/browsers/{listed['id']}", 404)
    assert is_signed_in(one)
