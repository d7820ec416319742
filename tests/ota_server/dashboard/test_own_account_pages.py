# SPDX-License-Identifier: Apache-2.0
"""The visitor's own account on pages: name, password, second factor, tokens, browsers, OAuth clients, its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from starlette.testclient import TestClient

from ota_server.dashboard.own_token_pages import words_of
from tests.ota_server.accounts.test_browsers import browser, is_signed_in
from tests.ota_server.conftest import EMAIL, PASSWORD, HandClock, Server
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import sign_in
from tests.ota_server.mail.mail_server import Post, run_post

NEW = "another good password"
TOKENS = "/account/tokens"


@pytest.fixture
def me(server: Server) -> TestClient:
    """A browser that is signed in."""
    return sign_in(server)


@pytest.fixture
def post(tmp_path: Path, clock: HandClock) -> Iterator[Post]:
    with run_post(tmp_path / "server", clock) as post:
        yield post


def submit(client: TestClient, page: str, action: str, **fields: str) -> Any:
    """Sends a form of a page with other values in it."""
    form = form_of(client.get(page).text, action)
    return client.post(form.action, data={**form.fields, **fields})


def said(page: str, field: str) -> str:
    """What stands beside a field as wrong."""
    found = re.search(rf'id="{field}-about"><span class="error">(.*?)</span>', page)
    return found[1] if found else ""


def secret_of(page: str) -> str:
    [secret] = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    return str(secret).replace(" ", "")


def code_of(server: Server, secret: str) -> str:
    return pyotp.TOTP(secret).at(server.clock.now_ms() // 1000)


def turn_on(server: Server, client: TestClient) -> tuple[str, list[str]]:
    """The second factor: its secret, and the recovery codes."""
    page = submit(client, "/account", "/second-factor").text
    secret, form = secret_of(page), form_of(page, "/confirm")
    done = client.post(form.action, data={**form.fields, "otp": code_of(server, secret)})
    server.clock.advance_s(30)
    return secret, re.findall(r'<code class="secret">([0-9a-f-]{23})</code>', done.text)


# Name, password, address


def test_page_says_who_one_is_and_keeps_names(server: Server, me: TestClient) -> None:
    assert f"<h1>You are {EMAIL}</h1>" in me.get("/account").text
    page = submit(me, "/account", "/names", first_name=" Ana ", last_name="<b>", company_name="Warm Rooms")
    assert "Saved." in page.text
    assert "<h1>You are Ana &lt;b&gt;</h1>" in page.text
    info = server.api("GET", "/user")["account_info"]
    assert info == {"first_name": "Ana", "last_name": "<b>", "company_name": "Warm Rooms", "business_account": True}
    wrong = submit(me, "/account", "/names", first_name=101 * "x", last_name="Lind")
    assert wrong.status_code == 400
    assert "at most 100" in said(wrong.text, "names-first_name")
    assert form_of(wrong.text, "/names").fields["last_name"] == "Lind"


def test_side_bar_and_search_lead_to_the_account(me: TestClient) -> None:
    page = me.get("/search?q=account").text
    assert f'<a href="/account" aria-label="Your account: {EMAIL}">{EMAIL}</a>' in page
    assert '<a href="/account"><span class="kind">Page' in page


def test_new_password_signs_all_other_browsers_out_and_this_one_stays(server: Server, me: TestClient) -> None:
    other, cookie = browser(server), me.cookies["muster_session"]
    done = submit(me, "/account", "/password", current_password=PASSWORD, password=NEW, again=NEW)
    assert done.history[0].status_code == 303
    assert "All other browsers are signed out; access tokens go on." in done.text
    assert not is_signed_in(other)
    assert is_signed_in(me)
    assert me.cookies["muster_session"] != cookie
    stolen = TestClient(me.app, cookies={"muster_session": cookie})
    assert not is_signed_in(stolen)
    server.whoami(server.token)
    assert sign_in(server, password=NEW).get("/account").url.path == "/account"


def test_new_password_ends_access_tokens_where_that_is_asked(server: Server, me: TestClient) -> None:
    fields = {"current_password": PASSWORD, "password": NEW, "again": NEW, "ends_tokens": "yes"}
    assert "access tokens have ended" in submit(me, "/account", "/password", **fields).text
    server.whoami(server.token, 401)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"current_password": "wrong"}, "current_password"),
        ({"password": "short", "again": "short"}, "password"),
        ({"again": "something else"}, "again"),
    ],
)
def test_password_that_is_not_changed_says_why_beside_the_field(
    server: Server, me: TestClient, fields: dict[str, str], field: str
) -> None:
    typed = {"current_password": PASSWORD, "password": NEW, "again": NEW, **fields}
    answer = submit(me, "/account", "/password", **typed)
    assert answer.status_code == 400
    assert said(answer.text, f"password-{field}")
    assert NEW not in answer.text
    assert sign_in(server).get("/account").url.path == "/account"


def test_address_changes_by_a_link(post: Post) -> None:
    me = sign_in(post.server)
    wrong = submit(me, "/account", "/account/email", email="ana@example.org", current_password="wrong")
    assert said(wrong.text, "email-current_password")
    done = submit(me, "/account", "/account/email", email="ana@example.org", current_password=PASSWORD)
    assert "A mail with a link is on its way" in done.text
    assert {mail["to"] for mail in post.new()} == {EMAIL, "ana@example.org"}


def test_server_without_mail_says_that_it_changes_no_address(me: TestClient) -> None:
    assert "This server sends no mail" in me.get("/account").text


# The second factor


def test_second_factor_is_set_up_and_asked_for_from_then_on(server: Server, me: TestClient) -> None:
    page = submit(me, "/account", "/second-factor").text
    secret, form = secret_of(page), form_of(page, "/confirm")
    assert '<div class="picture" role="img" aria-label="QR code of the link below"><svg' in page
    assert f"secret={secret}" in page
    wrong = me.post(form.action, data={**form.fields, "otp": "000000"})
    assert wrong.status_code == 400
    assert "this code is not right" in said(wrong.text, "confirm-otp")
    assert secret_of(wrong.text) == secret
    done = me.post(form.action, data={**form.fields, "otp": code_of(server, secret)})
    codes = re.findall(r'<code class="secret">([0-9a-f-]{23})</code>', done.text)
    assert len(codes) == 10
    shown = me.get("/account").text
    assert "10 of 10 recovery codes left" in shown
    assert codes[0] not in shown
    again = TestClient(me.app)
    asked = again.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    assert not is_signed_in(again)
    code = form_of(asked.text, "/sign-in/code")
    again.post(code.action, data={**code.fields, "code": codes[0]})
    assert is_signed_in(again)
    assert "9 of 10 recovery codes left" in me.get("/account").text


def test_set_up_that_took_too_long_begins_again(server: Server, me: TestClient) -> None:
    page = submit(me, "/account", "/second-factor").text
    form = form_of(page, "/confirm")
    server.clock.advance_s(301)
    late = me.post(form.action, data={**form.fields, "otp": code_of(server, secret_of(page))})
    assert late.status_code == 400
    assert "begin again" in late.text
    assert "Set up a second factor" in late.text
    assert server.api("GET", "/user")["mfa"]["enabled"] is False


def test_second_factor_is_not_set_up_twice(server: Server, me: TestClient) -> None:
    form = form_of(me.get("/account").text, "/second-factor")
    turn_on(server, me)
    assert me.post(form.action, data=form.fields).status_code == 409


def test_other_recovery_codes_need_the_password_and_are_shown_once(server: Server, me: TestClient) -> None:
    _, codes = turn_on(server, me)
    wrong = submit(me, "/account", "/codes", current_password="wrong")
    assert said(wrong.text, "codes-current_password")
    page = submit(me, "/account", "/codes", current_password=PASSWORD).text
    others = re.findall(r'<code class="secret">([0-9a-f-]{23})</code>', page)
    assert len(others) == 10
    assert not set(others) & set(codes)


def test_second_factor_is_switched_off_by_the_password(server: Server, me: TestClient) -> None:
    turn_on(server, me)
    assert said(submit(me, "/account", "/off", current_password="wrong").text, "off-current_password")
    assert "The second factor is off." in submit(me, "/account", "/off", current_password=PASSWORD).text
    assert is_signed_in(sign_in(server))


# Access tokens


def test_token_is_made_shown_once_used_and_revoked(server: Server, me: TestClient) -> None:
    form = form_of(me.get(TOKENS).text, TOKENS)
    data = {**form.fields, "label": "ci <1>", "days": "30", "scopes": ["products:list", "devices:list"]}
    page = me.post(TOKENS, data=data).text
    [token] = re.findall(r'<code class="secret">([0-9a-f]{40})</code>', page)
    headers = {"authorization": f"Bearer {token}"}
    assert server.client.get("/v1/products", headers=headers).status_code == 200
    server.services.database.write(lambda _connection: None)
    shown = me.get(TOKENS).text
    assert token not in shown
    row = next(one for one in shown.split("<tr>") if "ci &lt;1&gt;" in one)
    assert f"{token[:6]}…" in row
    assert "<code>devices:list</code> <code>products:list</code>" in row
    assert "never" not in row
    [path] = re.findall(r'href="(/account/tokens/\d+/revoke)"', row)
    assert "Revoke the access token “ci &lt;1&gt;”?" in me.get(path).text
    assert submit(me, path, "/revoke").url.path == TOKENS
    server.whoami(token, 401)
    assert me.get(path).status_code == 404


def test_wrong_token_form_keeps_what_was_typed_and_ticked(me: TestClient) -> None:
    form = form_of(me.get(TOKENS).text, TOKENS)
    data = {**form.fields, "label": " ", "days": "365", "scopes": ["devices:list"]}
    answer = me.post(TOKENS, data=data)
    assert answer.status_code == 400
    assert said(answer.text, "token-label")
    assert form_of(answer.text, TOKENS).fields["days"] == "365"
    assert 'value="devices:list" checked' in answer.text
    assert me.post(TOKENS, data={**data, "label": "x", "days": "1000"}).status_code == 400
    assert me.post(TOKENS, data={**data, "label": "x", "scopes": "all"}).status_code == 400


def test_all_tokens_are_revoked_and_browsers_stay(server: Server, me: TestClient) -> None:
    server.api("POST", "/access_tokens", 201, json={"label": "ci"})
    assert "Revoke all 2 access tokens?" in me.get(f"{TOKENS}/all/revoke").text
    assert "No access tokens." in submit(me, f"{TOKENS}/all/revoke", "/revoke").text
    server.whoami(server.token, 401)


# Browsers


def test_browsers_are_signed_out_one_or_all_others(server: Server, me: TestClient) -> None:
    first, second = browser(server), browser(server)
    page = me.get("/account/browsers").text
    assert "3 browsers are signed in as you" in page
    assert page.count("Firefox on Linux</span>") == 2
    number = min(int(one) for one in re.findall(r"/account/browsers/(\d+)/end", page))
    submit(me, "/account/browsers", f"/{number}/end")
    assert [is_signed_in(one) for one in (me, first, second)] == [True, False, True]
    submit(me, "/account/browsers", "/others/end")
    assert [is_signed_in(one) for one in (me, second)] == [True, False]
    assert "/others/end" not in me.get("/account/browsers").text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Mobile Safari/604", "Chrome on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537", "Chrome on Android"),
        ("curl/8.5", "Another program"),
        ("", "Another program"),
    ],
)
def test_browser_is_named_by_what_it_says_of_itself(agent: str, words: str) -> None:
    assert words_of(agent) == words


# OAuth clients of one's own, and the end


def test_own_client_is_made_and_acts_as_its_maker(server: Server, me: TestClient) -> None:
    at = "/account/clients"
    page = submit(me, at, at, name="My tool", type="installed").text
    [secret] = re.findall(r'<code class="secret">([0-9a-f]{40})</code>', page)
    [client_id] = re.findall(r"CLIENT=([a-z0-9-]+)", page)
    traded = server.client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret))
    assert server.whoami(traded.json()["access_token"])["username"] == EMAIL
    assert f'href="{at}/{client_id}"' in me.get(at).text
    assert me.get(f"/products/none/clients/{client_id}").status_code == 404


def test_account_is_deleted_by_its_password(server: Server, me: TestClient) -> None:
    assert said(submit(me, "/account/delete", "/delete", current_password="wrong").text, "delete-current_password")
    done = submit(me, "/account/delete", "/delete", current_password=PASSWORD)
    assert done.url.path == "/sign-in"
    assert not is_signed_in(me)
    assert server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}).status_code == 401


def test_owner_of_a_product_is_told_why_the_account_stays(stocked: Server) -> None:
    me = sign_in(stocked)
    answer = submit(me, "/account/delete", "/delete", current_password=PASSWORD)
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert is_signed_in(me)
