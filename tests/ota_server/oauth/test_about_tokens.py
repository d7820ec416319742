# SPDX-License-Identifier: Apache-2.0
"""Clients end their own tokens and ask whether they are good (RFC 7009, RFC 7662); the server says what it can do."""

from __future__ import annotations

from ota_server.organizations.roles import Permission
from tests.ota_server.conftest import EMAIL, Server
from tests.ota_server.customers.conftest import PASSWORD, App, make_client
from tests.ota_server.organizations.test_api_users import holding

CARA = "cara@example.com"
REVOKE, INTROSPECT = "/oauth/revoke", "/oauth/introspect"


def an_app(server: Server) -> App:
    return App(server, make_client(server, scope="create_customer"))


def is_good(server: Server, token: str) -> bool:
    with holding(server, token):
        return server.client.get("/v1/devices", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_access_token_is_ended_alone(server: Server) -> None:
    server.product()
    app = an_app(server)
    made = app.sign_up(email=CARA, password=PASSWORD)
    assert app.trade(path=REVOKE, token=made["access_token"]) == {}
    assert not is_good(server, made["access_token"])
    again = app.trade(grant_type="refresh_token", refresh_token=made["refresh_token"])
    assert is_good(server, again["access_token"])


def test_refresh_token_ends_with_all_that_came_of_it(server: Server) -> None:
    server.product()
    app = an_app(server)
    made = app.sign_up(email=CARA, password=PASSWORD)
    app.trade(path=REVOKE, token=made["refresh_token"], token_type_hint="refresh_token", client_secret="")
    assert not is_good(server, made["access_token"])
    assert app.trade(400, grant_type="refresh_token", refresh_token=made["refresh_token"])["error"] == "invalid_grant"


def test_client_ends_its_own_tokens_only(server: Server) -> None:
    server.product()
    app, other = an_app(server), an_app(server)
    made = app.sign_up(email=CARA, password=PASSWORD)
    for token in (made["access_token"], made["refresh_token"]):
        assert other.trade(400, path=REVOKE, token=token)["error"] == "invalid_grant"
    assert app.trade(401, path=REVOKE, token=made["access_token"], client_secret="0" * 40)["error"] == "invalid_client"
    assert app.trade(path=REVOKE, token=server.token) == {}
    assert app.trade(path=REVOKE, token="nonsense") == {}
    assert app.trade(400, path=REVOKE)["error"] == "invalid_request"
    assert is_good(server, made["access_token"])
    assert is_good(server, server.token)


def test_client_asks_whether_its_tokens_are_good(server: Server) -> None:
    server.product()
    app, other = an_app(server), an_app(server)
    made = app.sign_up(email=CARA, password=PASSWORD)
    about = app.trade(path=INTROSPECT, token=made["access_token"])
    expires = server.clock.now_ms() // 1000 + made["expires_in"]
    assert about == {
        "active": True,
        "client_id": app.client["id"],
        "token_type": "bearer",
        "exp": expires,
        "username": CARA,
    }
    assert app.trade(path=INTROSPECT, token=made["refresh_token"])["active"] is True
    for token in (made["access_token"], made["refresh_token"]):
        assert other.trade(path=INTROSPECT, token=token) == {"active": False}
    for token in (server.token, "nonsense"):
        assert app.trade(path=INTROSPECT, token=token) == {"active": False}
    assert app.trade(401, path=INTROSPECT, token=made["access_token"], client_secret="")["error"] == "invalid_client"
    app.trade(grant_type="refresh_token", refresh_token=made["refresh_token"])
    assert app.trade(path=INTROSPECT, token=made["refresh_token"]) == {"active": False}
    server.clock.advance_s(made["expires_in"])
    assert app.trade(path=INTROSPECT, token=made["access_token"]) == {"active": False}


def test_clients_own_token_is_known_too(server: Server) -> None:
    own = App(server, server.api("POST", "/clients", 201, json={"name": "Own", "type": "installed"})["client"])
    token = own.trade(grant_type="client_credentials")["access_token"]
    assert own.trade(path=INTROSPECT, token=token)["active"] is True
    own.trade(path=REVOKE, token=token)
    with holding(server, token):
        server.api("GET", "/user", 401)
    assert server.api("GET", "/user")["username"] == EMAIL


def test_server_says_what_it_can_do(server: Server) -> None:
    found = server.client.get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == "http://127.0.0.1"
    assert found["token_endpoint"] == "http://127.0.0.1/oauth/token"
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["scopes_supported"] == list(Permission)
    assert "refresh_token" in found["grant_types_supported"]
    for name in ("revocation_endpoint", "introspection_endpoint"):
        assert server.client.post(found[name], data={}).status_code == 401
