# SPDX-License-Identifier: Apache-2.0
"""The second factor: codes of an app work once and for a while, recovery codes once, and guessing ends soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ota_server.conftest import EMAIL, PASSWORD, HandClock, Server, make_settings, run_server

CLIENT = "CLI2"


@pytest.fixture
def server(tmp_path: Path, clock: HandClock) -> Iterator[Server]:
    yield from run_server(replace(make_settings(tmp_path / "server"), password_clients=(CLIENT,)), clock)


class App:
    """An authenticator app that shares a secret with the server, and the recovery codes on paper."""

    def __init__(self, server: Server) -> None:
        begun = server.api("GET", "/user/mfa-enable")
        self._server = server
        self.secret = str(begun["secret"])
        parsed = pyotp.parse_uri(begun["otpauth_url"])
        assert isinstance(parsed, pyotp.TOTP)
        assert (parsed.secret, parsed.name, parsed.issuer) == (self.secret, EMAIL, "Muster")
        body = {"mfa_token": begun["mfa_token"], "otp": self.code()}
        self.recovery_codes: list[str] = server.api("POST", "/user/mfa-enable", json=body)["recovery_codes"]
        server.clock.advance_s(30)

    def code(self, ahead_s: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(self._server.clock.now_ms() // 1000 + ahead_s)


@pytest.fixture
def app(server: Server) -> App:
    return App(server)


def post(server: Server, expect: int, **fields: str) -> Any:
    response = server.client.post("/oauth/token", data={"client_id": CLIENT, **fields})
    assert response.status_code == expect, response.text
    return response.json()


def challenge(server: Server, **fields: str) -> str:
    """Signs in as far as the password goes."""
    answer = post(server, 403, grant_type="password", username=EMAIL, password=PASSWORD, **fields)
    assert answer["error"] == "mfa_required"
    return str(answer["mfa_token"])


def send(server: Server, token: str, code: str, expect: int = 200, client: str = CLIENT) -> Any:
    return post(server, expect, grant_type="urn:custom:mfa-otp", mfa_token=token, otp=code, client_id=client)


def test_password_alone_is_not_enough_any_more(server: Server, app: App) -> None:
    assert server.api("GET", "/user")["mfa"] == {"enabled": True, "recovery_codes": 10}
    answer = send(server, challenge(server, expires_in="60"), app.code())
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 60)
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    assert server.client.get("/v1/user", headers=headers).json()["username"] == EMAIL


def test_wrong_password_is_refused_before_a_code_is_asked_for(server: Server, app: App) -> None:
    answer = post(server, 400, grant_type="password", username=EMAIL, password="wrong")
    assert answer["error"] == "invalid_grant"
    assert "mfa_token" not in answer


def test_code_works_once(server: Server, app: App) -> None:
    code = app.code()
    send(server, challenge(server), code)
    assert send(server, challenge(server), code, 400)["error"] == "invalid_grant"
    server.clock.advance_s(30)
    send(server, challenge(server), app.code())


@pytest.mark.parametrize(("ahead_s", "status"), [(-60, 400), (-30, 400), (0, 200), (30, 200), (60, 400)])
def test_clock_of_the_app_may_be_half_a_minute_off(server: Server, app: App, ahead_s: int, status: int) -> None:
    """The code before the present one was used to set the factor up."""
    send(server, challenge(server), app.code(ahead_s), status)


def test_slow_clock_of_an_app_is_forgiven_too(server: Server, app: App) -> None:
    server.clock.advance_s(60)
    send(server, challenge(server), app.code(-30))


def test_challenge_takes_five_tries_and_five_minutes(server: Server, app: App) -> None:
    token = challenge(server)
    for _ in range(5):
        send(server, token, "000000", 400)
    send(server, token, app.code(), 400)
    token = challenge(server)
    server.clock.advance_s(300)
    send(server, token, app.code(), 400)
    send(server, challenge(server), app.code())


def test_many_challenges_give_no_more_tries(server: Server, app: App) -> None:
    for _ in range(2):
        token = challenge(server)
        for _ in range(5):
            send(server, token, "000000", 400)
    send(server, challenge(server), app.code(), 400)
    server.clock.advance_s(300)
    send(server, challenge(server), app.code())


def test_challenge_is_for_the_client_that_got_it(server: Server, app: App) -> None:
    send(server, challenge(server), app.code(), 400, client="muster")
    send(server, 40 * "0", app.code(), 400)


def test_recovery_code_works_once_however_it_is_typed(server: Server, app: App) -> None:
    assert len(set(app.recovery_codes)) == 10
    first, second = app.recovery_codes[:2]
    send(server, challenge(server), first)
    send(server, challenge(server), first, 400)
    send(server, challenge(server), f" {second.upper().replace('-', ' ')} ")


def test_other_recovery_codes_take_the_place_of_those_until_now(server: Server, app: App) -> None:
    first, second = app.recovery_codes[:2]
    send(server, challenge(server), first)
    assert server.api("GET", "/user")["mfa"]["recovery_codes"] == 9
    refused = server.api("PUT", "/user/mfa-recovery-codes", 400, json={"current_password": "wrong"})
    assert refused["field"] == "current_password"
    codes = server.api("PUT", "/user/mfa-recovery-codes", json={"current_password": PASSWORD})["recovery_codes"]
    assert len(set(codes)) == 10
    send(server, challenge(server), second, 400)
    send(server, challenge(server), codes[0])


def test_there_are_no_recovery_codes_without_the_factor(server: Server) -> None:
    server.api("PUT", "/user/mfa-recovery-codes", 409, json={"current_password": PASSWORD})


def test_factor_is_turned_off_by_the_password(server: Server, app: App) -> None:
    refused = server.api("PUT", "/user/mfa-disable", 400, json={"current_password": "wrong"})
    assert refused["field"] == "current_password"
    server.api("PUT", "/user/mfa-disable", json={"current_password": PASSWORD})
    post(server, 200, grant_type="password", username=EMAIL, password=PASSWORD)
    assert server.api("GET", "/user")["mfa"] == {"enabled": False, "recovery_codes": 0}


def test_nothing_changes_before_the_app_has_shown_a_code(server: Server) -> None:
    begun = server.api("GET", "/user/mfa-enable")
    body = {"mfa_token": begun["mfa_token"], "otp": "000000"}
    assert server.api("POST", "/user/mfa-enable", 400, json=body)["field"] == "otp"
    post(server, 200, grant_type="password", username=EMAIL, password=PASSWORD)


def test_factor_that_is_on_is_not_set_up_again(server: Server, app: App) -> None:
    assert "turn it off first" in server.api("GET", "/user/mfa-enable", 409)["error_description"]


def test_tokens_from_before_may_be_ended_with_it(server: Server) -> None:
    begun = server.api("GET", "/user/mfa-enable")
    code = pyotp.TOTP(begun["secret"]).at(server.clock.now_ms() // 1000)
    body = {"mfa_token": begun["mfa_token"], "otp": code, "invalidate_tokens": True}
    server.api("POST", "/user/mfa-enable", json=body)
    server.api("GET", "/user", 401)


def test_browser_asks_for_a_code_too(server: Server, app: App) -> None:
    page = server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD, "next": "/products/x"})
    assert page.status_code == 200
    assert "muster_session" not in server.client.cookies
    found = re.search(r'name="challenge" value="([0-9a-f]{40})"', page.text)
    assert found is not None
    form = {"challenge": found.group(1), "next": "/products/x", "code": "000000"}
    wrong = server.client.post("/sign-in/code", data=form)
    assert wrong.status_code == 401
    assert "This code is not right" in wrong.text
    done = server.client.post("/sign-in/code", data={**form, "code": app.code()}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/products/x")
    assert "muster_session" in server.client.cookies


def test_challenge_of_a_tool_is_none_for_a_browser(server: Server, app: App) -> None:
    form = {"challenge": challenge(server), "code": app.code()}
    assert server.client.post("/sign-in/code", data=form).status_code == 401


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.text(max_size=60), code=st.text(max_size=60))
def test_any_text_is_no_code(server: Server, app: App, token: str, code: str) -> None:
    post(server, 400, grant_type="urn:custom:mfa-otp", mfa_token=token, otp=code)
