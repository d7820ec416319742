# SPDX-License-Identifier: Apache-2.0
"""Signing up, other addresses and forgotten passwords, by links in mails that a real mail server has taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from muster.errors import ValueOutOfRange
from ota_server.accounts import service as accounts
from ota_server.accounts import store as accounts_store
from ota_server.accounts.policy import SignUpPolicy
from ota_server.accounts.service import NewToken
from ota_server.oauth import grants
from ota_server.oauth import store as clients
from tests.ota_server.conftest import EMAIL, PASSWORD, HandClock, Server
from tests.ota_server.mail.mail_server import Post, run_post, text_of

BEN, BENS = "ben@example.com", "bens password"
ANYONE = SignUpPolicy.from_text("anyone")


@pytest.fixture
def post(tmp_path: Path, clock: HandClock) -> Iterator[Post]:
    """A server that lets anyone sign up."""
    with run_post(tmp_path / "server", clock, sign_up=ANYONE) as post:
        yield post


def call(server: Server, method: str, path: str, expect: int = 200, **fields: Any) -> Any:
    """Without a token."""
    response = server.client.request(method, f"/v1{path}", json=fields)
    assert response.status_code == expect, response.text
    return response.json()


def sign_up(post: Post, email: str = BEN, expect: int = 200) -> Any:
    return call(post.server, "POST", "/users", expect, username=email, password=BENS)


def forget(post: Post, email: str = EMAIL, expect: int = 200) -> Any:
    return call(post.server, "POST", "/user/password-reset", expect, username=email)


def token_of(link: str) -> str:
    [token] = parse_qs(urlsplit(link).query)["token"]
    return token


def can_sign_in(server: Server, email: str, password: str) -> bool:
    data = {"email": email, "password": password}
    server.client.cookies.clear()
    return server.client.post("/sign-in", data=data, follow_redirects=False).status_code == 303


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{32})"', page)
    assert found is not None
    return found.group(1)


# Signing up


def test_account_is_made_when_the_link_is_followed(post: Post) -> None:
    assert sign_up(post)["ok"]
    token = token_of(post.link(BEN))
    assert not can_sign_in(post.server, BEN, BENS)
    assert call(post.server, "POST", "/user/verify", token=token, password=BENS)["username"] == BEN
    assert can_sign_in(post.server, BEN, BENS)


def test_following_a_link_needs_the_password_that_was_chosen_with_it(post: Post) -> None:
    """Somebody else may have asked for the account, and would know its password."""
    sign_up(post)
    token = token_of(post.link(BEN))
    call(post.server, "POST", "/user/verify", 401, token=token, password="another one")
    assert not can_sign_in(post.server, BEN, BENS)
    call(post.server, "POST", "/user/verify", token=token, password=BENS)


def test_link_works_once_and_for_a_day(post: Post) -> None:
    sign_up(post)
    token = token_of(post.link(BEN))
    post.server.clock.advance_s(24 * 3600)
    call(post.server, "POST", "/user/verify", 400, token=token, password=BENS)
    sign_up(post)
    token = token_of(post.link(BEN))
    post.server.clock.advance_s(24 * 3600 - 1)
    call(post.server, "POST", "/user/verify", token=token, password=BENS)
    answer = call(post.server, "POST", "/user/verify", 400, token=token, password=BENS)
    assert "used already" in answer["error_description"]


def test_newer_link_ends_the_older_one(post: Post) -> None:
    sign_up(post)
    older = token_of(post.link(BEN))
    sign_up(post)
    newer = token_of(post.link(BEN))
    call(post.server, "POST", "/user/verify", 400, token=older, password=BENS)
    call(post.server, "POST", "/user/verify", token=newer, password=BENS)


def test_answers_do_not_tell_who_has_an_account(post: Post) -> None:
    def said(answer: Any, email: str) -> str:
        return str(answer).replace(email, "ADDRESS")

    assert said(sign_up(post, EMAIL), EMAIL) == said(sign_up(post, BEN), BEN)
    assert said(forget(post, EMAIL), EMAIL) == said(forget(post, BEN), BEN)
    assert {str(mail["To"]): str(mail["Subject"]) for mail in post.new()} == {
        BEN: "Your account",
        EMAIL: "Choose another password",
    }


def test_who_has_an_account_already_is_told_by_mail(post: Post) -> None:
    sign_up(post, EMAIL.upper())
    mail = post.one(EMAIL)
    assert mail["Subject"] == "You have an account"
    assert "/verify" not in text_of(mail)
    assert can_sign_in(post.server, EMAIL, PASSWORD)
    assert not can_sign_in(post.server, EMAIL, BENS)


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "ben", "password": BENS},
        {"username": "ben@example.com\r\nBcc: eve@example.com", "password": BENS},
        {"username": BEN, "password": "short"},
        {"username": BEN, "password": 1001 * "a"},
        {"username": BEN},
    ],
)
def test_bad_sign_ups_are_refused(post: Post, fields: dict[str, str]) -> None:
    call(post.server, "POST", "/users", 400, **fields)
    assert post.new() == []


def test_one_address_gets_few_mails_in_an_hour(post: Post) -> None:
    for _ in range(5):
        sign_up(post)
    sign_up(post, expect=429)
    forget(post, BEN, 429)
    assert len(post.new()) == 5
    post.server.clock.advance_s(3600)
    sign_up(post)


def test_one_network_address_asks_for_few_mails_in_an_hour(post: Post) -> None:
    for number in range(30):
        forget(post, f"nobody{number}@example.com")
    forget(post, expect=429)
    assert post.new() == []


@pytest.mark.parametrize(
    ("policy", "invited", "may"),
    [
        ("invited", False, False),
        ("invited", True, True),
        ("anyone", False, True),
        ("example.com, example.org", False, True),
        ("example.org", False, False),
        ("ample.com", False, False),
        ("example.org", True, True),
    ],
)
def test_operator_says_who_may_sign_up(tmp_path: Path, clock: HandClock, policy: str, invited: bool, may: bool) -> None:
    with run_post(tmp_path / "server", clock, sign_up=SignUpPolicy.from_text(policy)) as post:
        if invited:
            post.server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Support"})
            post.one(BEN)
        assert sign_up(post)["ok"]
        assert bool(post.new()) == may


@pytest.mark.parametrize("text", ["", "example.com,", "@example.com", "any one", "a/b"])
def test_policy_that_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(ValueOutOfRange):
        SignUpPolicy.from_text(text)


def test_invited_person_signs_up_and_joins(post: Post) -> None:
    post.server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Support"})
    mail = post.one(BEN)
    assert f"{EMAIL} invites you to the team of Warm Rooms as Support." in " ".join(text_of(mail).split())
    sign_up(post)
    browser = post.server.client
    link = post.link(BEN)
    page = browser.post("/verify", data={"token": token_of(link), "password": BENS})
    assert "invites you to the team" in page.text
    answer = {"form_token": form_token(page.text), "answer": "accept"}
    browser.post("/invitations/warm-rooms", data=answer)
    team = post.server.api("GET", "/orgs/warm-rooms/team")["team"]
    assert {one["username"] for one in team} == {EMAIL, BEN}


def test_nobody_is_buried_in_invitations(post: Post) -> None:
    team = "/orgs/warm-rooms/team"
    for _ in range(5):
        post.server.api("POST", team, json={"username": BEN})
    post.server.api("POST", team, 429, json={"username": BEN})
    assert len(post.new()) == 5


def test_without_a_mail_server_nobody_signs_up_and_it_says_so(server: Server) -> None:
    for method, path, fields in (
        ("POST", "/users", {"username": BEN, "password": BENS}),
        ("POST", "/user/password-reset", {"username": EMAIL}),
    ):
        answer = call(server, method, path, 403, **fields)
        assert "sends no mail" in answer["error_description"]
    assert "sends no mail" in server.client.get("/sign-up").text
    assert "sends no mail" in server.client.get("/forgot").text
    assert "/sign-up" not in server.client.get("/sign-in").text


# Forgotten passwords


def test_forgotten_password_is_replaced_and_everything_signed_in_ends(post: Post) -> None:
    browser = post.server.client
    browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    forget(post)
    link = post.link(EMAIL)
    page = browser.get(link)
    assert 'name="token"' in page.text
    browser.post("/reset", data={"token": token_of(link), "password": BENS}, follow_redirects=False)
    assert browser.get("/", follow_redirects=False).status_code == 303
    post.server.api("GET", "/user", 401)
    assert not can_sign_in(post.server, EMAIL, PASSWORD)
    assert can_sign_in(post.server, EMAIL, BENS)
    assert post.one(EMAIL)["Subject"] == "Your password has changed"


def test_forgotten_password_ends_what_programs_were_granted(post: Post) -> None:
    """A refresh token would bring new access tokens."""
    database, now_ms = post.server.services.database, post.server.clock.now_ms()
    made = post.server.api("POST", "/clients", 201, json={"name": "App", "type": "installed"})["client"]

    def grant(connection: Any) -> tuple[Any, str]:
        client = clients.by_client_id(connection, made["id"])
        assert client is not None
        begun = grants.begin(connection, client, now_ms, account_id=client.account_id)
        return client, grants.new_refresh_token(connection, begun, now_ms)

    client, token = database.write(grant)
    forget(post)
    call(post.server, "PUT", "/user/password-reset", token=token_of(post.link(EMAIL)), password=BENS)
    assert database.write(lambda c: grants.use_refresh_token(c, client, token, now_ms)) is None


def test_reset_link_works_once_and_for_an_hour(post: Post) -> None:
    forget(post)
    token = token_of(post.link(EMAIL))
    post.server.clock.advance_s(3600)
    call(post.server, "PUT", "/user/password-reset", 400, token=token, password=BENS)
    forget(post)
    token = token_of(post.link(EMAIL))
    call(post.server, "PUT", "/user/password-reset", 400, token=token, password="short")
    call(post.server, "PUT", "/user/password-reset", token=token, password=BENS)
    call(post.server, "PUT", "/user/password-reset", 400, token=token, password="another one")
    assert can_sign_in(post.server, EMAIL, BENS)


def test_link_is_good_for_what_it_was_sent_for_only(post: Post) -> None:
    sign_up(post)
    token = token_of(post.link(BEN))
    call(post.server, "PUT", "/user/password-reset", 400, token=token, password=BENS)
    forget(post)
    token = token_of(post.link(EMAIL))
    call(post.server, "POST", "/user/verify", 400, token=token, password=PASSWORD)


def test_looking_at_a_link_does_not_use_it_up(post: Post) -> None:
    """Mail programs and scanners open links before people do."""
    sign_up(post)
    link = post.link(BEN)
    for _ in range(3):
        assert post.server.client.get(link).status_code == 200
    call(post.server, "POST", "/user/verify", token=token_of(link), password=BENS)


def test_forms_of_other_sites_are_refused(post: Post) -> None:
    headers = {"origin": "https://evil.example"}
    for path in ("/sign-up", "/verify", "/forgot", "/reset"):
        data = {"email": EMAIL, "password": BENS, "token": "0"}
        assert post.server.client.post(path, data=data, headers=headers).status_code == 403
    assert post.new() == []


def test_wrong_forms_say_what_is_wrong_over_the_same_form(post: Post) -> None:
    page = post.server.client.post("/sign-up", data={"email": '"><script>@example.com', "password": BENS})
    assert page.status_code == 400
    assert "not an e-mail address" in page.text
    assert "<script>@" not in page.text
    page = post.server.client.post("/reset", data={"token": "0", "password": BENS})
    assert "ask for another one" in page.text


# One's own account


def test_names_are_kept(post: Post) -> None:
    info = {"first_name": "Ana", "last_name": "Lind", "company_name": "Warm Rooms", "business_account": True}
    post.server.api("PUT", "/user", json={"account_info": {**info, "shoe_size": 38}})
    assert post.server.api("GET", "/user")["account_info"] == info
    post.server.api("PUT", "/user", 400, json={"account_info": {"first_name": "A\nB"}})
    post.server.api("PUT", "/user", 400, json={"account_info": {"first_name": 101 * "a"}})
    post.server.api("PUT", "/user", 400, json={})


def test_password_is_changed_by_who_knows_it(post: Post) -> None:
    change = {"password": BENS, "current_password": PASSWORD}
    post.server.api("PUT", "/user", 400, json={**change, "current_password": "guessed"})
    assert can_sign_in(post.server, EMAIL, PASSWORD)
    post.server.api("PUT", "/user", json=change)
    assert post.server.client.get("/", follow_redirects=False).status_code == 303
    assert can_sign_in(post.server, EMAIL, BENS)
    assert post.one(EMAIL)["Subject"] == "Your password has changed"
    post.server.api("PUT", "/user", json={"password": PASSWORD, "current_password": BENS, "invalidate_tokens": True})
    post.server.api("GET", "/user", 401)


def test_address_changes_when_the_new_one_is_proven(post: Post) -> None:
    change = {"username": "Ana@example.org", "current_password": PASSWORD}
    post.server.api("PUT", "/user", 400, json={**change, "current_password": "guessed"})
    post.server.api("PUT", "/user", json=change)
    mails = {str(mail["To"]): mail for mail in post.new()}
    assert "ana@example.org" in text_of(mails[EMAIL])
    assert post.server.api("GET", "/user")["username"] == EMAIL
    found = re.search(r"/verify\?token=([0-9a-f]{40})", text_of(mails["ana@example.org"]))
    assert found is not None
    call(post.server, "POST", "/user/verify", token=found.group(1), password=PASSWORD)
    assert post.server.api("GET", "/user")["username"] == "ana@example.org"
    assert not can_sign_in(post.server, EMAIL, PASSWORD)


def test_address_of_another_account_is_not_taken(post: Post) -> None:
    sign_up(post)
    call(post.server, "POST", "/user/verify", token=token_of(post.link(BEN)), password=BENS)
    post.server.api("PUT", "/user", json={"username": BEN, "current_password": PASSWORD})
    subjects = {str(mail["To"]): str(mail["Subject"]) for mail in post.new()}
    assert subjects[BEN] == "You have an account"


def test_account_is_deleted_by_who_knows_its_password(post: Post) -> None:
    sign_up(post)
    call(post.server, "POST", "/user/verify", token=token_of(post.link(BEN)), password=BENS)
    post.server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Administrator"})
    post.new()
    token = post.server.services.database.write(lambda c: _token_for(c, BEN))
    headers = {"authorization": f"Bearer {token}"}
    ask = post.server.client.request
    ask("POST", "/v1/user/invitations/warm-rooms", headers=headers, json={"accept": True})
    assert ask("DELETE", "/v1/user", headers=headers, json={"password": "guessed"}).status_code == 400
    assert ask("DELETE", "/v1/user", headers=headers, json={"password": BENS}).status_code == 200
    assert ask("GET", "/v1/user", headers=headers).status_code == 401
    assert not can_sign_in(post.server, BEN, BENS)
    assert [one["username"] for one in post.server.api("GET", "/orgs/warm-rooms/team")["team"]] == [EMAIL]
    lines = post.server.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert (lines[0]["action"], lines[0]["detail"]) == ("team.remove", "account deleted")
    assert lines[0]["by"].startswith("deleted-")
    sign_up(post)
    assert post.one(BEN)["Subject"] == "Your account"


def test_last_administrator_of_products_cannot_go(post: Post) -> None:
    post.server.product()
    answer = post.server.api("DELETE", "/user", 409, json={"password": PASSWORD})
    assert "last administrator" in answer["error_description"]
    post.server.api("GET", "/user")
    post.server.api("DELETE", "/products/thermostat", 204)
    post.server.api("POST", "/orgs/warm-rooms/team", json={"username": BEN, "role": "Administrator"})
    post.server.api("DELETE", "/user", json={"password": PASSWORD})
    post.server.api("GET", "/user", 401)


def _token_for(connection: Any, email: str) -> str:
    account = accounts_store.by_email(connection, email)
    assert account is not None
    return accounts.add_token(connection, account.id, NewToken("test"), 0)
