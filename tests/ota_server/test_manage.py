# SPDX-License-Identifier: Apache-2.0
"""The management API: every field of an upload is checked, errors have one shape, Particle's paths answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from muster.protocol import Answer
from tests.ota_server import keys
from tests.ota_server.conftest import Server

pytestmark = pytest.mark.both_databases


def test_without_a_valid_token_nothing_answers(server: Server) -> None:
    paths = ["/v1/products", "/v1/products/1/devices", "/v1/products/1/rollouts", "/v1/orgs/warm-rooms/audit"]
    for path in paths:
        for headers in ({}, {"authorization": "Bearer " + 40 * "0"}, {"authorization": "Basic x"}):
            response = server.client.get(path, headers=headers)
            assert response.status_code == 401
            assert response.json()["code"] == "invalid_token"


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "field"),
    [
        ("POST", "/products", {"json": {}}, 400, "product"),
        ("POST", "/products", {"json": {"product": {"id": 0, "name": "x"}}}, 400, "id"),
        ("POST", "/products", {"json": {"product": {"id": 5, "name": "x", "slug": "Ä"}}}, 400, "slug"),
        ("POST", "/products", {"json": {"product": {"id": 5, "name": "x", "extra": 1}}}, 400, "product.extra"),
        ("POST", "/products", {"content": b"{"}, 400, None),
        ("GET", "/products/none", {}, 404, None),
        ("GET", "/nothing", {}, 404, None),
        ("DELETE", "/products", {}, 405, None),
        ("GET", "/products/1234/devices/zz", {}, 404, None),
        ("GET", "/products/1234/devices?page=0", {}, 400, "page"),
        ("POST", "/products/1234/rollouts", {"json": {"version": 9, "stages": [{"percent": 100}]}}, 404, None),
        ("POST", "/products/1234/rollouts", {"json": {"version": 1, "stages": []}}, 400, "stages"),
        ("POST", "/products/1234/firmware", {"data": {"version": "1"}}, 400, "file"),
    ],
)
def test_errors_have_one_shape(
    stocked: Server, method: str, path: str, arguments: dict[str, Any], status: int, field: str | None
) -> None:
    answer = stocked.api(method, path, status, **arguments)
    assert answer["ok"] is False
    assert answer["error"]
    assert answer["error_description"]
    assert answer.get("field") == field or field is None


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        ([{"percent": 50}, {"percent": 50}], "percentages of a cohort rise"),
        ([{"percent": 50, "gate": {"min_confirmed": 0}}], "a whole number from 1"),
        (
            [{"percent": 5, "gate": {"min_confirmed": 9}}, {"percent": 50, "gate": {"min_confirmed": 8}}],
            "does not fall",
        ),
    ],
)
def test_stages_that_could_never_end_are_refused(stocked: Server, stages: list[dict[str, Any]], text: str) -> None:
    body = {"version": 2, "stages": stages}
    answer = stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts", 400, json=body)
    assert text in answer["error_description"]


def test_upload_is_checked_against_product_and_itself(server: Server) -> None:
    server.product()
    path = f"/products/{keys.PRODUCT}/firmware"

    def refused(raw: bytes, expect: str, elf: bytes | None = None, **form: str) -> None:
        files = {"file": ("x", raw)} | ({} if elf is None else {"elf": ("x", elf)})
        answer = server.api("POST", path, 400, files=files, data=form)
        assert expect in answer["error_description"]

    good = keys.image(1)
    refused(b"", "too few for an image")
    refused(good.raw[:-1], "cut short")
    refused(good.raw + b"\0", "bytes and has")
    for at in (0, 0x190, 0x1000, len(good.raw) - 500, len(good.raw) - 44, len(good.raw) - 1):
        damaged = bytearray(good.raw)
        damaged[at] ^= 1
        refused(bytes(damaged), "not an image")
    refused(keys.image(1, product=77).raw, "for product 77, not 1234")
    refused(keys.image(1, platform=3).raw, "which nobody knows")
    refused(good.raw, "holds version 1, not 2", version="2")
    refused(good.raw, "not an ELF file", elf=b"\x7fELF")
    refused(good.raw, "not the one that this image was made from", elf=keys.elf(2))
    assert server.api("GET", path) == []

    answer = server.api("POST", path, 201, files={"file": ("x", good.raw), "elf": ("x", keys.elf(1))})
    assert answer["images"][0]["has_elf"]
    assert answer["images"][0]["identity"] == good.identity.hex()
    assert answer["images"][0]["signers"]["release"] == [keys.key("release").public_key.key_id.hex()]


def test_upload_again_is_harmless_and_another_image_is_a_conflict(stocked: Server) -> None:
    stocked.publish(keys.image(1))
    answer = stocked.publish(keys.image(1, size=8192), 409)
    assert "build it under a new version" in answer["error_description"]
    assert len(stocked.api("GET", f"/products/{keys.PRODUCT}/firmware/1")["images"]) == 3


def test_huge_upload_is_413(server: Server) -> None:
    server.product()
    answer = server.api("POST", f"/products/{keys.PRODUCT}/firmware", 413, files={"file": ("x", bytes(0x6_0001))})
    assert answer["code"] == "too_large"


def test_body_beyond_any_upload_is_413_before_it_is_read(server: Server) -> None:
    server.product()
    pieces = (bytes(1 << 20) for _ in range(64))
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = server.client.post(
        f"/v1/products/{keys.PRODUCT}/firmware",
        content=pieces,
        headers={**headers, "authorization": f"Bearer {server.token}"},
    )
    assert answer.status_code in (400, 413)


def test_binary_comes_back_as_it_was_uploaded(stocked: Server) -> None:
    path = f"/v1/products/{keys.PRODUCT}/firmware/2/binary?platform_id={keys.P1}"
    response = stocked.client.get(path, headers={"authorization": f"Bearer {stocked.token}"})
    assert response.content == keys.image(2, keys.P1).raw


def test_devices_are_imported_listed_and_changed(server: Server) -> None:
    server.product(auto_approve=False)
    for version in (1, 2):
        server.publish(keys.image(version))
    server.services.jobs.patcher.work_off()
    path = f"/products/{keys.PRODUCT}/devices"
    with_key, without = server.device(1), server.device(2)
    lines = f"{with_key.device_id.hex()} {with_key.key.public_key.raw.hex()}\n{without.device_id.hex()}\nnonsense\n"
    answer = server.api("POST", path, files={"file": ("file", lines.encode())})
    assert (answer["updated"], answer["invalidDeviceIds"]) == (2, ["nonsense"])
    assert not with_key.check_in().is_quarantined
    assert without.check_in().is_quarantined, "its key is new"
    assert server.api("POST", path, json={"id": without.device_id.hex()})["updated"] == 1
    assert not without.check_in().is_quarantined
    assert server.api("POST", path, json={"ids": [without.device_id.hex()]})["existingDeviceIds"]

    listed = server.api("GET", path, params={"per_page": 1})
    assert len(listed["devices"]) == 1
    assert listed["meta"]["total_pages"] == 2
    assert listed["devices"][0]["online"]
    one = f"{path}/{with_key.device_id.hex()}"
    server.api("PUT", one, json={"desired_firmware_version": 2, "name": "Kitchen"})
    for _ in range(2):
        with_key.update()
        server.services.jobs.patcher.work_off()
    assert server.seen(with_key)["firmware_version"] == 2
    server.api("PUT", one, json={"desired_firmware_version": 1})
    for _ in range(2):
        with_key.update()
        server.services.jobs.patcher.work_off()
    assert server.seen(with_key)["firmware_version"] == 1, "a lock goes back"
    server.api("PUT", one, json={"desired_firmware_version": None, "development": True})
    assert server.seen(with_key)["explanation"].startswith("A development device")


def test_device_goes_offline_after_two_and_a_half_of_its_intervals(stocked: Server) -> None:
    device = stocked.device()
    device.check_in()
    device.check_in()
    interval_s = device.interval_s
    assert 270 <= interval_s <= 330, "spread around the product's 300 s"
    stocked.clock.advance_s(2.4 * interval_s)
    assert stocked.seen(device)["online"]
    stocked.clock.advance_s(0.2 * interval_s)
    assert not stocked.seen(device)["online"]


def test_routine_check_in_of_a_settled_device_is_answered_with_nothing(stocked: Server) -> None:
    device = stocked.device()
    for _ in range(3):
        answer = device.check_in()
    assert answer.to_bytes() == b"\xa0"


def test_every_change_is_in_the_audit_log(stocked: Server) -> None:
    rollout = stocked.rollout(2)
    stocked.api("POST", f"/products/{keys.PRODUCT}/rollouts/{rollout}/pause")
    actions = [(line["action"], line["by"]) for line in stocked.api("GET", "/orgs/warm-rooms/audit")["audit"]]
    assert actions[:3] == [
        ("rollout.pause", "ana@example.com"),
        ("rollout.start", "ana@example.com"),
        ("rollout.create", "ana@example.com"),
    ]


def test_draft_cannot_be_paused_and_aborted_one_not_resumed(stocked: Server) -> None:
    rollout = stocked.rollout(2, start=False)
    path = f"/products/{keys.PRODUCT}/rollouts/{rollout}"
    assert "is draft and cannot become paused" in stocked.api("POST", f"{path}/pause", 409)["error_description"]
    assert "start it" in stocked.api("POST", f"{path}/resume", 409)["error_description"]
    stocked.api("POST", f"{path}/abort")
    assert "cannot become running" in stocked.api("POST", f"{path}/resume", 409)["error_description"]


def test_held_check_in_is_answered_when_there_is_something_to_say(stocked: Server) -> None:
    device = stocked.device()
    for _ in range(3):
        device.check_in()
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(device.check_in(hold_s=25)))
    waiting.start()
    stocked.rollout(2)
    waiting.join(60)
    # The patch may be ready by then, or the device is asked to come back for it.
    assert answers[0].offer is not None or answers[0].next_s == 5
