# SPDX-License-Identifier: Apache-2.0
"""Settings of organizations and products, branding and webhooks on pages."""

from __future__ import annotations

import re

from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in
from tests.ota_server.organizations.test_branding import png

BASE = "/organizations/warm-rooms"
HOOKS = f"{HOME}/webhooks"


def send(server: Server, path: str, **fields: str) -> tuple[int, str, str]:
    """Sends a form of the signed-in client: status, page, and the path where it ended."""
    token = form_token(server.client.get(BASE).text)
    response = server.client.post(path, data={"form_token": token, **fields})
    return response.status_code, response.text, response.url.path


def kept(page: str) -> dict[str, str]:
    """What the fields of the settings hold."""
    texts = dict(re.findall(r'<input id="settings-\w+" name="(\w+)" type="\w+" value="([^"]*)"', page))
    chosen = dict(re.findall(r'<select id="settings-\w+" name="(\w+)".*?value="([^"]*)" selected', page, re.DOTALL))
    return {**texts, **chosen, "description": ""}


def test_organization_is_made_and_renamed(server: Server) -> None:
    sign_in(server)
    assert send(server, "/new-organization", name="Cold Rooms")[2] == "/organizations/cold-rooms"
    status, page, _ = send(server, "/new-organization", name="Cold Rooms")
    assert status == 409
    assert 'value="Cold Rooms"' in page
    assert (
        "<h1>Settings of Cooler Rooms</h1>"
        in send(server, "/organizations/cold-rooms/settings", name="Cooler Rooms")[1]
    )
    assert send(server, "/organizations/cold-rooms/settings", name="")[0] == 400


def test_product_is_made_changed_and_removed_by_its_name(server: Server) -> None:
    client = sign_in(server)
    status, page, _ = send(server, f"{BASE}/new-product", name="Valve", id="none")
    assert status == 400
    assert "give a whole number" in page
    assert send(server, f"{BASE}/new-product", name="Valve", id="7", auto_approve="no")[2] == "/products/valve"
    fields = kept(client.get("/products/valve/settings").text)
    assert fields["claiming"] == "code"
    changed = {**fields, "quarantine_max": "5", "keep_logs_days": "30", "time_zone": "Europe/Madrid"}
    assert send(server, "/products/valve/settings", **changed)[0] == 200
    assert kept(client.get("/products/valve/settings").text) == changed
    [line] = server.api("GET", "/orgs/warm-rooms/audit?action=product.change")["audit"]
    assert line["detail"] == "dashboard: time_zone=Europe/Madrid, quarantine_max=5, keep_logs_days=30"
    status, page, _ = send(server, "/products/valve/settings", **{**changed, "patch_wait": "1001"})
    assert status == 400
    assert 'id="settings-patch_wait-about"><span class="error">' in page
    assert send(server, "/products/valve/settings/remove", typed="thermostat")[0] == 400
    assert send(server, "/products/valve/settings/remove", typed="valve")[2] == BASE


def test_product_with_devices_stays(stocked: Server) -> None:
    sign_in(stocked)
    status, page, _ = send(stocked, f"{HOME}/settings/remove", typed="thermostat")
    assert status == 409
    assert "what devices may run is not forgotten" in page


def test_brand_is_looked_at_before_it_is_saved(server: Server) -> None:
    client = sign_in(server)
    fields = {"name": "Cosy <Rooms>", "support_email": "", "color": "#8a1c5b", "background": "#FFFFFF"}
    page = send(server, f"{BASE}/branding", answer="preview", **fields)[1]
    assert "/brand/previews/8a1c5b-ffffff.css" in page
    assert "Cosy &lt;Rooms&gt;" in page
    assert server.api("GET", "/orgs/warm-rooms/branding")["branding"]["name"] == "Warm Rooms"
    assert client.get("/brand/previews/8a1c5b-ffffff.css").text.startswith(".preview {")
    assert client.get("/brand/previews/ffffff-ffffff.css").status_code == 400
    status, page, _ = send(server, f"{BASE}/branding", answer="save", **{**fields, "color": "#eeeeee"})
    assert status == 400
    assert "cannot be read on this background" in page
    send(server, f"{BASE}/branding", answer="save", **fields)
    assert server.api("GET", "/orgs/warm-rooms/branding")["branding"]["color"] == "#8a1c5b"


def test_logo_is_uploaded_and_taken_away(server: Server) -> None:
    client = sign_in(server)
    token = form_token(client.get(BASE).text)

    def upload(raw: bytes, **fields: str) -> int:
        files = {"file": ("logo.png", raw)}
        sent = client.post(f"{BASE}/branding/logo", data={"form_token": token, **fields}, files=files)
        return sent.status_code

    assert upload(b"no picture") == 400
    assert upload(b"x" * 300_000) == 400
    assert upload(b"x" * 400_000) == 413
    assert upload(png(2, 2)) == 200
    assert server.api("GET", "/orgs/warm-rooms/branding")["branding"]["logo"]
    assert upload(b"", answer="remove") == 200
    assert not server.api("GET", "/orgs/warm-rooms/branding")["branding"]["logo"]


def test_webhook_is_made_tried_and_removed(server: Server) -> None:
    server.product()
    client = sign_in(server)
    fields = {"event": "temperature", "url": "http://127.0.0.1:9/", "requestType": "POST"}
    status, page, _ = send(server, HOOKS, **fields, json="[1]")
    assert status == 400
    assert 'id="webhook-json-about"><span class="error">a JSON object' in page
    page = send(server, HOOKS, **fields, json='{"value": "{{PARTICLE_EVENT_VALUE}}"}')[1]
    assert re.search(r'<code class="secret">[0-9a-f]{48}</code>', page)
    assert 'class="secret"' not in client.get(f"{HOOKS}/1").text
    assert send(server, f"{HOOKS}/1/test")[2] == f"{HOOKS}/1"
    assert 'data-label="Data">test<' in client.get(f"{HOOKS}/1").text
    assert "Remove the webhook for" in client.get(f"{HOOKS}/1/remove").text
    assert send(server, f"{HOOKS}/1/delete")[2] == HOOKS
    assert "No webhooks yet" in client.get(HOOKS).text
    assert send(server, f"{HOOKS}/1/explode")[0] == 404
