# SPDX-License-Identifier: Apache-2.0
"""Two servers and two workers on PostgreSQL and S3 bring a rollout to its end while each of them is restarted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.client import ServerClient, Stage
from ota_server.check import check
from ota_server.releases import store
from ota_server.storage.blobs import BlobStore
from ota_server.storage.database import Database
from ota_server.storage.s3 import S3Shelf
from tests.ota_server import keys
from tests.ota_server.cluster.processes import Cluster
from tests.ota_server.postgresql import PostgreSql
from tests.ota_server.s3 import S3Server
from tests.waiting import wait_until

DEVICES = 6
TARGET = 4


@pytest.fixture
def cluster(tmp_path: Path, postgresql: PostgreSql, s3_server: S3Server) -> Iterator[Cluster]:
    with postgresql.database() as url:
        made = Cluster(tmp_path, url, s3_server.bucket())
        yield made
        made.end()


def are_made(api: ServerClient) -> bool:
    """Whether the workers have made all patches."""
    return all(patch["status"] != "pending" for patch in api.patches(keys.PRODUCT))


def test_rollout_ends_while_every_process_is_restarted_in_turn(cluster: Cluster) -> None:
    token = cluster.init()
    for process in (*cluster.servers, *cluster.workers):
        process.start()
    devices = [cluster.device(number, 1 + number % 3) for number in range(1, DEVICES + 1)]
    with ServerClient(cluster.servers[0].url, token) as api:
        api.create_product(keys.PRODUCT, "Thermostat", auto_approve=True)
        for version in range(1, TARGET + 1):
            api.publish(keys.image(version).raw, keys.PRODUCT)
        for device in devices:
            device.check_in()
        made = api.create_rollout(keys.PRODUCT, TARGET, [Stage(50, 1, 0), Stage(100, DEVICES, 0)])
        api.move_rollout(keys.PRODUCT, int(str(made["id"])), "start")
        # A worker ends after the patch that it is at; the other one makes the rest.
        assert cluster.workers[0].stop() == 0
        wait_until(lambda: are_made(api))
        cluster.workers[0].start()
        assert cluster.workers[1].stop() == 0

    for device in devices[:3]:
        device.update()
    assert cluster.servers[0].stop() == 0
    for device in devices[3:4]:
        device.update()
    cluster.servers[0].start()
    cluster.servers[1].stop(signal.SIGKILL)
    for device in devices[4:]:
        device.update()
    assert cluster.lost, "there was a time when one server served for both"
    cluster.servers[1].start()
    cluster.workers[1].start()

    for device in devices:
        device.update()
        assert device.running.manifest.product_version == TARGET
    with ServerClient(cluster.servers[1].url, token) as api:
        shown = api.rollout(keys.PRODUCT, int(str(made["id"])))["rollout"]
        assert isinstance(shown, dict)
        assert shown["status"] == "completed", shown["reason"]
        assert shown["counters"]["confirmed"] == shown["counters"]["offered"] == DEVICES
    for process in (*cluster.workers, *cluster.servers):
        assert process.stop() == 0
    assert "Traceback" not in cluster.logs()
    assert cluster.logs().count("devices open new sessions") <= 1, "no server that came or went took the sessions"

    database = Database(cluster.database)
    kept, served = BlobStore(S3Shelf(cluster.bucket, "kept")), BlobStore(S3Shelf(cluster.bucket, "served"))
    try:
        with database.read() as connection:
            assert check(connection, kept, served, reads_blobs=True) == []
            pairs = store.patches_of_product(connection, keys.PRODUCT)
    finally:
        database.close()
    assert len({(pair.base_identity, pair.target_identity) for pair in pairs}) == len(pairs)
    assert {pair.tries for pair in pairs} == {0}
