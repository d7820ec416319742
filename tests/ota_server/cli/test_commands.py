# SPDX-License-Identifier: Apache-2.0
"""The commands that talk to a server, against a real one on a free port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.forecast import simulation_lines
from muster.cli.main import main
from muster.client import ServerClient
from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.services import Services
from tests.ota_server import keys
from tests.ota_server.conftest import listen_app, make_settings


class Terminal:
    """Runs `muster` commands with a server and a token in the environment."""

    def __init__(self, url: str, token: str, folder: Path, services: Services) -> None:
        self.work_off = services.jobs.scanner.work_off
        self.environment = {"MUSTER_SERVER": url, "MUSTER_TOKEN": token}
        self.folder = folder

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env=self.environment)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def file(self, name: str, raw: bytes) -> str:
        (self.folder / name).write_bytes(raw)
        return str(self.folder / name)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with listen_app(make_settings(tmp_path / "server"), SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, "a@b.c", "-", "Warm Rooms", 0))
        yield Terminal(url, token, tmp_path, services)


def test_publish_and_roll_out_from_the_command_line(terminal: Terminal) -> None:
    image, elf = terminal.file("2.bin", keys.image(2).raw), terminal.file("2.elf", keys.elf(2))
    facts = terminal.json("publish", image, "--elf", elf, "--create-product", "Thermostat", "--title", "Second")
    assert (facts["version"], facts["platform"], facts["title"]) == (2, "photon", "Second")
    made = terminal.json("rollout", "create", "--version", "2", "--stage", "10:5", "--stage", "100:50:3", "--start")
    assert made["rollout"]["status"] == "running"
    assert [stage["gate"]["max_failures"] for stage in made["rollout"]["stages"]] == [0, 3]
    number = str(made["rollout"]["id"])
    assert terminal.json("rollout", "pause", number)["rollout"]["status"] == "paused"
    assert terminal.json("rollout", "resume", number)["rollout"]["status"] == "running"
    shown = terminal.run("rollout", "show", number)
    assert "rollout 1 of version 2: running" in shown.output
    assert "goes on at 5 confirmed, 0 now" in shown.output
    assert "running" in terminal.run("rollout", "show").output


def test_rollout_is_foreseen_from_the_command_line(terminal: Terminal) -> None:
    terminal.run("publish", terminal.file("2.bin", keys.image(2).raw), "--create-product", "Thermostat")
    terminal.run("device", "import", terminal.file("devices", b"0123456789abcdef01234567\n"))
    number = str(terminal.json("rollout", "create", "--version", "2", "--stage", "100:5")["rollout"]["id"])
    terminal.work_off()
    assert terminal.json("rollout", "forecast", number)["forecast"]["devices"] == 1
    shown = terminal.run("rollout", "forecast", number).output
    assert "stage 1: 0 devices" in shown
    assert "1 It has not said yet what it runs." in shown or "1 Quarantined" in shown
    assert terminal.json("rollout", "simulate", number, "--failure-rate", "0.1")["simulation"]["acts"] == []
    assert "no gate does anything" in terminal.run("rollout", "simulate", number).output
    assert terminal.run("rollout", "simulate", number, "--failure-rate", "2").exit_code == 2


def test_simulation_is_told_as_a_table_and_a_plot() -> None:
    times = [f"2027-01-15T{hour:02}:00:00.000Z" for hour in range(8, 12)]
    points = [
        {"at": at, "offered": 10 * number, "confirmed": 8 * number, "failures": number, "bytes_sent": 0}
        for number, at in enumerate(times)
    ]
    act = {"at": times[3], "stage": 1, "verdict": "pause", "reason": "Paused: 3 failures.", "also": 19}
    others = [{"stage": 1, "verdict": "pause", "plays": 19}, {"stage": 1, "verdict": "advance", "plays": 1}]
    found = {"began_at": times[0], "acts": [act], "others": others, "plays": 20, "points": points}
    lines = list(simulation_lines(found))
    assert lines[0].split() == ["03:00", "stage", "1", "PAUSES", "in", "19", "of", "20", "other", "plays,", "too"]
    assert lines[2].strip() == "stage 1 goes on in 1 of 20 other plays"
    assert lines[-1].split() == ["03:00", "█" * 32 + "x" * 4, "30", "24", "3"]


def test_rollout_is_given_a_schedule(terminal: Terminal) -> None:
    terminal.run("publish", terminal.file("2.bin", keys.image(2).raw), "--create-product", "Thermostat")
    stage = ("rollout", "create", "--version", "2", "--stage", "100:5")
    night = ("--window", "22:00-05:00", "--window", "sat,Sunday@00:00-24:00", "--time-zone", "Europe/Madrid")
    made = terminal.json(*stage, *night, "--per-minute", "600", "--postpone", "3600", "--start-at", "2099-01-15T22:00Z")
    number, schedule = str(made["rollout"]["id"]), made["rollout"]["schedule"]
    assert [window["days"] for window in schedule["windows"]][1] == ["saturday", "sunday"]
    assert (schedule["time_zone"], schedule["per_minute"]) == ("Europe/Madrid", 600)
    assert schedule["consent"] == {"postpone_max_s": 3600}
    assert terminal.json("rollout", "start", number)["rollout"]["status"] == "scheduled"
    assert "2099-01-15T22:00:00.000Z" in terminal.run("rollout", "show", number).output
    assert terminal.json("rollout", "cancel", number)["rollout"]["status"] == "draft"
    security = terminal.json("rollout", "schedule", number, "--security", "--deadline", "2099-01-15T22:00Z")
    assert security["rollout"]["schedule"] == {"priority": "security", "deadline": "2099-01-15T22:00:00.000Z"}
    for refused in (("--window", "s@22:00-05:00"), ("--window", "22:00"), ("--start-at", "soon")):
        assert terminal.run("rollout", "schedule", number, *refused).exit_code == 2


def test_cohorts_are_saved_previewed_and_rolled_out_to(terminal: Terminal) -> None:
    terminal.run("publish", terminal.file("2.bin", keys.image(2).raw), "--create-product", "Thermostat")
    ids = [24 * "a", 24 * "b"]
    terminal.run("device", "import", terminal.file("ids", "\n".join(ids).encode()))
    terminal.json("device", "set", ids[0], "--tag", "beta", "--country", "de")
    listed = terminal.file("listed", "\n".join(ids).encode())
    assert terminal.json("cohort", "preview", "--devices", listed, "--where", "country one_of DE,FR")["devices"] == 1
    made = terminal.json("cohort", "create", "beta", "--where", "tag is beta", "--where", "version at_least 2")
    assert made["in_words"] == "tag is beta and version at least 2"
    terminal.json("cohort", "create", "beta", "--replace", "--where", "claimed is false")
    assert "claimed is false" in terminal.run("cohort", "list").output
    started = ("--version", "2", "--stage", "10:1", "--stage", "100:9", "--cohort", "beta")
    stages = terminal.json("rollout", "create", *started)["rollout"]["stages"]
    assert [one["in_words"] for one in stages] == ["10 % of cohort beta", "100 % of cohort beta"]
    assert terminal.json("cohort", "show", "beta")["used_by"] == [1]
    plan = {"version": 2, "name": "of a file", "stages": [{"cohort": {"devices": ids}, "percent": 50}]}
    made = terminal.json("rollout", "create", "--file", terminal.file("plan", json.dumps(plan).encode()), "--start")
    assert (made["rollout"]["name"], made["rollout"]["status"]) == ("of a file", "running")
    assert "50 % of 2 listed devices" in terminal.run("rollout", "show", "2").output
    assert terminal.run("rollout", "create", "--version", "2").exit_code == 2
    assert terminal.run("cohort", "delete", "beta").exit_code == 1
    terminal.run("rollout", "abort", "1")
    assert terminal.run("cohort", "delete", "beta").exit_code == 0
    explained = terminal.run("device", "explain", ids[0]).output
    assert explained.startswith("Quarantined: it gets no firmware until its key is approved.\n> held back")
    assert "Rollout 2 of version 2, stage 1" in explained
    assert "Lock it to a version." in explained
    assert terminal.json("device", "explain", ids[0])["offered"] is None


def test_version_is_gone_back_from_and_killed(terminal: Terminal) -> None:
    for version in (1, 2):
        image = terminal.file(f"{version}.bin", keys.image(version).raw)
        terminal.run("publish", image, "--create-product", "Thermostat")
    terminal.json("rollout", "create", "--version", "2", "--stage", "100:5", "--start")
    back = ("rollout", "roll-back", "1", "--version", "1")
    assert terminal.run(*back, "--dry-run").output == "0 devices can go back to version 1\n"
    made = terminal.json(*back, "--stage", "100:3")
    assert (made["rollout"]["undoes"], made["going"], made["staying"]) == (2, 0, [])
    killed = terminal.run("release", "kill", "1").output
    assert killed == "version 1 is killed; 0 devices run it and go on\naborted: rollout 2\n"
    assert "killed" in terminal.run("release", "list").output
    assert "killed" not in terminal.run("release", "revive", "1").output


def test_devices_are_listed_shown_and_changed(terminal: Terminal) -> None:
    terminal.run("publish", terminal.file("1.bin", keys.image(1).raw), "--create-product", "Thermostat")
    assert "no devices yet" in terminal.run("device", "list").output
    token = terminal.environment["MUSTER_TOKEN"]
    with ServerClient(terminal.environment["MUSTER_SERVER"], token) as client:
        client.import_devices(keys.PRODUCT, {24 * "a": keys.key("d").public_key.raw.hex()})
    assert 24 * "a" in terminal.run("device", "list").output
    terminal.run("device", "set", 24 * "a", "--lock", "7", "--name", "Kitchen")
    shown = terminal.json("device", "show", 24 * "a")
    assert (shown["name"], shown["desired_firmware_version"]) == ("Kitchen", 7)
    terminal.run("device", "set", 24 * "a", "--unlock")
    assert terminal.json("device", "show", 24 * "a")["desired_firmware_version"] is None
    assert "Imported with its key" in terminal.run("device", "show", 24 * "a").output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("device", "list"), "name a product with --product (the server has: none)"),
        (("device", "approve", "zz", "--product", "1"), "there is no product 1"),
        (("rollout", "show", "9", "--product", "1"), "there is no product 1"),
        (("device", "set", "zz"), "nothing to change"),
        (("device", "list", "--server", "http://127.0.0.1:9"), "is `muster serve` running?"),
    ],
)
def test_errors_are_one_line(terminal: Terminal, arguments: tuple[str, ...], text: str) -> None:
    result = terminal.run(*arguments)
    assert result.exit_code == 1
    assert text in result.output
    assert result.output.count("\n") == 1


def test_without_a_token_it_says_how_to_get_one(terminal: Terminal) -> None:
    terminal.environment["MUSTER_TOKEN"] = ""
    assert "sign in with `muster login`, or set MUSTER_TOKEN" in terminal.run("device", "list").output
    path = terminal.file("token", b"0" * 40 + b"\n")
    assert "access token is not valid" in terminal.run("device", "list", "--token-file", path).output


def test_bad_stage_is_a_usage_error(terminal: Terminal) -> None:
    result = terminal.run("rollout", "create", "--version", "2", "--stage", "ten")
    assert result.exit_code == 2
    assert "PERCENT:MIN_CONFIRMED" in result.output
