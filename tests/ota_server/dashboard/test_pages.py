# SPDX-License-Identifier: Apache-2.0
"""The pages without a browser: signing in, forms, and that nothing of a device's words becomes markup."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from muster.protocol import OutcomeType
from tests.ota_server.conftest import EMAIL, PASSWORD, Server
from tests.ota_server.customers.conftest import App, make_client, make_customer
from tests.ota_server.organizations.test_api_users import holding

HOME = "/products/thermostat"


def sign_in(server: Server, password: str = PASSWORD, email: str = EMAIL, **fields: str) -> TestClient:
    """Signs the server's client in; cookies stay with it."""
    server.client.post("/sign-in", data={"email": email, "password": password, **fields})
    return server.client


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{32})"', page)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("path", ["/", HOME, f"{HOME}/devices", f"{HOME}/live/overview", f"{HOME}/rollouts/1"])
def test_pages_ask_who_you_are_and_come_back(stocked: Server, path: str) -> None:
    response = stocked.client.get(path, follow_redirects=False)
    assert response.status_code == 303
    assert response.headers["location"] == f"/sign-in?next={path}"
    back = stocked.client.post(
        "/sign-in", data={"email": EMAIL, "password": PASSWORD, "next": path}, follow_redirects=False
    )
    assert back.headers["location"] == path


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil"])
def test_signing_in_goes_to_no_other_site(server: Server, path: str) -> None:
    data = {"email": EMAIL, "password": PASSWORD, "next": path}
    assert server.client.post("/sign-in", data=data, follow_redirects=False).headers["location"] == "/"


def test_wrong_passwords_are_refused_and_then_slowed_down(server: Server) -> None:
    for _ in range(10):
        assert server.client.post("/sign-in", data={"email": EMAIL, "password": "wrong one"}).status_code == 401
    answer = server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 429
    server.clock.advance_s(301)
    assert server.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}).status_code == 200


def test_cookie_and_headers_keep_other_sites_out(stocked: Server) -> None:
    response = stocked.client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}, follow_redirects=False)
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = stocked.client.get(HOME)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=", page.text)


def test_sign_in_lasts_twelve_hours_and_signing_out_ends_it(stocked: Server) -> None:
    client = sign_in(stocked)
    token = form_token(client.get(HOME).text)
    assert client.post("/sign-out", data={"form_token": "0" * 32}).status_code == 403
    client.post("/sign-out", data={"form_token": token})
    assert client.get(HOME, follow_redirects=False).status_code == 303
    sign_in(stocked)
    stocked.clock.advance_s(12 * 3600)
    assert client.get(HOME, follow_redirects=False).status_code == 303


def test_overview_answers_its_questions(stocked: Server) -> None:
    devices = [stocked.device(number) for number in range(3)]
    for device in devices:
        device.check_in()
    stocked.rollout(2, {"percent": 100, "gate": {"min_confirmed": 3, "max_failures": 0}})
    devices[0].update()
    devices[1].check_in()
    devices[1].fetch()
    devices[1].boot_staged()
    devices[1].revert(1)
    devices[1].check_in()
    page = sign_in(stocked).get(HOME).text
    assert "of 3 trusted devices" in page
    assert "Paused in stage 1: 1 of 2 devices failed" in page
    for state, count in (("confirmed", 1), ("reverted", 1), ("waiting", 1), ("failed", 0)):
        assert f'<b data-count="{state}">{count}</b>' in page


def test_stage_that_waits_for_approval_is_approved_on_its_page(stocked: Server) -> None:
    gate = {"approval": {"role": "administrator"}}
    rollout = stocked.rollout(
        2, {"cohort": {"field": "platform", "is": "photon"}, "gate": gate}, {"gate": {"min_confirmed": 9}}
    )
    client, page = sign_in(stocked), f"{HOME}/rollouts/{rollout}"
    assert "Approve stage" not in client.get(page).text
    stocked.device().update()
    shown = client.get(page).text
    assert "waits for approval by 1 person (administrator)" in shown
    assert "Approve stage 1" in shown
    client.post(f"{page}/approve", data={"form_token": form_token(shown)})
    assert stocked.show(rollout)["rollout"]["stage"] == 2


def test_device_page_tells_its_history_and_why(stocked: Server) -> None:
    device = stocked.device()
    device.log("<script>alert(1)</script>")
    device.check_in()
    rollout = stocked.rollout(2)
    device.check_in()
    device.fetch()
    device.boot_staged()
    device.revert(5, OutcomeType.INTERRUPTED)
    device.check_in()
    page = sign_in(stocked).get(f"{HOME}/devices/{device.device_id.hex()}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "Attempt 1 was interrupted: three trials ended by loss of power." in page
    page = stocked.client.get(f"{HOME}/devices/{device.device_id.hex()}/explain").text
    rules = re.findall(r'data-label="Rule">([^<]*)<', page)
    assert rules[:3] + rules[-1:] == ["held back", "development", "lock", "nothing"]
    assert f"rollout {rollout}" in rules
    assert "Mark it for development." in page
    rollout_page = stocked.client.get(f"{HOME}/rollouts/{rollout}").text
    assert "100 % of all devices" in rollout_page
    assert "three trials ended by loss of power" in rollout_page
    found = re.search(r'href="([^"]*/devices\?reason=interrupted\.5)"', rollout_page)
    assert found is not None
    assert device.device_id.hex() in stocked.client.get(found.group(1)).text


def test_pause_is_a_plain_form_that_needs_its_token(stocked: Server) -> None:
    rollout = stocked.rollout(2)
    path = f"{HOME}/rollouts/{rollout}"
    client = sign_in(stocked)
    token = form_token(client.get(path).text)
    assert client.post(f"{path}/pause", data={}).status_code == 403
    evil = {"origin": "https://evil.example"}
    assert client.post(f"{path}/pause", data={"form_token": token}, headers=evil).status_code == 403
    assert stocked.show(rollout)["rollout"]["status"] == "running"
    page = client.post(f"{path}/pause", data={"form_token": token})
    assert page.status_code == 200
    assert "Paused by ana@example.com" in page.text
    assert client.post(f"{path}/pause", data={"form_token": token}).status_code == 409
    page = client.post(f"{path}/resume?from=overview", data={"form_token": token})
    assert page.url.path == HOME


def test_key_is_approved_on_the_device_page(server: Server) -> None:
    server.product(auto_approve=False)
    device = server.device()
    device.check_in()
    path = f"{HOME}/devices/{device.device_id.hex()}"
    client = sign_in(server)
    page = client.get(path).text
    found = re.search(r'name="fingerprint" value="([0-9a-f]{64})"', page)
    assert found is not None
    assert "A device not known before" in client.get(HOME).text
    client.post(f"{path}/approve", data={"form_token": form_token(page), "fingerprint": found.group(1)})
    assert server.seen(device)["status"] == "active"


def test_every_page_has_something_to_say_when_it_is_empty(server: Server) -> None:
    client = sign_in(server)
    assert "muster publish" in client.get("/").text
    server.product()
    for path in (HOME, f"{HOME}/devices", f"{HOME}/releases", f"{HOME}/rollouts"):
        page = client.get(path)
        assert page.status_code == 200
        assert 'class="empty"' in page.text


@pytest.mark.parametrize(
    "path",
    [
        f"{HOME}/rollouts/99",
        f"{HOME}/devices/zz",
        "/products/none",
        f"{HOME}/live/nothing",
        f"{HOME}/live/rollout/x",
        "/organizations/warm-rooms/live/nothing",
        "/organizations/none/live/overview",
    ],
)
def test_unknown_pages_are_404(stocked: Server, path: str) -> None:
    assert sign_in(stocked).get(path).status_code == 404


def test_styles_are_small_and_kept_by_browsers_while_their_address_stands(server: Server) -> None:
    page = server.client.get("/sign-in")
    assert "content-encoding" not in page.headers
    assert page.headers["cache-control"] == "no-store"
    found = re.search(r'href="(/static/muster.css\?v=[0-9a-f]{12})"', page.text)
    assert found is not None
    kept = server.client.get(found[1])
    assert kept.headers["content-encoding"] == "gzip"
    assert "immutable" in kept.headers["cache-control"]
    other = server.client.get("/static/muster.css?v=0")
    assert other.headers["cache-control"] == "no-cache"
    again = server.client.get("/static/muster.css", headers={"if-none-match": other.headers["etag"]})
    assert again.status_code == 304


def test_huge_form_is_413(server: Server) -> None:
    assert server.client.post("/sign-in", data={"email": "x" * 70_000}).status_code == 413


def test_customers_are_listed_found_and_paged_with_their_devices(stocked: Server) -> None:
    client = sign_in(stocked)
    page = client.get(f"{HOME}/customers").text
    assert "0 customers" in page
    assert "No customers yet" in page
    backend = App(stocked, make_client(stocked))
    for number in range(51):
        backend.sign_up(email=f"c{number:02}@example.com", no_password="true")
    cara = make_customer(stocked, "Cara&Co@example.com")
    device = stocked.device()
    device.check_in()
    stocked.api("PUT", "/products/thermostat", json={"product": {"claiming": "id"}})
    with holding(stocked, cara):
        stocked.api("POST", "/devices", json={"id": device.device_id.hex()})
    page = client.get(f"{HOME}/customers").text
    assert "52 customers" in page
    assert "<b>1</b> active in the last 30 days" in page
    assert "page 1 of 2" in page
    assert client.get(f"{HOME}/customers?page=2").text.count('data-label="Customer"') == 2
    page = client.get(f"{HOME}/customers?search=CARA").text
    assert "1 customer with “CARA” in the address" in page
    assert "cara&amp;co@example.com" in page
    assert f'href="{HOME}/devices/{device.device_id.hex()}"' in page
    assert 'data-label="Devices">1<' in page
    assert 'data-label="Online">1<' in page
    for hostile in ("%", "_", "<script>"):
        assert "No customer" in client.get(f"{HOME}/customers", params={"search": hostile}).text
    assert client.get(f"{HOME}/customers?page=0").status_code == 400
