# SPDX-License-Identifier: Apache-2.0
"""Access tokens: traded for a password, listed by name, expiring, revoked; never shown twice and never logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ota_server.conftest import EMAIL, PASSWORD, HandClock, Server, make_settings, run_server

pytestmark = pytest.mark.both_databases

CLIENT = "CLI2"
GRANT = {"grant_type": "password", "client_id": CLIENT, "client_secret": "client_secret_here"}
DAY_S = 24 * 3600


@pytest.fixture
def server(tmp_path: Path, clock: HandClock) -> Iterator[Server]:
    """A server whose operator trusts one tool with passwords."""
    yield from run_server(replace(make_settings(tmp_path / "server"), password_clients=(CLIENT,)), clock)


def ask(server: Server, expect: int = 200, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """Asks for a token by password."""
    form = {**GRANT, "username": EMAIL, "password": PASSWORD, **fields}
    response = server.client.post("/oauth/token", data=form, headers=headers)
    assert response.status_code == expect, response.text
    return response.json()


def test_password_is_traded_for_a_token(server: Server) -> None:
    answer = ask(server)
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 90 * DAY_S)
    assert server.whoami(answer["access_token"])["username"] == EMAIL


@pytest.mark.parametrize("authorization", ["Bearer null", "Basic Q0xJMjpzZWNyZXQ="])
def test_client_says_who_it_is_in_the_form_or_in_the_head(server: Server, authorization: str) -> None:
    """Particle's command line sends a bearer token of `null` along."""
    assert ask(server, headers={"authorization": authorization})["access_token"]


def test_fields_may_come_as_json(server: Server) -> None:
    fields = {**GRANT, "username": EMAIL.upper(), "password": PASSWORD, "expires_in": 60}
    response = server.client.post("/oauth/token", json=fields)
    assert response.status_code == 200
    assert response.json()["expires_in"] == 60


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "nobody@example.com"}, 400, "invalid_grant"),
        ({"client_id": "stranger"}, 400, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"expires_in": "soon"}, 400, "invalid_request"),
        ({"expires_in": "99999999999"}, 400, "invalid_request"),
    ],
)
def test_bad_requests_are_refused_as_the_standard_says(
    server: Server, fields: dict[str, Any], status: int, error: str
) -> None:
    answer = ask(server, status, **fields)
    assert answer["error"] == error
    assert answer["error_description"]


def test_no_tool_may_ask_for_passwords_unless_the_operator_said_so(tmp_path: Path, clock: HandClock) -> None:
    for server in run_server(make_settings(tmp_path / "other"), clock):
        assert ask(server, 400)["error"] == "invalid_client"


def test_guessing_passwords_is_slowed_down(server: Server) -> None:
    for _ in range(10):
        ask(server, 400, password="wrong")
    assert ask(server, 429)["error"] == "too_many_requests"
    server.clock.advance_s(301)
    ask(server)


def test_token_expires(server: Server) -> None:
    short, endless = ask(server, expires_in="60")["access_token"], ask(server, expires_in="0")["access_token"]
    server.clock.advance_s(59)
    server.whoami(short)
    server.clock.advance_s(1)
    server.whoami(short, 401)
    assert server.whoami(endless)["username"] == EMAIL
    server.clock.advance_s(10 * 365 * DAY_S)
    server.whoami(endless)


def test_tokens_are_listed_without_being_told(server: Server) -> None:
    made = server.api("POST", "/access_tokens", 201, json={"label": "ci", "expires_in": 60})["token"]
    listed = server.api("GET", "/access_tokens")
    assert [(one["label"], one["token"]) for one in listed] == [
        ("ci", made[:6] + "..."),
        ("first", server.token[:6] + "..."),
    ]
    assert listed[0]["expires_at"] == "2027-01-15T08:01:00.000Z"
    assert listed[1]["expires_at"] is None
    assert made not in str(listed)
    server.clock.advance_s(60)
    assert [one["label"] for one in server.api("GET", "/access_tokens")] == ["first"]


def test_list_says_when_a_token_was_used_last_to_ten_minutes(server: Server) -> None:
    token = server.api("POST", "/access_tokens", 201, json={"label": "ci"})["token"]

    def used() -> str | None:
        server.services.database.write(lambda _connection: None)
        [ci] = [one for one in server.api("GET", "/access_tokens") if one["label"] == "ci"]
        return None if ci["last_used_at"] is None else str(ci["last_used_at"])

    assert used() is None
    server.whoami(token)
    first = used()
    assert first == "2027-01-15T08:00:00.000Z"
    server.clock.advance_s(599)
    server.whoami(token)
    assert used() == first
    server.clock.advance_s(2)
    server.whoami(token)
    assert used() == "2027-01-15T08:10:01.000Z"


def test_current_token_says_whose_it_is_and_ends(server: Server) -> None:
    token = ask(server)["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    current = server.client.get("/v1/access_tokens/current", headers=headers).json()
    assert current["client_id"] == CLIENT
    assert [one["slug"] for one in current["orgs"]] == ["warm-rooms"]
    assert server.client.delete("/v1/access_tokens/current", headers=headers).json() == {"ok": True}
    server.whoami(token, 401)


def test_token_is_revoked_by_whoever_knows_it(server: Server) -> None:
    token = ask(server)["access_token"]
    assert server.client.delete(f"/v1/access_tokens/{token}").json() == {"ok": True}
    server.whoami(token, 401)
    assert server.client.delete(f"/v1/access_tokens/{token}").status_code == 404
    assert server.client.delete("/v1/access_tokens/nonsense").status_code == 404


def test_token_is_revoked_by_its_number_in_the_list(server: Server) -> None:
    token = ask(server)["access_token"]
    number = next(one["id"] for one in server.api("GET", "/access_tokens") if one["client"] == CLIENT)
    server.api("DELETE", f"/access_tokens/id/{number}")
    server.api("DELETE", f"/access_tokens/id/{number}", 404)
    server.whoami(token, 401)


def test_all_tokens_are_revoked_at_once(server: Server) -> None:
    token = ask(server)["access_token"]
    server.api("DELETE", "/access_tokens")
    server.whoami(token, 401)
    server.whoami(server.token, 401)


def test_neither_token_nor_password_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = ask(server)["access_token"]
        server.whoami(token)
        server.client.delete(f"/v1/access_tokens/{token}")
        ask(server, 400, password="a wrong password")
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("httpx")
    )  # the client
    for secret in (token, PASSWORD, "a wrong password"):
        assert secret not in logged


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded"]))
def test_any_body_gets_an_answer_in_json(server: Server, body: bytes, kind: str) -> None:
    response = server.client.post("/oauth/token", content=body, headers={"content-type": kind})
    assert response.status_code in (400, 401)
    assert response.json()["error"]


def test_huge_body_is_refused(server: Server) -> None:
    response = server.client.post("/oauth/token", data={**GRANT, "username": 20_000 * "x"})
    assert response.status_code == 413
    assert response.json()["error_description"]
