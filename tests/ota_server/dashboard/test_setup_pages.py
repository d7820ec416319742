# SPDX-License-Identifier: Apache-2.0
"""A new server is set up on a page, once, by who has the link."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ota_server.services import Services
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_app, make_settings

FIELDS = {
    "email": "Ana@example.com",
    "password": "a good password",
    "organization": "Warm Rooms",
    "name": "Thermostat",
    "id": str(keys.PRODUCT),
}


def test_server_is_set_up_once_and_shows_how_the_first_device_comes(tmp_path: Path) -> None:
    clock = HandClock()
    with TestClient(make_app(make_settings(tmp_path / "server"), clock), base_url="http://127.0.0.1") as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        token = services.first_run.token
        assert client.get("/set-up?token=0").status_code == 404
        assert client.post("/set-up", data={**FIELDS, "token": "0"}).status_code == 404
        assert "Nobody has an account here yet" in client.get(f"/set-up?token={token}").text
        again = client.post("/set-up", data={**FIELDS, "token": token, "id": "none"})
        assert again.status_code == 400
        assert "Ana@example.com" in again.text
        assert "a good password" not in again.text
        page = client.post("/set-up", data={**FIELDS, "token": token})
        assert page.url.path == "/products/thermostat"
        assert "./muster fleet simulate --devices 1" in page.text
        assert client.post("/set-up", data={**FIELDS, "token": token}).status_code == 404
        assert client.get(f"/set-up?token={token}").status_code == 404
        server = Server(tmp_path, clock, client, "")
        server.device(running=keys.image(1)).check_in()
        page = client.get("/products/thermostat")
        assert "of 1 trusted devices" in page.text
        assert "fleet simulate" not in page.text
        assert "server.set_up" in client.get("/organizations/warm-rooms/audit").text


@pytest.mark.parametrize("field", ["email", "password", "organization", "name"])
def test_set_up_with_a_field_missing_makes_nothing(tmp_path: Path, field: str) -> None:
    with TestClient(make_app(make_settings(tmp_path / "server"), HandClock()), base_url="http://127.0.0.1") as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        token = services.first_run.token
        assert client.post("/set-up", data={**FIELDS, "token": token, field: ""}).status_code == 400
        assert client.get(f"/set-up?token={token}").status_code == 200
