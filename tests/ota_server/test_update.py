# SPDX-License-Identifier: Apache-2.0
"""Updates from offer to confirmed boot, and all the ways in which they end."""

from __future__ import annotations

import threading

import pytest

from muster import delta
from muster.protocol import OutcomeType
from ota_server.releases import encoder_process
from ota_server.releases.encoder import Came, MadePatch, PatchNotMade, ProcessEncoder
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.simulated import SimulatedDevice

pytestmark = pytest.mark.both_databases

WATCHDOG, FAULT, SOFTWARE, NO_CONTACT, POWER = 1, 2, 3, 4, 5
ALL = {"percent": 100, "gate": {"min_confirmed": 100, "max_failures": 0}}


def to_trial(device: SimulatedDevice) -> None:
    """Checks in, fetches what is offered and boots it on trial."""
    device.check_in()
    if device.staged is None:
        device.fetch()
    device.boot_staged()


def counters(server: Server, rollout: int) -> dict[str, int]:
    found: dict[str, int] = server.show(rollout)["rollout"]["counters"]
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("platform", [keys.PHOTON, keys.P1, keys.ELECTRON])
def test_device_updates_by_patch_and_the_rollout_counts_its_confirmed_boot(stocked: Server, platform: int) -> None:
    device = stocked.device(platform_id=platform)
    device.check_in()
    rollout = stocked.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    answer = device.check_in()
    assert answer.offer is not None
    assert answer.offer.patch_len < len(keys.image(2).raw) // 4
    device.update()
    assert device.running.manifest.product_version == 2
    shown = stocked.show(rollout)["rollout"]
    assert shown["status"] == "completed"
    assert "0 not seen" in shown["reason"]
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}
    assert stocked.seen(device)["firmware_version"] == 2


def test_trial_is_no_success_before_its_confirmation_is_reported(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2)
    to_trial(device)
    device.check_in()
    assert stocked.show(rollout)["rollout"]["progress"]["trial"] == 1
    assert counters(stocked, rollout) == {"offered": 1}
    device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}


def test_stages_reach_devices_by_percentage_and_advance_on_confirmed_boots(stocked: Server) -> None:
    devices = [stocked.device(number) for number in range(12)]
    for device in devices:
        device.check_in()
    rollout = stocked.rollout(
        2,
        {"percent": 40, "gate": {"min_confirmed": 1, "max_failures": 0}},
        {"percent": 100, "gate": {"min_confirmed": 12, "max_failures": 0}},
    )
    first = [device for device in devices if device.check_in().offer is not None]
    assert 0 < len(first) < 12
    first[0].update()
    assert stocked.show(rollout)["rollout"]["stage"] == 2
    for device in devices:
        device.update()
    shown = stocked.show(rollout)["rollout"]
    assert shown["status"] == "completed"
    assert shown["counters"]["confirmed"] == shown["counters"]["offered"] == 12


@pytest.mark.parametrize("reason", [WATCHDOG, FAULT, SOFTWARE])
def test_revert_pauses_the_rollout_with_its_reason_and_is_not_tried_again(stocked: Server, reason: int) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    to_trial(device)
    device.revert(reason)
    device.check_in()
    shown = stocked.show(rollout)
    assert shown["rollout"]["status"] == "paused"
    assert "1 of 1 devices failed (1 reverted, 0 failed in all; limit 0)" in shown["rollout"]["reason"]
    assert counters(stocked, rollout) == {"offered": 1, "reverted": 1}
    assert [trouble["kind"] for trouble in shown["troubles"]] == ["reverted"]
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/resume")
    assert device.check_in().offer is None
    assert "failed on it" in stocked.seen(device)["explanation"]


def test_image_that_a_device_refuses_is_a_failure(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    to_trial(device)
    device.revert(256 + 21)
    device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "failed": 1}
    assert stocked.show(rollout)["troubles"][0]["reason"] == "a signature by a known key does not hold"


def test_no_contact_is_apart_from_failures_until_the_third_on_one_device(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    for number in (1, 2, 3):
        assert stocked.show(rollout)["rollout"]["status"] == "running"
        to_trial(device)
        device.revert(NO_CONTACT)
        device.check_in()
        found = counters(stocked, rollout)
        assert found["no_contact"] == number
        assert found.get("failed", 0) == (1 if number == 3 else 0)
    shown = stocked.show(rollout)["rollout"]
    assert shown["status"] == "paused"
    assert shown["counters"]["offered"] == 1
    assert shown["progress"]["failed"] == 1
    assert [trouble["kind"] for trouble in stocked.show(rollout)["troubles"]] == 3 * ["no_contact"]


def test_interrupted_trial_is_offered_again_without_counting_as_a_failure(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    to_trial(device)
    for _ in range(3):
        device.cut()
    assert device.outcome is not None
    assert device.outcome.type is OutcomeType.INTERRUPTED
    device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "interrupted": 1}
    assert device.staged is not None, "the bytes in the other slot are used again"
    device.update()
    assert counters(stocked, rollout) == {"offered": 1, "interrupted": 1, "confirmed": 1}


def test_image_interrupted_five_times_is_not_offered_again(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    for _ in range(5):
        to_trial(device)
        device.revert(POWER, OutcomeType.INTERRUPTED)
    assert device.check_in().offer is None
    assert counters(stocked, rollout) == {"offered": 1, "interrupted": 5}
    assert stocked.show(rollout)["rollout"]["status"] == "running"


def test_stopped_download_is_offered_again_as_the_full_image(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    patch = device.check_in().offer
    assert patch is not None
    device.stopped = -52
    full = device.check_in().offer
    assert full is not None
    assert full.patch_len > patch.patch_len
    device.update()
    assert counters(stocked, rollout) == {"offered": 1, "stopped": 1, "confirmed": 1}
    _, counted = stocked.check_counts(rollout)
    assert (counted.bytes_sent, counted.bytes_saved) == (full.patch_len, 0)
    assert [item["is_full"] for item in stocked.seen(device)["attempts"]] == [True, False]


def test_patch_is_for_the_smaller_decoder_and_the_full_image_for_the_larger(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    stocked.rollout(2, ALL)
    profiles = []
    for _ in range(2):
        offer = device.check_in().offer
        assert offer is not None
        raw = device.get(f"/device/v1/patches/{offer.patch_digest.hex()}", 0, offer.patch_len - 1)
        assert raw is not None
        profiles.append(delta.Patch.from_bytes(raw).header.profile)
        device.stopped = -52
    assert profiles == [delta.PatchProfile.SMALL, delta.PatchProfile.LARGE]


def test_third_stopped_download_of_an_image_is_a_failure(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2, ALL)
    for _ in range(3):
        device.check_in()
        device.stopped = -2
        device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "stopped": 3, "failed": 1}
    assert stocked.show(rollout)["rollout"]["status"] == "paused"


def test_pause_withdraws_offers_that_are_not_staged(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2)
    offered = device.check_in().offer
    assert offered is not None
    path = f"/products/{keys.PRODUCT}/rollouts/{rollout}"
    assert stocked.api("POST", f"{path}/pause")["rollout"]["reason"] == "Paused by ana@example.com."
    assert device.check_in().withdrawn == offered.attempt
    assert device.offer is None
    assert device.check_in().offer is None
    stocked.api("POST", f"{path}/resume")
    device.update()
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}


def test_outcome_of_a_withdrawn_attempt_still_counts(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    rollout = stocked.rollout(2)
    device.check_in()
    device.fetch()
    # The pause crosses a device that has staged the image and not told so yet.
    staged, device.staged = device.staged, None
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/pause")
    device.check_in()
    device.staged = staged
    device.boot_staged()
    device.check_in()
    device.check_in()
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}


def test_nothing_is_offered_before_its_patch_exists(stocked: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    device = stocked.device()
    device.check_in()
    may_go_on = threading.Event()
    encode = delta.encode

    def wait_and_encode(base: bytes, target: bytes) -> delta.Patch:
        assert may_go_on.wait(60)
        return encode(base, target)

    monkeypatch.setattr(delta, "encode", wait_and_encode)
    stocked.publish(keys.image(3))
    rollout = stocked.rollout(3, start=False)
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/start")
    answer = device.check_in()
    assert answer.offer is None
    assert answer.next_s == 5
    may_go_on.set()
    stocked.services.jobs.patcher.work_off()
    assert device.check_in().offer is not None


def test_patch_that_does_not_decode_to_its_target_is_never_offered(
    stocked: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(_encoder: ProcessEncoder, base: bytes, target: bytes) -> MadePatch:
        came, why = encoder_process.make(base, target)
        assert came is Came.REFUSED
        raise PatchNotMade(why.decode())

    device = stocked.device()
    device.check_in()
    monkeypatch.setattr(delta, "apply", lambda base, patch: keys.image(1).raw)
    # In this process, where what it decodes by is replaced; and of an image whose patch no other test has had made.
    monkeypatch.setattr(ProcessEncoder, "make", make)
    stocked.publish(keys.image(3, size=12_288))
    stocked.rollout(3)
    states = stocked.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
    assert {item["status"] for item in states if item["target_version"] == 3} == {"failed"}
    assert device.check_in().offer is None


def test_unknown_running_image_gets_the_full_image(stocked: Server) -> None:
    device = stocked.device(running=keys.image(1, size=8192))
    device.check_in()
    stocked.rollout(2)
    offer = device.check_in().offer
    assert offer is not None
    device.update()
    assert device.running.manifest.product_version == 2
    assert stocked.seen(device)["attempts"][0]["is_full"]


def test_completed_rollout_becomes_the_default_for_who_was_not_seen(stocked: Server) -> None:
    late = stocked.device(2)
    late.check_in()
    stocked.clock.advance_s(60)
    early = stocked.device(1)
    early.check_in()
    rollout = stocked.rollout(2, {"percent": 100, "gate": {"min_confirmed": 1, "max_failures": 0}})
    early.update()
    assert "1 not seen" in stocked.show(rollout)["rollout"]["reason"]
    late.update()
    assert late.running.manifest.product_version == 2
    assert counters(stocked, rollout) == {"offered": 1, "confirmed": 1}


def test_counters_made_anew_from_outcomes_equal_the_stored_ones(stocked: Server) -> None:
    rollout = stocked.rollout(2, {"percent": 100, "gate": {"min_confirmed": 100, "max_failures": 100}})
    for number, reason in enumerate((0, WATCHDOG, NO_CONTACT, 256 + 15)):
        device = stocked.device(number)
        to_trial(device)
        if reason:
            device.revert(reason)
        device.check_in()
        device.check_in()
    stored, counted = stocked.check_counts(rollout)
    assert stored.offered == 4
    found = stocked.api("GET", f"/products/{keys.PRODUCT}/patches")["patches"]
    size = {
        item["is_full"]: item["size"] for item in found if (item["platform"], item["target_version"]) == ("photon", 2)
    }
    assert (counted.bytes_sent, counted.bytes_saved) == (4 * size[False], 4 * (size[True] - size[False]))
    assert {(item["kind"], item["count"]) for item in stocked.show(rollout)["reasons"]} == {
        ("reverted", 1),
        ("no_contact", 1),
        ("failed", 1),
    }
