# SPDX-License-Identifier: Apache-2.0
"""OAuth clients are made, changed and removed; a secret is told once and lets the client act as its maker."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from ota_server.accounts import service as accounts
from ota_server.errors import Invalid
from ota_server.oauth.clients import CLIENTS_MAX, check_redirect_uri
from ota_server.oauth.models import ClientType
from ota_server.organizations import store as organizations
from ota_server.organizations.roles import Role
from ota_server.storage.tables import metadata
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

OF_PRODUCT = f"/products/{keys.PRODUCT}/clients"
GRANT = {"grant_type": "client_credentials"}


def make(server: Server, path: str = "/clients", expect: int = 201, **fields: Any) -> Any:
    body = {"name": "My App", "type": "installed", **fields}
    answer = server.api("POST", path, expect, json=body)
    return answer["client"] if expect == 201 else answer


def trade(server: Server, client: dict[str, Any], expect: int = 200, **fields: str) -> Any:
    """Asks for a token with the client's own secret."""
    form = {**GRANT, "client_id": client["id"], "client_secret": client["secret"], **fields}
    response = server.client.post("/oauth/token", data=form)
    assert response.status_code == expect, response.text
    return response.json()


def test_client_is_made_listed_changed_and_removed(server: Server) -> None:
    made = make(server, redirect_uri="com.example.app:/done")
    assert made["id"].startswith("my-app-")
    assert len(made["secret"]) == 40
    [listed] = server.api("GET", "/clients")["clients"]
    assert listed == {key: value for key, value in made.items() if key != "secret"}
    changed = server.api("PUT", f"/clients/{made['id']}", json={"name": "Other", "scope": "*all*"})["client"]
    assert (changed["name"], changed["redirect_uri"]) == ("Other", "com.example.app:/done")
    server.api("DELETE", f"/clients/{made['id']}", 204)
    assert server.api("GET", "/clients")["clients"] == []
    server.api("DELETE", f"/clients/{made['id']}", 404)


def test_secret_lets_a_client_act_as_whoever_made_it(server: Server) -> None:
    client = make(server)
    token = trade(server, client)["access_token"]
    assert server.whoami(token)["username"] == EMAIL
    basic = server.client.post("/oauth/token", data=GRANT, auth=(client["id"], client["secret"]))
    assert basic.status_code == 200
    assert basic.json()["token_type"] == "bearer"


def test_client_without_its_secret_gets_nothing(server: Server) -> None:
    client = make(server)
    assert trade(server, {**client, "secret": "0" * 40}, 401)["error"] == "invalid_client"
    assert trade(server, {**client, "secret": ""}, 401)["error"] == "invalid_client"
    server.api("DELETE", f"/clients/{client['id']}", 204)
    assert trade(server, client, 400)["error"] == "invalid_client"


def test_client_may_not_ask_for_passwords(server: Server) -> None:
    answer = trade(server, make(server), 400, grant_type="password", username=EMAIL, password="guessed")
    assert answer["error"] == "unauthorized_client"


def test_products_clients_are_apart_from_the_accounts_own(server: Server) -> None:
    server.product()
    made = make(server, OF_PRODUCT, scope="create_customer")
    assert (made["product_id"], made["scope"]) == (keys.PRODUCT, "create_customer")
    assert server.api("GET", "/clients")["clients"] == []
    server.api("PUT", f"/clients/{made['id']}", 404, json={"name": "Mine"})
    server.api("DELETE", f"/clients/{made['id']}", 404)
    assert [one["id"] for one in server.api("GET", OF_PRODUCT)["clients"]] == [made["id"]]
    assert trade(server, made, 400)["error"] == "unauthorized_client"
    server.api("DELETE", f"/products/{keys.PRODUCT}", 204)
    assert trade(server, made, 400)["error"] == "invalid_client"


def test_another_accounts_client_is_not_there(server: Server) -> None:
    made = make(server)
    mine = server.token
    _, server.token = server.services.database.write(lambda c: accounts.create_account(c, "ben@example.com", "-", 0))
    assert server.api("GET", "/clients")["clients"] == []
    server.api("PUT", f"/clients/{made['id']}", 404, json={"name": "Mine"})
    server.api("DELETE", f"/clients/{made['id']}", 404)
    server.token = mine
    assert len(server.api("GET", "/clients")["clients"]) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"name": "line\nbreak"},
        {"type": "desktop"},
        {"type": "web"},
        {"scope": "create_customer"},
        {"scope": "everything"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://example.com/done"},
        {"redirect_uri": "https://example.com/done#here"},
        {"redirect_uri": "https://ana@example.com/"},
        {"redirect_uri": "https:///done"},
        {"redirect_uri": "https://example.com/\\@elsewhere"},
        {"redirect_uri": "https://[::1/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "data:text/html,x"},
        {"redirect_uri": "//example.com/done"},
        {"redirect_uri": "https://example.com/" + "x" * 2000},
        {"type": "web", "redirect_uri": "com.example.app:/done"},
    ],
)
def test_bad_clients_are_refused(server: Server, fields: dict[str, str]) -> None:
    assert make(server, expect=400, **fields)["code"] == "invalid_request"


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/done?from=app",
        "http://127.0.0.1:8080/done",
        "http://[::1]/done",
        "http://localhost/done",
    ],
)
def test_good_redirect_uris_are_kept_as_they_are(server: Server, uri: str) -> None:
    assert make(server, type="web", redirect_uri=uri)["redirect_uri"] == uri


def test_number_of_clients_is_bounded(server: Server) -> None:
    for number in range(CLIENTS_MAX):
        make(server, name=f"App {number}")
    assert make(server, expect=409)["code"] == "conflict"


def test_secrets_are_neither_kept_nor_in_the_audit_log(server: Server) -> None:
    server.product()
    client = make(server, OF_PRODUCT)
    secret = client["secret"]
    lines = server.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert lines[0]["action"] == "client.create"
    assert secret not in str(lines)
    with server.services.database.read() as connection:
        kept = [connection.execute(select(table)).all() for table in metadata.sorted_tables]
    assert client["id"] in repr(kept)
    assert secret not in repr(kept)
    assert not any(secret.encode() in path.read_bytes() for path in server.folder.glob("muster.sqlite3*"))


@given(uri=st.text(max_size=80) | st.from_regex(r"[a-z.]{1,12}:/{0,3}[ -~]{0,40}", fullmatch=True))
def test_any_redirect_uri_is_refused_in_words_or_leads_where_it_says(uri: str) -> None:
    with contextlib.suppress(Invalid):
        check_redirect_uri(uri, ClientType.INSTALLED)
        assert uri.isascii()
        assert uri.isprintable()
        assert not set(uri) & set(' \\#"<>')


def test_another_secret_ends_the_one_until_now_and_what_it_alone_got(server: Server) -> None:
    client = make(server)
    token = trade(server, client)["access_token"]
    renewed = server.api("PUT", f"/clients/{client['id']}/secret")["client"]
    assert renewed["id"] == client["id"]
    assert trade(server, client, 401)["error"] == "invalid_client"
    server.whoami(token, 401)
    assert server.whoami(trade(server, renewed)["access_token"])["username"] == EMAIL
    server.api("PUT", "/clients/none/secret", 404)


def test_removed_clients_tokens_end_and_its_makers_own_go_on(server: Server) -> None:
    client, other = make(server), make(server)
    token, kept = (trade(server, one)["access_token"] for one in (client, other))
    server.api("DELETE", f"/clients/{client['id']}", 204)
    server.whoami(token, 401)
    assert server.whoami(kept)["username"] == server.whoami(server.token)["username"] == EMAIL


def test_nobody_gets_the_secret_of_a_client_that_may_do_more_than_they(server: Server) -> None:
    """A developer, who may not let a killed version be offered again; the client's maker may."""
    server.product()
    strong, weak = make(server, OF_PRODUCT), make(server, OF_PRODUCT, scope="create_customer")

    def add(connection: Connection) -> str:
        account, token = accounts.create_account(connection, "dev@example.com", "-", 0)
        organizations.add_member(connection, 1, account, Role.DEVELOPER, 0)
        return token

    server.token = server.services.database.write(add)
    assert "hand out" in server.api("PUT", f"{OF_PRODUCT}/{strong['id']}/secret", 403)["error_description"]
    assert len(server.api("PUT", f"{OF_PRODUCT}/{weak['id']}/secret")["client"]["secret"]) == 40
    assert trade(server, strong)["access_token"]
