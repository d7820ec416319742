# SPDX-License-Identifier: Apache-2.0
"""The pages of customers: who is active, one of them, and commands for their sign-in that work as they stand."""

from __future__ import annotations

import re
import shlex
from html import unescape
from string import Template
from typing import Any

from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.customers.conftest import App, make_client, make_customer
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in
from tests.ota_server.organizations.test_api_users import holding

LIST = f"{HOME}/customers"
CARA = "cara&co@example.com"


def test_three_numbers_are_links_to_who_they_are(photons: Server) -> None:
    app = App(photons, make_client(photons))
    for email in ("never@example.com", "lapsed@example.com"):
        app.sign_up(email=email, no_password="true")
    photons.services.database.write(
        lambda c: c.exec_driver_sql("UPDATE customers SET active_ms = 1 WHERE email = 'lapsed@example.com'")
    )
    cara = make_customer(photons, CARA)
    with holding(photons, cara):
        photons.api("GET", "/devices")
    client = sign_in(photons)
    page = client.get(LIST).text
    for activity, email in (("active", "cara&amp;co"), ("lapsed", "lapsed"), ("never", "never")):
        assert re.search(rf'activity={activity}"><b>1</b>', page)
        found = client.get(f"{LIST}?activity={activity}").text
        assert found.count('data-label="Customer"') == 1
        assert f">{email}@example.com</a>" in found
    assert client.get(f"{LIST}?activity=sleepy").status_code == 400


def test_customer_has_a_page_and_is_removed_by_typing_the_address(photons: Server) -> None:
    cara = make_customer(photons, CARA)
    device = photons.device()
    device.check_in()
    photons.api("PUT", f"/products/{keys.PRODUCT}", json={"product": {"claiming": "id"}})
    with holding(photons, cara):
        photons.api("POST", "/devices", json={"id": device.device_id.hex()})
    client, path = sign_in(photons), f"{LIST}/cara%26co@example.com"
    page = client.get(path).text
    assert "<h1>cara&amp;co@example.com: 1 device, 1 online</h1>" in page
    assert f"{HOME}/devices?customer=cara%26co%40example.com" in page
    token = form_token(page)
    short = client.post(f"{path}/password", data={"form_token": token, "password": "x"})
    assert short.status_code == 400
    assert 'id="password-error"' in short.text
    photons.whoami(cara, 403)
    assert (
        client.post(f"{path}/password", data={"form_token": token, "password": "another good one"}).status_code == 200
    )
    photons.whoami(cara, 401)
    wrong = client.post(f"{path}/remove", data={"form_token": token, "typed": "cara@example.com"})
    assert wrong.status_code == 400
    assert "this is not the customer&#39;s address" in wrong.text
    client.post(f"{path}/remove", data={"form_token": token, "typed": CARA.upper()})
    assert client.get(path).status_code == 404
    assert photons.seen(device)["owner"] is None
    actions = [line["action"] for line in photons.api("GET", "/orgs/warm-rooms/audit")["audit"]]
    assert actions[:2] == ["customer.remove", "customer.password"]


def curl(server: Server, command: str, values: dict[str, str]) -> Any:
    """Does what the command would, as far as our commands go."""
    words = iter(shlex.split(Template(command).substitute(values))[1:])
    headers: dict[str, str] = {}
    method, url, user, data = "", "", None, []
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = next(words)
        elif word == "-u":
            user = tuple(next(words).split(":"))
        elif word == "-d":
            data.append(next(words))
        else:
            url = word
    if data and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    body = "&".join(data).replace(" ", "+").encode()
    raw = data[0].encode() if headers.get("Content-Type") == "application/json" else body
    method = method or ("POST" if data else "GET")
    answer = server.client.request(method, url, headers=headers, content=raw, auth=user)  # type: ignore[arg-type]
    assert answer.is_success, (command, answer.text)
    return answer.json()


def test_commands_for_each_way_to_sign_in_work_as_they_stand(photons: Server) -> None:
    client = sign_in(photons)
    page = client.get(f"{LIST}/sign-in").text
    values = {"TOKEN": photons.token}
    client.cookies.clear()
    done = []
    for section in ("simple", "two-legged", "login-with", "self-managed", "good-for"):
        text = re.search(rf'<section aria-labelledby="{section}">.*?</section>', page, re.DOTALL)
        assert text is not None
        for block in re.findall(r"<pre>(.*?)</pre>", text.group(), re.DOTALL):
            # A code comes from a browser: tests of OAuth trade one.
            commands = [line for line in unescape(block).splitlines() if line.startswith("curl ")]
            if not commands or "$CODE" in commands[0]:
                continue
            (command,) = commands
            answer = curl(photons, command, values)
            done.append(section)
            if "client" in answer:
                values |= {"CLIENT": answer["client"]["id"], "SECRET": answer["client"]["secret"]}
            if "created" in answer:
                values["API_TOKEN"] = answer["created"]["tokens"][0]["token"]
            if section in ("simple", "two-legged") and "access_token" in answer:
                values["CUSTOMER"] = answer["access_token"]
    assert done == 3 * ["simple"] + 3 * ["two-legged"] + ["login-with"] + 2 * ["self-managed"] + ["good-for"]
    assert "http://127.0.0.1/oauth/authorize?response_type=code&amp;client_id=$CLIENT" in page
