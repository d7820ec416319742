# SPDX-License-Identifier: Apache-2.0
"""Attacks, each by its name, against the real server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from muster.errors import KeySetRefused
from muster.protocol import DeviceSession, DeviceState, Report, SealRefused, SignatureRefused, UnknownOnlineKey
from muster.signing.keys import write_private_key
from ota_server.services import open_services
from ota_server.settings import Settings
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.simulated import Refused, SimulatedDevice

pytestmark = pytest.mark.both_databases


def session_of(server: Server, device: SimulatedDevice) -> DeviceSession:
    device.check_in()
    return device.session


def test_replayed_opening_gets_the_same_answer_and_disturbs_nothing(stocked: Server) -> None:
    device = stocked.device()
    opening = device.session.begin(1, os.urandom(32), os.urandom(16))
    _, answer = stocked.post("/device/v1/open", opening)
    assert stocked.post("/device/v1/open", opening) == (200, answer)
    device.session.finish(answer, keys.keyset().content.online_keys)
    device.check_in()
    assert stocked.post("/device/v1/open", opening) == (200, answer)
    device.check_in()
    assert len(stocked.seen(device)["history"]) == 3, "one session, its version, its approval"


def test_replayed_older_opening_is_refused_and_leaves_the_pending_session(stocked: Server) -> None:
    device = stocked.device()
    old = device.session.begin(1, os.urandom(32), os.urandom(16))
    stocked.post("/device/v1/open", old)
    device.open()
    device.check_in()
    device.open()
    assert stocked.post("/device/v1/open", old) == (401, b"")
    status, _ = stocked.post("/device/v1/check-in", device.session.seal(device.state))
    assert status == 200


def test_altered_opening_is_refused(stocked: Server) -> None:
    device = stocked.device()
    opening = bytearray(device.session.begin(1, os.urandom(32), os.urandom(16)))
    opening[-1] ^= 1
    assert stocked.post("/device/v1/open", bytes(opening)) == (401, b"")
    stocked.api("GET", f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}", 404)


def test_replayed_check_in_is_refused_and_changes_nothing(stocked: Server) -> None:
    device = stocked.device()
    session = session_of(stocked, device)
    device.log("once")
    message = session.seal(device.state, device.report())
    assert stocked.post("/device/v1/check-in", message)[0] == 200
    before = stocked.seen(device)
    assert stocked.post("/device/v1/check-in", message) == (401, b"")
    assert stocked.seen(device) == before
    assert [line["text"] for line in before["logs"]] == ["once"]


def test_altered_check_in_is_refused_and_its_counter_stays_free(stocked: Server) -> None:
    device = stocked.device()
    session = session_of(stocked, device)
    message = session.seal(device.state, Report(uptime_s=77))
    for at in range(len(message)):
        altered = bytearray(message)
        altered[at] ^= 0x40
        status, body = stocked.post("/device/v1/check-in", bytes(altered))
        assert status in (400, 401)
        assert body == b""
    assert stocked.seen(device)["uptime_s"] is None
    assert stocked.post("/device/v1/check-in", message)[0] == 200
    assert stocked.seen(device)["uptime_s"] == 77


def test_answer_of_another_device_or_request_is_refused_by_the_device(stocked: Server) -> None:
    one, two = stocked.device(1), stocked.device(2)
    first, second = session_of(stocked, one), session_of(stocked, two)
    _, old = stocked.post("/device/v1/check-in", first.seal(one.state))
    _, other = stocked.post("/device/v1/check-in", second.seal(two.state))
    _, right = stocked.post("/device/v1/check-in", first.seal(one.state))
    for wrong in (old, other):
        with pytest.raises(SealRefused):
            first.open(wrong)
    first.open(right)


def test_second_key_for_an_id_is_quarantined_and_the_first_goes_on(stocked: Server) -> None:
    device, impostor = stocked.device(1), stocked.device(1, key=keys.key("impostor"))
    device.check_in()
    stocked.rollout(2)
    answer = impostor.check_in()
    assert answer.is_quarantined
    assert answer.offer is None
    assert device.check_in().offer is not None
    seen = stocked.seen(device)
    assert seen["status"] == "active"
    assert "A second key" in seen["claims"][0]["reason"]


def test_second_device_with_the_same_key_is_quarantined_and_cannot_be_approved(stocked: Server) -> None:
    device, copy = stocked.device(1), stocked.device(2, key=keys.key("device 1"))
    device.check_in()
    assert copy.check_in().is_quarantined
    answer = stocked.api("POST", f"/products/{keys.PRODUCT}/devices/{copy.device_id.hex()}/approve", 409)
    assert "a key belongs to one device" in answer["error_description"]
    assert not device.check_in().is_quarantined


def test_clone_with_id_and_key_never_shares_a_session_and_no_report_counts_twice(stocked: Server) -> None:
    device, clone = stocked.device(1), stocked.device(1)
    for each in (device, clone):
        each.log("the same report id from both")
    for _ in range(3):
        device.check_in()
        clone.check_in()
    assert len(stocked.seen(device)["logs"]) == 1


def test_unknown_id_is_quarantined_until_its_key_is_approved(server: Server) -> None:
    server.product(auto_approve=False)
    for version in (1, 2):
        server.publish(keys.image(version))
    device = server.device()
    device.log("not counted yet")
    assert device.check_in().is_quarantined
    server.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    assert device.check_in().offer is None
    seen = server.seen(device)
    assert seen["quarantined"]
    assert seen["logs"] == []
    path = f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}/approve"
    server.api("POST", path, 409, json={"fingerprint": 16 * "0"})
    server.api("POST", path, json={"fingerprint": seen["fingerprint"][:16]})
    device.update()
    assert device.running.manifest.product_version == 2
    assert [line["text"] for line in server.seen(device)["logs"]] == ["not counted yet"]


def test_quarantine_is_capped_and_rate_limited_per_product(server: Server) -> None:
    server.product(auto_approve=False, quarantine_max=25)
    statuses = []
    for number in range(30):
        try:
            server.device(number).open()
            statuses.append(200)
        except Refused as refused:
            statuses.append(refused.status)
    assert statuses == 20 * [200] + 10 * [429], "the burst"
    server.clock.advance_s(600)
    for number in range(100, 110):
        try:
            server.device(number).open()
            statuses.append(200)
        except Refused as refused:
            statuses.append(refused.status)
    assert statuses[30:] == 5 * [200] + 5 * [429], "the cap"


def test_device_of_another_product_is_quarantined(stocked: Server) -> None:
    stocked.api("POST", "/products", 201, json={"product": {"id": 77, "name": "Other", "auto_approve": True}})
    stocked.device().check_in()
    moved = stocked.device(product_id=77)
    assert moved.check_in().is_quarantined
    assert "of product 77, not 1234" in stocked.seen(moved)["quarantine_reason"]


def test_device_of_another_platform_is_quarantined(stocked: Server) -> None:
    stocked.device().check_in()
    moved = stocked.device(platform_id=keys.P1)
    assert moved.check_in().is_quarantined
    assert "a p1, not a photon" in stocked.seen(moved)["quarantine_reason"]


def test_device_of_an_unknown_product_is_refused(server: Server) -> None:
    with pytest.raises(Refused, match="401"):
        server.device().open()


def test_denied_device_may_not_open_sessions_nor_go_on(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    path = f"/products/{keys.PRODUCT}/devices/{device.device_id.hex()}"
    stocked.api("DELETE", path, 204, json={"deny": True})
    assert stocked.post("/device/v1/check-in", device.session.seal(device.state))[0] == 401
    with pytest.raises(Refused, match="401"):
        device.open()


def test_server_with_a_wrong_online_key_is_refused_by_the_device(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "evil").mkdir()
    write_private_key(tmp_path / "evil" / "online.pem", keys.key("evil"))
    # Its own key set names its own key; no root signed it for the device, whose set has the same version.
    forged = tmp_path / "evil" / "keyset.cbor"
    forged.write_bytes(keys.keyset(1, ("evil",)).to_bytes())
    settings = Settings(tmp_path / "evil" / "data", tmp_path / "evil" / "online.pem", (forged,))
    for server in run_server(settings, clock):
        server.product()
        with pytest.raises(UnknownOnlineKey):
            server.device().open()


def test_server_whose_key_set_does_not_name_its_online_key_does_not_start(tmp_path: Path) -> None:
    write_private_key(tmp_path / "online.pem", keys.key("evil"))
    (tmp_path / "keyset.cbor").write_bytes(keys.keyset().to_bytes())
    with pytest.raises(KeySetRefused, match="does not name"):
        open_services(Settings(tmp_path / "data", tmp_path / "online.pem", (tmp_path / "keyset.cbor",)))


def test_answer_to_another_opening_is_refused_by_the_device(stocked: Server) -> None:
    device = stocked.device()
    first = device.session.begin(1, os.urandom(32), os.urandom(16))
    _, answer = stocked.post("/device/v1/open", first)
    device.session.begin(1, os.urandom(32), os.urandom(16))
    with pytest.raises(SignatureRefused):
        device.session.finish(answer, keys.keyset().content.online_keys)


def test_old_key_set_on_the_server_offers_nothing_and_alerts(stocked: Server) -> None:
    device = stocked.device(keyset=keys.keyset(2))
    device.check_in()
    stocked.rollout(2)
    assert device.check_in().offer is None
    seen = stocked.seen(device)
    assert "key set 2, newer than this server's 1" in seen["explanation"]
    assert [line["kind"] for line in seen["history"]].count("alert") == 1


def test_device_that_slept_through_a_rotation_finds_the_new_online_key(tmp_path: Path, clock: HandClock) -> None:
    settings = make_settings(tmp_path / "server")
    for version, names in ((2, ("next", "online")), (3, ("next",))):
        (tmp_path / f"{version}.cbor").write_bytes(keys.keyset(version, names).to_bytes())
    write_private_key(tmp_path / "next.pem", keys.key("next"))
    for server in run_server(settings, clock):
        server.product()
    files = (tmp_path / "3.cbor", tmp_path / "2.cbor")
    for server in run_server(Settings(settings.data_dir, tmp_path / "next.pem", files), clock, token="-"):
        device = server.device()
        assert not device.check_in().is_quarantined
        assert device.keyset.content.version == 3
        assert device.pending_keyset is None


def test_restored_old_database_drops_every_session_and_reuses_no_attempt(tmp_path: Path, clock: HandClock) -> None:
    settings = make_settings(tmp_path / "server")
    backup = tmp_path / "backup.sqlite3"
    for server in run_server(settings, clock):
        server.product()
        for version in (1, 2):
            server.publish(keys.image(version))
        device, token = server.device(), server.token
        device.check_in()
    shutil.copy(settings.database_path, backup)
    for server in run_server(settings, clock, token):
        device.post, device.get = server.post, server.get
        status, _ = server.post("/device/v1/check-in", device.session.seal(device.state))
        assert status == 200, "a clean restart keeps the session"
        server.rollout(2)
        first = device.check_in().offer
        assert first is not None
    shutil.copy(backup, settings.database_path)
    for server in run_server(settings, clock, token):
        device.post, device.get = server.post, server.get
        status, _ = server.post("/device/v1/check-in", device.session.seal(device.state))
        assert status == 401
        server.rollout(2)
        second = device.check_in().offer
        assert second is not None
        assert first is not None
        assert second.attempt > first.attempt
        device.update()
        assert device.running.manifest.product_version == 2


def test_unsigned_image_is_not_taken(stocked: Server) -> None:
    answer = stocked.publish(keys.image(3, signer=None), 400)
    assert "not signed as the key set asks" in answer["error_description"]
    answer = stocked.publish(keys.image(3, signer="stranger"), 400)
    assert "0 of 1 release signatures" in answer["error_description"]


def test_image_below_a_devices_security_counter_is_not_offered(stocked: Server) -> None:
    device = stocked.device(security_counter=5)
    device.check_in()
    stocked.rollout(2)
    assert device.check_in().offer is None
    assert "security counter 0 is below its own, 5" in stocked.seen(device)["explanation"]


def test_pending_session_of_a_thief_never_replaces_the_current_one(stocked: Server) -> None:
    """Whoever can replay an opening, but has no device key, opens nothing that the device would lose."""
    device = stocked.device()
    device.check_in()
    opening = DeviceSession(device.identity).begin(1, os.urandom(32), os.urandom(16))
    stocked.post("/device/v1/open", opening)
    state: DeviceState = device.state
    assert stocked.post("/device/v1/check-in", device.session.seal(state))[0] == 200
