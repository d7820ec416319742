# SPDX-License-Identifier: Apache-2.0
"""`muster server`, on the data folder of a server."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from muster.cli.main import main
from ota_server.storage.migrate import migrate
from tests.ota_server.conftest import EMAIL, HandClock, make_settings, run_server


def run(*arguments: str, code: int = 0, typed: str = "") -> Result:
    result = CliRunner().invoke(main, ["server", *arguments], input=typed)
    assert result.exit_code == code, result.output
    return result


def test_limits_are_set_and_lifted(tmp_path: Path) -> None:
    for server in run_server(make_settings(tmp_path / "server"), HandClock()):
        data = ("--data", str(server.folder))
        assert "none" in run("limits", *data).output
        run("limits", *data, "--seats", "5", "--organizations", "0")
        run("limits", "warm-rooms", *data, "--devices", "7")
        shown = json.loads(run("limits", *data, "--json").output)
        assert shown == {"seats": 5, "devices": None, "storage_bytes": None, "organizations": 0}
        limits = server.api("GET", "/orgs/warm-rooms/usage")["usage"]["limits"]
        assert limits == {"seats": 5, "devices": 7, "storage_bytes": None}
        server.api("POST", "/orgs", 403, json={"organization": {"name": "Cold Rooms"}})
        run("limits", *data, "--seats", "none")
        assert server.api("GET", "/orgs/warm-rooms/usage")["usage"]["limits"]["seats"] is None


def test_accounts_are_made_and_given_passwords_without_mail(tmp_path: Path) -> None:
    for server in run_server(make_settings(tmp_path / "server"), HandClock()):
        arguments = ("account", "--password-stdin", "--data", str(server.folder))
        assert "made the account" in run(*arguments, "ben@example.com", typed="bens password\n").output
        assert "8 to 1000" in run(*arguments, "ben@example.com", typed="short\n", code=1).output
        assert "not an e-mail address" in run(*arguments, "ben", typed="bens password\n", code=1).output
        sign_in = {"email": "ben@example.com", "password": "bens password"}
        assert server.client.post("/sign-in", data=sign_in, follow_redirects=False).status_code == 303
        assert "signed out everywhere" in run(*arguments, EMAIL, typed="another password\n").output
        server.api("GET", "/user", 401)
        sign_in = {"email": EMAIL, "password": "another password"}
        assert server.client.post("/sign-in", data=sign_in, follow_redirects=False).status_code == 303


def test_wrong_limits_are_refused(tmp_path: Path) -> None:
    assert "no database" in run("limits", "--data", str(tmp_path / "none"), code=1).output
    settings = make_settings(tmp_path / "server")
    settings.data_dir.mkdir()
    migrate(settings.database)
    data = ("--data", str(settings.data_dir))
    assert "no organization nobody" in run("limits", "nobody", *data, code=1).output
    run("limits", *data, "--seats", "-1", code=2)
    run("limits", *data, "--seats", "many", code=2)
    run("limits", "nobody", *data, "--organizations", "1", code=2)
