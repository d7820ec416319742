# SPDX-License-Identifier: Apache-2.0
"""Particle's own SDK calls functions, reads variables, publishes, listens and makes webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ota_server.clock import SystemClock
from ota_server.organizations.service import add_administrator
from ota_server.products.service import NewProduct, create
from tests.foreign.lamp import living_lamp
from tests.foreign.packages import installed
from tests.foreign.sdk import SOURCES, ParticleSdk
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, ORGANIZATION, listen_app, make_settings

PRODUCT = "thermostat"


@dataclass(frozen=True)
class World:
    """The SDK with a token, and a server with one product whose devices are trusted."""

    sdk: ParticleSdk
    token: str

    def calls(self, *calls: tuple[str, dict[str, Any]], expect: tuple[int, ...] = ()) -> list[Any]:
        answers = self.sdk.run(*calls, token=self.token)
        wanted = list(expect) or [200] * len(calls)
        assert [one["status"] for one in answers] == wanted, answers
        return [one["body"] for one in answers]

    def listen(self, stream: dict[str, Any], seconds: float, *publish: dict[str, Any]) -> Any:
        work = {"options": {"baseUrl": self.sdk.url, "token": self.token}}
        return self.sdk.script("stream.js", {**work, "stream": stream, "seconds": seconds, "publish": publish})


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cache = request.config.cache
    assert cache is not None
    folder = installed(SOURCES, cache.mkdir("node"), tmp_path_factory.mktemp("particle_api"))
    with listen_app(make_settings(tmp_path_factory.mktemp("server") / "server"), SystemClock()) as (services, url):
        token = services.database.write(lambda c: add_administrator(c, EMAIL, "-", ORGANIZATION, 0))
        product = NewProduct(keys.PRODUCT, "Thermostat", auto_approve=True)
        services.database.write(lambda c: create(c, 1, product, 0))
        yield World(ParticleSdk(folder, url), token)


def test_functions_are_called_and_variables_read(world: World) -> None:
    with living_lamp(world.sdk.url) as device:
        of = {"deviceId": device.device_id.hex(), "product": PRODUCT}
        own = {"deviceId": device.device_id.hex()}
        called, read, again, missing, unknown = world.calls(
            ("callFunction", {**of, "name": "set", "argument": "four"}),
            ("getVariable", {**of, "name": "level"}),
            ("callFunction", {**own, "name": "set", "argument": ""}),
            ("callFunction", {**of, "name": "nothing", "argument": ""}),
            ("getVariable", {**own, "name": "nothing"}),
            expect=(200, 200, 200, 404, 404),
        )
    assert (called["return_value"], called["connected"]) == (4, True)
    assert (read["name"], read["result"]) == ("level", 0.5)
    assert read["coreInfo"]["deviceID"] == device.device_id.hex()
    assert again["return_value"] == 0
    assert missing["code"] == unknown["code"] == "not_found"


def test_device_is_told_to_show_itself(world: World) -> None:
    with living_lamp(world.sdk.url) as device:
        own = {"deviceId": device.device_id.hex()}
        on, off = world.calls(
            ("signalDevice", {**own, "signal": True, "product": PRODUCT}), ("signalDevice", {**own, "signal": False})
        )
    assert on == {"id": device.device_id.hex(), "connected": True, "signaling": True}
    assert off["signaling"] is False


@pytest.mark.parametrize("stream", [{"product": PRODUCT}, {"product": PRODUCT, "name": "temp"}, {"deviceId": "mine"}])
def test_published_events_are_heard(world: World, stream: dict[str, Any]) -> None:
    event = {"name": "temperature", "data": "21.5", "product": PRODUCT, "isPrivate": True}
    heard = world.listen(stream, 0.1, event)
    [one] = heard["events"]
    assert (one["name"], one["data"], one["coreid"], one["ttl"]) == ("temperature", "21.5", "api", 60)
    assert heard["reconnects"] == 0


@pytest.mark.parametrize("seconds", [20, pytest.param(65, marks=pytest.mark.full)])
def test_stream_lives_longer_than_the_sdk_bears_silence(world: World, seconds: int) -> None:
    """The SDK gives up a stream that is silent for 15 s."""
    heard = world.listen({"product": PRODUCT}, seconds, {"name": "late", "data": "", "product": PRODUCT})
    assert heard["elapsed"] > seconds - 5
    assert heard["reconnects"] == 0, "something came at least every 15 s"
    assert [one["name"] for one in heard["events"]] == ["late"]


@pytest.mark.parametrize("scope", [{}, {"product": PRODUCT}])
def test_webhooks_are_made_listed_and_removed(world: World, scope: dict[str, Any]) -> None:
    hook = {
        "method": "POST",
        "headers": {"x-room": "{{PARTICLE_DEVICE_ID}}"},
        "json": {"celsius": "{{{PARTICLE_EVENT_VALUE}}}"},
        "responseEvent": "advice",
    }
    wanted = {**scope, "event": "temperature", "url": "https://example.com/in", "noDefaults": True, "hook": hook}
    [made] = world.calls(("createWebhook", {**wanted, "rejectUnauthorized": True}))
    assert (made["ok"], made["event"], made["hookUrl"]) == (True, "temperature", "https://example.com/in")
    listed, removed, after = world.calls(
        ("listWebhooks", scope), ("deleteWebhook", {**scope, "hookId": made["id"]}), ("listWebhooks", scope)
    )
    assert [(one["id"], one["url"], one["responseTopic"]) for one in listed] == [
        (made["id"], "https://example.com/in", "advice")
    ]
    assert removed == {"ok": True}
    assert after == []
