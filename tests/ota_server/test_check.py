# SPDX-License-Identifier: Apache-2.0
"""What a check finds: nothing after any story that the server itself wrote, and every fault that is put there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from muster.cli.main import main
from ota_server.check import check
from ota_server.figures.collector import SETTLED_MS
from ota_server.storage.check import Difference
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.simulated import SimulatedDevice

pytestmark = pytest.mark.both_databases

CONFIRMED, OPEN, FAILED = 1, 2, 3
"""What the devices of the story are."""


def sentence(difference: Difference) -> str:
    return f"{difference.place}: {difference.text}"


def found(server: Server, reads_blobs: bool = False) -> list[str]:
    settings = server.services.settings
    # Not the server's own stores: they remember what they have read.
    kept, served = settings.open_blobs()
    with server.services.database.read() as connection:
        return [sentence(difference) for difference in check(connection, kept, served, reads_blobs)]


def tell(server: Server) -> list[SimulatedDevice]:
    """One device confirms, one is amid its download, one has failed; stage 1 of 2 is over."""
    collector = server.services.jobs.collector
    collector.work_off()
    server.product()
    for version in (1, 2):
        server.publish(keys.image(version))
    first, second = ({"min_confirmed": 1, "max_failures": 5}, {"min_confirmed": 9})
    # No percentage below 100: who is drawn is another one each time.
    server.rollout(
        2, {"cohort": {"field": "platform", "is": "photon"}, "gate": first}, {"percent": 100, "gate": second}
    )
    devices = [server.device(number) for number in (CONFIRMED, OPEN, FAILED)]
    for device in devices:
        while device.check_in().offer is None:
            server.services.jobs.patcher.work_off()
    devices[0].update()
    devices[0].crash()
    devices[0].check_in()
    devices[2].fetch()
    devices[2].boot_staged()
    devices[2].revert(1)
    devices[2].check_in()
    # Seen, and counted when they have been there for a while.
    for _ in range(2):
        collector.work_off()
        server.clock.advance_s(SETTLED_MS / 1000)
    collector.work_off()
    return devices


def test_what_the_server_wrote_agrees(server: Server) -> None:
    tell(server)
    assert found(server, reads_blobs=True) == []


FAULTS = [
    ("UPDATE rollouts SET confirmed = confirmed + 1", "rollout 1: `confirmed` is 2, and its rows say 1"),
    ("UPDATE rollouts SET offered = 2", "rollout 1: `offered` is 2, and its rows say 3"),
    ("UPDATE attempt_counts SET reverted = 4, confirmed = 0", "`latest reverted` is 4, and its rows say 1"),
    ("UPDATE attempt_counts SET bytes_sent = 1", "rollout 1: `bytes sent` is 1, and its rows say"),
    ("DELETE FROM trouble_counts", "rollout 1: `reverted for 1` is 0, and its rows say 1"),
    ("UPDATE rollouts SET stage = 2", "rollout 1: it is in stage 3 of 2"),
    ("UPDATE stages SET ended_ms = NULL", "rollout 1, stage 1: it is over, and has no end"),
    ("UPDATE stages SET ended_ms = 1", "rollout 1, stage 2: it has an end, and is not over"),
    ("UPDATE stages SET started_ms = NULL WHERE position = 1", "rollout 1, stage 2: it has begun, without a time"),
    ("DELETE FROM outcomes WHERE kind = 'reverted'", "it is reverted; its outcome is not there"),
    ("UPDATE outcomes SET kind = 'interrupted' WHERE kind = 'reverted'", "it is reverted; its outcome is interrupted"),
    ("UPDATE outcomes SET attempt = 77 WHERE kind = 'confirmed'", "there is an outcome of attempt 77, and no such"),
    ("UPDATE outcomes SET rollout_id = NULL", "its outcome is confirmed, of another rollout or image"),
    ("UPDATE attempts SET status = 'withdrawn' WHERE status = 'offered'", "its device takes it as open"),
    ("UPDATE devices SET open_attempt = NULL", "it is open, and its device does not know it"),
    ("UPDATE devices SET open_attempt = 9", "attempt 9 is open, and there is no such attempt"),
    ("UPDATE devices SET attempt_counter = 0", "its number is above those that its device has been given"),
    ("UPDATE attempts SET is_latest = (1 = 0)", "attempt 1 is the newest; 0 are marked as the latest, up to 0"),
    ("UPDATE patches SET status = 'failed'", "it is open, and its patch is not ready"),
    ("UPDATE patches SET digest = NULL", "it is ready, and has no digest or size"),
    ("UPDATE patches SET size = size + 1", "its bytes"),
    ("UPDATE images SET size = 1", "not 1"),
    (
        "UPDATE version_weeks SET crashed = crashed + 1",
        "version 2 of product 1234: `crashed` is 2, and devices say 1",
    ),
    ("UPDATE product_hours SET confirmed = 0", "hours of product 1234: `confirmed` add up to 0, and its rows say 1"),
    ("DELETE FROM product_hours", "hours of product 1234: `crashes` add up to 0, and its rows say 1"),
    ("UPDATE product_hours SET devices = devices + 1", "`devices` is 4, and its versions say 3"),
]


class TakenBack(Exception):
    """A fault was looked at, and shall not stay."""


def test_every_fault_is_named(server: Server) -> None:
    tell(server)
    services = server.services
    for statement, text in FAULTS:

        def look(connection: Connection, statement: str = statement) -> None:
            connection.exec_driver_sql(statement)
            raise TakenBack(check(connection, services.jobs.kept, services.jobs.served))

        with pytest.raises(TakenBack) as taken_back:
            services.database.write(look)
        (differences,) = taken_back.value.args
        assert any(text in told for told in map(sentence, differences)), (statement, differences)
    assert found(server) == []


def test_bytes_that_are_lost_or_have_changed_are_named(server: Server) -> None:
    tell(server)
    blobs = {path.name: path for path in server.folder.glob("blobs/*/*/*")}
    image, patch = keys.image(1), server.devices[OPEN - 1].offer
    assert patch is not None
    blobs[hashlib.sha256(image.raw).hexdigest()].write_bytes(bytes(len(image.raw)))
    blobs[patch.patch_digest.hex()].unlink()
    assert [line for line in found(server) if "not kept" in line] == found(server) != []
    assert any(line.startswith("image 1: ") and line.endswith("have changed") for line in found(server, True))


def test_command_says_what_differs_and_its_exit_code_that_something_does(
    tmp_path: Path, clock: HandClock, database_url: URL | None
) -> None:
    settings = make_settings(tmp_path / "server", database=database_url)
    address = [] if database_url is None else ["--database", database_url.render_as_string()]
    command = ["server", "check", "--data", str(settings.data_dir), *address]
    for server in run_server(settings, clock):
        tell(server)
        done = CliRunner().invoke(main, [*command, "--blobs"])
        assert (done.exit_code, done.output) == (0, "everything agrees\n")
        server.services.database.write(lambda c: c.exec_driver_sql("UPDATE rollouts SET failed = 4"))
        done = CliRunner().invoke(main, command)
        assert (done.exit_code, done.output) == (1, "rollout 1: `failed` is 4, and its rows say 0\n1 difference\n")
        done = CliRunner().invoke(main, [*command, "--json"])
        assert done.exit_code == 1
        assert json.loads(done.output) == [{"place": "rollout 1", "text": "`failed` is 4, and its rows say 0"}]
