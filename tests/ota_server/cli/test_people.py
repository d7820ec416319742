# SPDX-License-Identifier: Apache-2.0
"""Signing in, organizations, teams and tokens from the command line, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pyotp
import pytest
from click.testing import CliRunner, Result
from keyring.backends import fail

from muster.cli.main import main
from muster.client import ServerClient
from ota_server.accounts import service as accounts
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from tests.ota_server.conftest import PASSWORD, listen_app, make_settings

ANA, BEN = "ana@example.com", "ben@example.com"


class Terminal:
    """Somebody's shell: a home folder of its own, and no keyring."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home

    def run(self, *arguments: str, typed: str = "", code: int = 0) -> Result:
        environment = {"MUSTER_SERVER": self.url, "MUSTER_TOKEN": "", "XDG_CONFIG_HOME": str(self.home)}
        result = CliRunner().invoke(main, arguments, env=environment, input=typed)
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").output)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Terminal, Terminal]]:
    """Ana administers Warm Rooms; Ben is in no organization."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    with listen_app(make_settings(tmp_path / "server"), SystemClock()) as (services, url):
        hashed = services.passwords.hash(PASSWORD)
        services.database.write(lambda c: add_administrator(c, ANA, hashed, "Warm Rooms", 0))
        services.database.write(lambda c: accounts.create_account(c, BEN, hashed, 0))
        yield Terminal(url, tmp_path / "ana"), Terminal(url, tmp_path / "ben")
    keyring.set_keyring(before)


@pytest.fixture
def ana(people: tuple[Terminal, Terminal]) -> Terminal:
    """Signed in."""
    people[0].run("login", "--email", ANA, "--password-stdin", typed=f"{PASSWORD}\n")
    return people[0]


@pytest.fixture
def ben(people: tuple[Terminal, Terminal]) -> Terminal:
    """Signed in."""
    people[1].run("login", "--email", BEN, "--password-stdin", typed=f"{PASSWORD}\n")
    return people[1]


def test_own_account_is_shown_changed_and_deleted(ben: Terminal) -> None:
    ben.run("account", "name", "--first", "Ben", "--company", "Ben & Sons")
    shown = ben.json("account", "show")
    assert shown["username"] == BEN
    assert shown["account_info"]["company_name"] == "Ben & Sons"
    assert "second factor      off" in ben.run("account", "show").output
    assert "not your password" in ben.run("account", "password", typed="guessed\nbens own\nbens own\n", code=1).output
    ben.run("account", "password", "--password-stdin", typed=f"{PASSWORD}\nbens own one\n")
    assert "sends no mail" in ben.run("account", "email", "b@example.com", typed="bens own one\n", code=1).output
    assert "is deleted" in ben.run("account", "delete", typed="y\nbens own one\n").output
    ben.run("account", "show", code=1)


def test_organization_is_branded_given_away_and_measured(ana: Terminal, ben: Terminal, tmp_path: Path) -> None:
    assert "Warm Rooms" in ana.run("org", "brand").output
    assert ana.json("org", "brand", "--name", "Cosy", "--color", "#b3400b")["color"] == "#b3400b"
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"no picture")
    assert "a logo is a PNG file" in ana.run("org", "brand", "--logo", str(logo), code=1).output
    assert ana.json("org", "brand", "--no-logo")["logo"] == ""
    ana.run("team", "invite", BEN, "--role", "administrator")
    ben.run("team", "accept", "warm-rooms")
    assert f"{BEN} owns warm-rooms now" in ana.run("org", "transfer", BEN).output
    assert "only the owner" in ana.run("org", "transfer", ANA, code=1).output
    assert ana.json("org", "usage")["now"]["seats"] == 2
    assert "seats" in ana.run("org", "usage", "--from", "2026-01-01", "--to", "2026-01-02").output


def test_sign_in_is_kept_until_sign_out(people: tuple[Terminal, Terminal]) -> None:
    terminal = people[0]
    assert "sign in with `muster login`" in terminal.run("org", "list", code=1).output
    said = terminal.run("login", typed=f"{ANA}\n{PASSWORD}\n").output
    kept = terminal.home / "muster" / "tokens.json"
    assert f"signed in to {terminal.url} as {ANA}; the token is in {kept}" in said
    assert PASSWORD not in said
    token = json.loads(kept.read_text())[terminal.url]
    assert token not in said
    assert "warm-rooms" in terminal.run("org", "list").output
    assert "signed out" in terminal.run("logout").output
    assert json.loads(kept.read_text()) == {}
    assert "not signed in" in terminal.run("logout").output
    answer = terminal.run("org", "list", "--token-file", _file(terminal, token), code=1)
    assert "access token is not valid" in answer.output


def test_wrong_password_keeps_nothing(people: tuple[Terminal, Terminal]) -> None:
    result = people[0].run("login", "--email", ANA, "--password-stdin", typed="wrong\n", code=1)
    assert result.output == "error: User credentials are invalid\n"
    assert not people[0].home.exists()


def test_signing_out_of_a_token_that_has_ended_is_no_error(ana: Terminal) -> None:
    [mine] = [one for one in ana.json("token", "list")["tokens"] if one["client"] == "muster"]
    ana.run("token", "revoke", str(mine["id"]))
    assert "signed out" in ana.run("logout").output


def test_team_is_built_from_the_command_line(ana: Terminal, ben: Terminal) -> None:
    assert ben.run("team", "invitations").output == "none\n"
    assert "invited" in ana.run("team", "invite", BEN, "--role", "support").output
    assert "warm-rooms" in ben.run("team", "invitations").output
    assert ben.run("team", "accept", "warm-rooms").output == "you are in the team of warm-rooms as Support\n"
    assert ana.run("team", "list").output.splitlines() == [
        f"{ANA:<40} Administrator",
        f"{BEN:<40} Support",
    ]
    assert "Developer" in ana.run("team", "role", BEN, "--role", "developer").output
    assert "this needs Administrator" in ben.run("team", "remove", ANA, code=1).output
    assert "last administrator" in ana.run("team", "remove", ANA, code=1).output
    assert ana.run("team", "remove", BEN).output == f"{BEN} is not in the team of warm-rooms any more\n"
    assert "none: make one" in ben.run("org", "list").output
    actions = [line.split()[3] for line in ana.run("audit", "list").output.splitlines()]
    assert actions == ["team.remove", "team.role", "invitation.accept", "team.invite"]


def test_audit_log_is_filtered_and_exported(ana: Terminal, tmp_path: Path) -> None:
    ana.run("org", "rename", "Cosy Rooms")
    renamed = ana.json("audit", "list", "--action", "organization.")["audit"]
    assert [line["action"] for line in renamed] == ["organization.rename"]
    ana.run("audit", "export", "--by", ANA, "--output", str(tmp_path / "audit.csv"))
    header, *lines = (tmp_path / "audit.csv").read_text().splitlines()
    assert header.startswith('"id","at","by"')
    assert '"organization.rename"' in lines[0]
    refused = ana.run("audit", "export", "--since", "yesterday", "--output", str(tmp_path / "x.csv"), code=1)
    assert "since" in refused.output


def test_invitation_is_declined(ana: Terminal, ben: Terminal) -> None:
    ana.run("team", "invite", BEN, "--role", "view-only")
    assert "declined" in ben.run("team", "decline", "warm-rooms").output
    assert "no invitation" in ben.run("team", "accept", "warm-rooms", code=1).output


def test_organization_is_named_where_there_are_several(ana: Terminal) -> None:
    assert "cold-rooms" in ana.run("org", "create", "Cold Rooms").output
    answer = ana.run("team", "list", code=1)
    assert answer.output == "error: name an organization with --org (yours: cold-rooms, warm-rooms)\n"
    assert ANA in ana.run("team", "list", "--org", "cold-rooms").output
    renamed = ana.json("org", "rename", "Ice Rooms", "--org", "cold-rooms")
    assert (renamed["slug"], renamed["name"]) == ("cold-rooms", "Ice Rooms")


def test_token_for_ci_is_made_used_and_revoked(ana: Terminal) -> None:
    token = ana.run("token", "create", "ci", "--days", "30").output.strip()
    path = _file(ana, token)
    assert "warm-rooms" in ana.run("org", "list", "--token-file", path).output
    listed = ana.run("token", "list").output
    assert token not in listed
    line = next(line for line in listed.splitlines() if " ci " in line)
    assert token[:6] in line
    ana.run("token", "revoke", line.split()[0])
    assert "access token is not valid" in ana.run("org", "list", "--token-file", path, code=1).output


def test_devices_have_notes_and_groups(ana: Terminal) -> None:
    token = json.loads((ana.home / "muster" / "tokens.json").read_text())[ana.url]
    with ServerClient(ana.url, token) as client:
        client.create_product(7, "Lamp")
        client.import_devices(7, {24 * "a": None, 24 * "b": None})
    shown = ana.json("device", "set", 24 * "a", "--notes", "on the roof", "--group", "beta", "--name", "Lamp 1")
    assert (shown["notes"], shown["groups"]) == ("on the roof", ["beta"])
    assert 24 * "b" not in ana.run("device", "list", "--group", "beta").output
    assert "Lamp 1" in ana.run("device", "list", "--name", "lamp").output
    assert ana.run("device", "list", "--status", "active").output == "no such devices\n"
    assert ana.json("device", "set", 24 * "a", "--no-groups")["groups"] == []


def _file(terminal: Terminal, token: str) -> str:
    path = terminal.home / "token"
    path.write_text(token)
    return str(path)


def test_second_factor_is_set_up_asked_for_and_turned_off(ana: Terminal) -> None:
    wrong = ana.run("mfa", "on", typed="000000\n", code=1).output
    assert "this code is not right" in wrong
    token = json.loads((ana.home / "muster" / "tokens.json").read_text())[ana.url]
    with ServerClient(ana.url, token) as client:
        begun = client.begin_mfa()
        app = pyotp.TOTP(str(begun["secret"]))
        codes = client.confirm_mfa(str(begun["mfa_token"]), app.now())
    ana.run("logout")
    said = ana.run("login", "--email", ANA, typed=f"{PASSWORD}\n{codes[0]}\n").output
    assert "Code of your authenticator app, or a recovery code" in said
    assert "signed in" in said
    ana.run("mfa", "off", typed="wrong one\n", code=1)
    assert ana.run("mfa", "off", typed=f"{PASSWORD}\n").output.endswith("the second factor is off\n")
    ana.run("logout")
    ana.run("login", "--email", ANA, "--password-stdin", typed=f"{PASSWORD}\n")


def test_clients_customers_and_tokens_with_scopes(ana: Terminal) -> None:
    with ServerClient(ana.url, ana.run("token", "create", "test").output.strip()) as client:
        client.create_product(1234, "Thermostat")
    made = ana.json("client", "create", "App", "--create-customer")
    assert made["id"] in ana.run("client", "list").output
    assert ana.json("client", "update", made["id"], "--name", "Other")["name"] == "Other"
    ana.run("client", "remove", made["id"])
    assert ana.json("client", "list") == {"clients": []}
    ana.run("client", "create", "Own", "--own")
    assert [one["name"] for one in ana.json("client", "list", "--own")["clients"]] == ["Own"]
    ana.run("customer", "create", "cara@example.com", "--password-stdin", typed="a good password\n")
    assert "cara@example.com" in ana.run("customer", "list", "--search", "CARA").output
    assert ana.run("customer", "list", "--search", "dan").output == ""
    assert "signs in with a password; last active never" in ana.run("customer", "show", "cara@example.com").output
    assert ana.json("customer", "show", "cara@example.com")["devices"] == []
    ana.run("customer", "remove", "cara@example.com")
    assert ana.json("customer", "list")["customers"] == []
    token = ana.run("token", "create", "ci", "--scope", "devices:list").output.strip()
    assert len(token) == 40
    assert "firmware:update" in ana.run("token", "create", "ci", "--scope", "all", code=1).output
