# SPDX-License-Identifier: Apache-2.0
"""One job per pair, whoever makes it: a lease says whose it is, and the most devices come first."""

from __future__ import annotations

import os
import threading

import pytest
from sqlalchemy import Connection

from ota_server.errors import Unavailable
from ota_server.releases import patcher as patching
from ota_server.releases import store
from ota_server.releases.encoder import Encoder, EncoderStopped, MadePatch, PatchNotMade
from ota_server.releases.models import FULL, PatchStatus, StoredPatch
from ota_server.releases.patcher import PUT_OFF_MS, TRIES_MAX, Patcher
from ota_server.rollouts.evictor import Evictor
from ota_server.storage.blobs import BlobStore
from tests.ota_server import keys
from tests.ota_server.conftest import Server

ONE, TWO, THREE = keys.image(1), keys.image(2), keys.image(3)


class HandEncoder:
    """Makes nothing: says what it was asked for, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.error: Exception | None = None
        self.same: bytes | None = None

    def make(self, base: bytes, target: bytes) -> MadePatch:
        self.asked.append((base, target))
        if self.error is not None:
            raise self.error
        return MadePatch(self.same or b"patch of " + base[:64] + target[:64], 7, 1000)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own worker does what it is told to, however slow this machine is."""
    monkeypatch.setattr(patching, "LOOK_EVERY_S", 24 * 3600.0)


@pytest.fixture
def shop(server: Server) -> Server:
    """Versions 1 to 3 for the Photon; no patch between them was asked for."""
    server.product()
    for image in (ONE, TWO, THREE):
        server.publish(image)
    server.services.jobs.patcher.work_off()
    return server


def patcher(server: Server, encoder: Encoder) -> Patcher:
    """Another worker on the same database."""
    services = server.services
    return Patcher(services.database, services.jobs.kept, services.jobs.served, encoder, services.feed, server.clock)


def want(server: Server, base: bytes, devices: int = 0) -> None:
    now_ms = server.clock.now_ms()
    server.services.database.write(
        lambda connection: store.want_patch(connection, keys.PRODUCT, base, THREE.identity, now_ms, devices)
    )


def take(server: Server) -> tuple[StoredPatch | None, bytes]:
    lease, now_ms = os.urandom(16), server.clock.now_ms()
    return server.services.database.write(lambda connection: store.take_patch(connection, lease, now_ms)), lease


def between(server: Server, base: bytes) -> StoredPatch:
    with server.services.database.read() as connection:
        found = store.patch_between(connection, base, THREE.identity)
    assert found is not None
    return found


def test_patch_of_most_devices_is_made_first(shop: Server) -> None:
    want(shop, ONE.identity, devices=3)
    want(shop, TWO.identity, devices=40)
    encoder = HandEncoder()
    assert patcher(shop, encoder).work_off() == 2
    assert encoder.asked == [(TWO.raw, THREE.raw), (ONE.raw, THREE.raw)]


@pytest.mark.both_databases
def test_job_that_a_worker_has_taken_is_no_other_worker_s_until_its_lease_is_over(shop: Server) -> None:
    want(shop, ONE.identity)
    taken, lease = take(shop)
    assert taken is not None
    encoder = HandEncoder()
    assert patcher(shop, encoder).work_off() == 0
    shop.clock.advance_s(store.LEASE_MS / 1000)
    assert patcher(shop, encoder).work_off() == 1
    done = between(shop, ONE.identity)
    assert done.status is PatchStatus.READY
    late = {"digest": bytes(32), "size": 1}
    assert not shop.services.database.write(
        lambda connection: store.finish_patch(connection, taken, lease, PatchStatus.READY, late)
    )
    assert between(shop, ONE.identity) == done, "what comes after the lease counts no more"


def test_lease_that_a_wrong_clock_gave_does_not_hold_its_job_back(shop: Server) -> None:
    want(shop, ONE.identity)
    shop.clock.advance_s(365 * 24 * 3600)
    assert take(shop)[0] is not None
    shop.clock.advance_s(-365 * 24 * 3600)
    assert patcher(shop, HandEncoder()).work_off() == 1


def test_job_stays_the_worker_s_that_goes_on_with_it(shop: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: its lease is renewed."""
    want(shop, ONE.identity)
    monkeypatch.setattr(patching, "RENEW_EVERY_S", 0.001)
    renewed = threading.Event()
    renew = store.renew_patch

    def renew_and_tell(connection: Connection, patch_id: int, lease: bytes, now_ms: int) -> None:
        renew(connection, patch_id, lease, now_ms)
        if now_ms > began_ms:
            renewed.set()

    began_ms = shop.clock.now_ms()
    monkeypatch.setattr(store, "renew_patch", renew_and_tell)
    taken: list[StoredPatch | None] = []

    class SlowEncoder(HandEncoder):
        def make(self, base: bytes, target: bytes) -> MadePatch:
            shop.clock.advance_s(store.LEASE_MS / 1000)
            assert renewed.wait(60)
            # A write that comes behind it.
            taken.append(take(shop)[0])
            return super().make(base, target)

    assert patcher(shop, SlowEncoder()).work_off() == 1
    assert taken == [None]
    done = between(shop, ONE.identity)
    assert (done.status, done.tries) == (PatchStatus.READY, 0)


def test_patch_says_what_making_it_took(shop: Server) -> None:
    want(shop, ONE.identity, devices=5)
    shop.services.jobs.patcher.work_off()
    (shown,) = [
        one
        for one in shop.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
        if (one["base_version"], one["target_version"]) == (1, 3)
    ]
    assert shown["status"] == "ready"
    assert shown["devices"] == 5
    assert shown["duration_ms"] > 0
    assert shown["memory_bytes"] > shown["size"] > 0


def test_job_that_ends_its_encoder_again_and_again_is_given_up(shop: Server) -> None:
    want(shop, ONE.identity)
    encoder = HandEncoder()
    encoder.error = EncoderStopped("it was killed")
    for _ in range(TRIES_MAX + 2):
        patcher(shop, encoder).work_off()
        shop.clock.advance_s(PUT_OFF_MS / 1000)
    assert len(encoder.asked) == TRIES_MAX
    assert between(shop, ONE.identity).status is PatchStatus.FAILED


def test_job_whose_workers_are_killed_is_made_all_the_same(shop: Server) -> None:
    want(shop, ONE.identity)
    for _ in range(TRIES_MAX + 2):
        assert take(shop)[0] is not None
        shop.clock.advance_s(store.LEASE_MS / 1000)
    assert patcher(shop, HandEncoder()).work_off() == 1
    assert between(shop, ONE.identity).status is PatchStatus.READY


def test_job_waits_while_blobs_cannot_be_reached(shop: Server) -> None:
    want(shop, ONE.identity)
    encoder = HandEncoder()
    encoder.error = Unavailable("away")
    for _ in range(2 * TRIES_MAX):
        patcher(shop, encoder).work_off()
        shop.clock.advance_s(PUT_OFF_MS / 1000)
    assert between(shop, ONE.identity).status is PatchStatus.PENDING
    encoder.error = None
    assert patcher(shop, encoder).work_off() == 1
    assert between(shop, ONE.identity).status is PatchStatus.READY


def test_device_whose_patch_cannot_be_made_gets_the_full_image(shop: Server) -> None:
    want(shop, ONE.identity)
    encoder = HandEncoder()
    encoder.error = PatchNotMade("no")
    patcher(shop, encoder).work_off()
    device = shop.device(running=ONE)
    device.check_in()
    shop.api("PUT", f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}", json={"desired_firmware_version": 3})
    assert device.check_in().offer is not None
    device.update()
    assert device.running == THREE
    assert between(shop, ONE.identity).status is PatchStatus.FAILED


def shown(server: Server, status: str) -> list[tuple[object, object]]:
    """Base and target of the patches with a status."""
    listed = server.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
    return [(one["base_version"], one["target_version"]) for one in listed if one["status"] == status]


def test_patch_that_could_not_be_made_is_tried_again_for_another_rollout(shop: Server) -> None:
    want(shop, ONE.identity)
    encoder = HandEncoder()
    encoder.error = PatchNotMade("no")
    patcher(shop, encoder).work_off()
    want(shop, ONE.identity)
    assert between(shop, ONE.identity).status is PatchStatus.FAILED
    shop.rollout(3)
    assert between(shop, ONE.identity).status is PatchStatus.READY


@pytest.mark.parametrize("waits", [0, 3])
def test_device_that_comes_before_its_patch_waits_so_often_and_then_gets_the_full_image(
    shop: Server, waits: int
) -> None:
    shop.services.jobs.patcher.stop()
    shop.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"patch_wait": waits}})
    device = shop.device(running=ONE)
    device.check_in()
    shop.api("PUT", f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}", json={"desired_firmware_version": 3})
    for _ in range(waits):
        assert device.check_in().offer is None
    device.check_in()
    assert device.offer is not None
    full = between(shop, FULL)
    assert device.offer.patch_digest == full.digest
    assert between(shop, ONE.identity).status is PatchStatus.PENDING, "it is made for those that come later"


def test_device_that_waits_gets_its_patch_and_waits_anew_the_next_time(shop: Server) -> None:
    device = shop.device(running=ONE)
    device.check_in()
    path = f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}"
    for version in (2, 3):
        shop.api("PUT", path, json={"desired_firmware_version": version})
        device.check_in()
        shop.services.jobs.patcher.work_off()
        device.check_in()
        assert device.offer is not None
        device.update()
        assert device.running.manifest.product_version == version


def evictor(server: Server, budget: int) -> Evictor:
    return Evictor(server.services.database, server.services.jobs.served, budget)


def test_file_of_a_patch_that_is_made_again_while_a_slow_process_removes_files_stays(
    shop: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, bases = shop.services.jobs, (ONE.identity, TWO.identity)
    for base in bases:
        want(shop, base, devices=1)
    jobs.patcher.work_off()
    remove = BlobStore.remove

    def remove_slowly(blobs: BlobStore, digest: bytes) -> None:
        """Meanwhile another process removes them all, and both patches are wanted again."""
        monkeypatch.undo()
        remove(blobs, digest)
        evictor(shop, 1).work_off()
        for base in bases:
            want(shop, base, devices=1)
        jobs.patcher.work_off()

    monkeypatch.setattr(BlobStore, "remove", remove_slowly)
    evictor(shop, 1).work_off()
    for base in bases:
        patch = between(shop, base)
        assert patch.status is PatchStatus.READY
        assert patch.digest is not None
        assert jobs.served.get(patch.digest) is not None


def test_patches_that_were_not_offered_for_longest_make_room_and_are_made_again(shop: Server) -> None:
    for base in (ONE.identity, TWO.identity):
        want(shop, base, devices=1)
    shop.services.jobs.patcher.work_off()
    one, two = between(shop, ONE.identity), between(shop, TWO.identity)
    device = shop.device(running=TWO)
    device.check_in()
    shop.clock.advance_s(7 * 24 * 3600)
    shop.rollout(3)
    device.check_in()
    assert device.offer is not None
    assert two.size is not None
    assert two.digest is not None
    assert one.digest is not None
    evictor(shop, 1).work_off()
    assert shown(shop, "ready") == [(2, 3)], "what an open attempt names stays, whatever the budget"
    assert shop.services.jobs.served.get(one.digest) is None
    device.update()
    assert device.running == THREE
    storage = shop.api("GET", f"/products/{keys.PRODUCT}/patches")["storage"]
    assert storage["bytes"] == two.size
    late = shop.device(2, running=ONE)
    late.check_in()
    shop.services.jobs.patcher.work_off()
    late.check_in()
    assert late.offer is not None
    late.update()
    assert late.running == THREE
    assert shop.services.jobs.served.get(one.digest) is not None


def test_within_the_budget_everything_stays(shop: Server) -> None:
    before = shown(shop, "ready")
    evictor(shop, 10**6).work_off()
    assert shown(shop, "ready") == before
    assert len(before) == 3


def test_file_that_another_patch_needs_stays_when_one_of_them_is_evicted(shop: Server) -> None:
    for base in (ONE.identity, TWO.identity):
        want(shop, base)
    encoder = HandEncoder()
    encoder.same = b"the same bytes"
    patcher(shop, encoder).work_off()
    one, two = between(shop, ONE.identity), between(shop, TWO.identity)
    assert one.digest == two.digest is not None
    shop.services.database.write(lambda connection: store.evict_patch(connection, one.id))
    evictor(shop, 10**6).work_off()
    assert shop.services.jobs.served.get(one.digest or b"") == b"the same bytes"
    assert between(shop, ONE.identity).digest is None


def test_file_of_a_killed_eviction_is_removed_by_the_next_one_and_not_made_before(shop: Server) -> None:
    want(shop, ONE.identity)
    shop.services.jobs.patcher.work_off()
    one = between(shop, ONE.identity)
    assert one.digest is not None
    shop.services.database.write(lambda connection: store.evict_patch(connection, one.id))
    want(shop, ONE.identity)
    assert between(shop, ONE.identity).status is PatchStatus.EVICTED
    evictor(shop, 10**6).work_off()
    assert shop.services.jobs.served.get(one.digest) is None
    want(shop, ONE.identity)
    assert between(shop, ONE.identity).status is PatchStatus.PENDING
