# SPDX-License-Identifier: Apache-2.0
"""The list of devices: filters in the address, cohorts and tables made of them, and changes to many devices."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Callable
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ota_server.dashboard import selection
from ota_server.devices import finding, walk
from ota_server.errors import Invalid
from ota_server.figures import standing
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in

LIST = f"{HOME}/devices"
PRODUCT = f"/products/{keys.PRODUCT}"
QUARANTINED, HEARD = (hashlib.sha256(f"device {number}".encode()).hexdigest()[:24] for number in (1, 2))
EXPECTED = 24 * "e"


@pytest.fixture
def fleet(server: Server) -> Server:
    """One device that was heard and is in a group, one that waits for approval, and one that is expected."""
    server.product(auto_approve=False)
    for number in (1, 2):
        server.publish(keys.image(number))
    server.api("POST", f"{PRODUCT}/devices", json={"ids": [HEARD, EXPECTED]})
    for number in (1, 2):
        server.device(number).check_in()
    server.api("POST", f"{PRODUCT}/devices/{HEARD}/approve")
    facts = {"name": "Küche & Co", "groups": ["beta"], "tags": ["indoor"], "country": "DE"}
    server.api("PUT", f"{PRODUCT}/devices/{HEARD}", json=facts)
    return server


def ids(page: str) -> list[str]:
    return re.findall(r'data-label="Device"><a href="[^"]*/([0-9a-f]{24})"', page)


def change_form(page: str) -> tuple[dict[str, str], str]:
    """The fields of the form on a page that changes devices, and the words of its button."""
    form = re.search(r'<form method="post" action="[^"]*/change".*?</form>', page, re.DOTALL)
    assert form is not None
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', form.group())
    button = re.search(r"<button[^>]*>([^<]*)<", form.group())
    assert button is not None
    return dict(fields), unescape(button.group(1))


def change(client: TestClient, **query: str) -> str:
    """Looks at what a change would do, and does it."""
    fields, _ = change_form(client.get(f"{LIST}/change", params=query).text)
    return client.post(f"{LIST}/change", data=fields).text


@pytest.mark.both_databases
def test_list_shows_what_its_address_says(fleet: Server) -> None:
    client = sign_in(fleet)
    everything = [HEARD, QUARANTINED, EXPECTED]
    for query, found in {
        "": everything,
        "text=2CC512": [QUARANTINED],
        "text=che %26 c": [HEARD],
        "state=online": [HEARD],
        "state=offline": [],
        "state=quarantined": [QUARANTINED],
        "state=locked": [],
        "state=development": [],
        "platform=photon": [HEARD, QUARANTINED],
        "version=1": [HEARD, QUARANTINED],
        "group=beta&tag=indoor&country=de": [HEARD],
        "group=none": [],
        "heard_after=2027-01-15": [HEARD, QUARANTINED],
        "heard_before=2027-01-15": [],
        "sort=-id": everything[::-1],
        "sort=-heard": [QUARANTINED, HEARD, EXPECTED],
    }.items():
        page = client.get(f"{LIST}?{query}").text
        assert sorted(ids(page)) == sorted(found), query
        if query.startswith("sort=-id"):
            assert ids(page) == found
        assert f"<h1>{len(found)} device" in page, query
    fleet.clock.advance_s(3600)
    assert ids(client.get(f"{LIST}?state=offline").text) == [HEARD]


FILTERS = (
    "",
    "text=2CC512",
    "text=che %26 c",
    "state=online",
    "state=offline",
    "state=quarantined",
    "state=locked",
    "state=development",
    "platform=photon",
    "version=1&state=quarantined",
    "group=beta&tag=indoor&country=de",
    "tag=indoor",
    "country=de",
    "heard_after=2027-01-15",
)


def pieces(number: int) -> Callable[[], bool]:
    """Enough after so many."""
    left = iter(range(number))
    return lambda: next(left, 0) >= number - 1


@pytest.mark.both_databases
def test_looking_on_finds_each_device_once(fleet: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked, and however little is looked at for one page."""
    fleet.api("PUT", f"{PRODUCT}/devices/{HEARD}", json={"development": True})
    client = sign_in(fleet)
    expected = {query: sorted(ids(client.get(f"{LIST}?{query}").text)) for query in FILTERS}
    assert expected["tag=indoor"] == [HEARD]
    monkeypatch.setattr(finding, "SMALL_MAX", 1)
    monkeypatch.setattr(walk, "PIECE", 1)
    for number in (1, 2, 9):
        monkeypatch.setattr(walk, "for_seconds", lambda *_, number=number: pieces(number))
        for query in FILTERS:
            found, page = [], client.get(f"{LIST}?{query}").text
            while True:
                found += ids(page)
                on = re.search(r'href="([^"]*after=[^"]*)">Look on', page)
                if on is None:
                    break
                page = client.get(unescape(on.group(1))).text
            assert sorted(found) == expected[query], query


def test_part_of_a_look_is_changed_and_no_device_behind_it(fleet: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in(fleet)
    monkeypatch.setattr(finding, "SMALL_MAX", 1)
    monkeypatch.setattr(walk, "PIECE", 2)
    monkeypatch.setattr(walk, "for_seconds", lambda *_: pieces(1))
    page = client.get(f"{LIST}?platform=photon").text
    assert "2 were looked at" in page
    until = re.search(r'name="until" value="(\d+)"', page)
    assert until is not None
    query = {"of": "found", "platform": "photon", "verb": "deny"}
    asked = client.get(f"{LIST}/change", params={**query, "after": "0", "until": until.group(1)})
    assert "Deny 1 device" in asked.text
    refused = client.get(f"{LIST}/change", params=query)
    assert refused.status_code == 400
    assert "2 devices were looked at, and there are more" in refused.text


def test_lists_of_many_devices_count_no_farther_than_pages_go(fleet: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in(fleet)
    fleet.services.jobs.collector.work_off()
    monkeypatch.setattr(finding, "SMALL_MAX", 1)
    monkeypatch.setattr(finding, "COUNT_MAX", 1)
    monkeypatch.setattr(standing, "AT_ONCE_MAX", 1)
    assert "<h1>3 devices" in client.get(LIST).text
    assert "Devices were counted" in client.get(LIST).text
    assert "<h1>2 devices found" in client.get(f"{LIST}?version=1").text
    assert "<h1>1 device found" in client.get(f"{LIST}?state=online").text


def test_row_of_an_address_that_is_no_number_is_refused(fleet: Server) -> None:
    assert sign_in(fleet).get(f"{LIST}?after=x").status_code == 400


def test_filters_are_chips_that_can_be_taken_away(fleet: Server) -> None:
    client = sign_in(fleet)
    page = client.get(f"{LIST}?text=%3Cb%3E&state=online").text
    assert "“&lt;b&gt;” in id or name" in page
    assert f'href="{LIST}?state=online"' in page
    assert f'href="{LIST}?text=%3Cb%3E"' in page
    assert "No device is like this" in page


def test_form_leads_to_an_address_without_its_empty_fields(fleet: Server) -> None:
    client = sign_in(fleet)
    query = "?text=&state=online&platform=&column=version&column=customer&sort=id"
    response = client.get(LIST + query, follow_redirects=False)
    assert response.headers["location"] == f"{LIST}?state=online&column=version&column=customer"


def test_filter_that_cannot_be_is_shown_again_with_what_is_wrong(fleet: Server) -> None:
    client = sign_in(fleet)
    wrong = "state=asleep platform=core version=x version=99999 sort=owner heard_after=yesterday country=1 cohort=none"
    for query in (*wrong.split(), "customer=nobody%40example.com"):
        page = client.get(f"{LIST}?{query}")
        assert page.status_code == 400, query
        assert 'class="error" role="alert">Not filtered:' in page.text
        assert '<form class="filters"' in page.text


def test_all_columns_are_shown_on_demand(fleet: Server) -> None:
    fleet.api("PUT", f"{PRODUCT}/devices/{HEARD}", json={"serial_number": "S-1", "desired_firmware_version": 2})
    names = ("groups", "tags", "country", "customer", "serial", "revision", "locked", "state")
    page = sign_in(fleet).get(LIST, params={"column": names}).text
    for cell in ("beta", "indoor", "DE", "S-1", "1", "2", "–"):
        assert f">{cell}<" in page
    assert 'data-label="Last heard"' not in page


def test_table_has_what_the_list_finds(fleet: Server) -> None:
    response = sign_in(fleet).get(f"{LIST}.csv?state=quarantined")
    assert response.headers["content-disposition"] == 'attachment; filename="devices-thermostat.csv"'
    (row,) = csv.DictReader(response.text.splitlines())
    assert (row["id"], row["status"]) == (QUARANTINED, "quarantined")


def test_filter_is_saved_as_a_cohort(fleet: Server) -> None:
    client = sign_in(fleet)
    query = "?group=beta&version=1&country=de"
    token = form_token(client.get(LIST + query).text)
    made = client.post(f"{LIST}/cohorts{query}", data={"form_token": token, "name": "german-beta"})
    assert ids(made.text) == [HEARD]
    assert "cohort german-beta" in made.text
    (saved,) = fleet.api("GET", f"{PRODUCT}/cohorts")["cohorts"]
    parts = saved["cohort"]["and"]
    assert parts == [{"group": "beta"}, {"field": "version", "is": 1}, {"field": "country", "is": "DE"}]
    again = client.post(f"{LIST}/cohorts{query}", data={"form_token": token, "name": "german-beta"})
    assert again.status_code == 400
    assert 'id="cohort-error">there is a cohort german-beta already' in again.text
    assert 'value="german-beta"' in again.text


def test_what_no_cohort_asks_for_is_saved_as_a_list_of_devices(fleet: Server) -> None:
    client = sign_in(fleet)
    page = client.get(f"{LIST}?state=online").text
    assert "Nothing that devices tell says “online”: it lists the devices" in page
    client.post(f"{LIST}/cohorts?state=online", data={"form_token": form_token(page), "name": "now"})
    assert fleet.api("GET", f"{PRODUCT}/cohorts/now")["cohort"]["cohort"] == {"devices": [HEARD]}
    empty = client.post(f"{LIST}/cohorts?state=offline", data={"form_token": form_token(page), "name": "none"})
    assert empty.status_code == 400


def test_change_says_what_it_would_do_and_is_taken_back(fleet: Server) -> None:
    client = sign_in(fleet)
    page = client.get(f"{LIST}/change?of=found&verb=lock&to_version=2").text
    fields, button = change_form(page)
    assert button == "Lock 2 devices to version 2"
    assert "1 of the 3 chosen stays as it is: locked to a version already, or not trusted." in page
    assert HEARD in page
    assert QUARANTINED not in page
    done = client.post(f"{LIST}/change", data=fields).text
    assert "<h1>2 devices locked to version 2</h1>" in done
    assert ids(client.get(f"{LIST}?state=locked").text) == [HEARD, EXPECTED]
    undo, button = change_form(done)
    assert button == "Undo: Unlock 2 devices"
    assert "0 devices locked" in client.post(f"{LIST}/change", data=fields).text
    back = client.post(f"{LIST}/change", data=undo).text
    assert "<h1>2 devices unlocked</h1>" in back
    assert ids(client.get(f"{LIST}?state=locked").text) == []
    assert change_form(back)[1] == "Undo: Lock 2 devices to version 2"
    lines = fleet.api("GET", "/orgs/warm-rooms/audit")["audit"]
    assert [line["action"] for line in lines[:3]] == ["device.unlock", "device.lock", "device.lock"]


def test_each_change_has_its_inverse_or_says_what_takes_it_back(fleet: Server) -> None:
    client = sign_in(fleet)
    row = fleet.services.database.write(lambda c: c.exec_driver_sql("SELECT MIN(id) FROM devices").scalar_one())
    for query, button in {
        "verb=join&to_group=new": "Take 1 device out of group new",
        "verb=leave&to_group=new": "Add 1 device to group new",
        "verb=develop": "End the development of 1 device: they keep to the product's plan",
        "verb=end-development": "Mark 1 device for development: they get only what is flashed",
    }.items():
        done = change(client, row=str(row), **dict(part.split("=") for part in query.split("&")))
        assert change_form(done)[1] == f"Undo: {button}"
    assert "1 device approved" in change(client, of="found", state="quarantined", verb="approve")
    assert fleet.api("GET", f"{PRODUCT}/devices/{QUARANTINED}")["status"] == "active"
    assert "Import them again" in change(client, row=str(row), verb="remove")
    assert "1 device denied" in change(client, of="found", text=QUARANTINED, verb="deny")
    assert fleet.api("GET", f"{PRODUCT}/devices?status=denied")["meta"]["total_records"] == 1
    assert [device["id"] for device in fleet.api("GET", f"{PRODUCT}/devices")["devices"]] == [QUARANTINED, EXPECTED]


def test_key_that_claims_the_id_of_another_is_not_approved_among_many(fleet: Server) -> None:
    fleet.device(2, key=keys.key("another")).check_in()
    page = sign_in(fleet).get(f"{LIST}/change?of=found&state=quarantined&verb=approve").text
    assert change_form(page)[1].startswith("Approve 1 device:")
    assert "several keys claim the id" in page


def test_change_that_cannot_be_is_asked_again(fleet: Server) -> None:
    client = sign_in(fleet)
    for query, said in {
        "of=ticked&verb=deny": "no device is chosen",
        "row=1&verb=lock": "say which version",
        "row=1&verb=lock&to_version=9": "has no release 9",
        "row=1&verb=join&to_group=A%20B": "a group&#39;s name has",
        "row=1&verb=sell": "choose what to do",
        "row=x&verb=deny": "a row is a number",
        "of=found&state=asleep&verb=deny": "state is one of",
    }.items():
        page = client.get(f"{LIST}/change?{query}")
        assert page.status_code == 400, query
        assert said in page.text
        assert "Show what it would do" in page.text


def test_rows_of_another_product_are_not_changed(fleet: Server) -> None:
    fleet.api("POST", "/products", 201, json={"product": {"id": 7, "name": "Seven"}})
    fleet.api("POST", "/products/7/devices", json={"id": "f" * 24})
    client = sign_in(fleet)
    token = form_token(client.get(LIST).text)
    data = {"form_token": token, "verb": "deny", "devices": selection.pack(range(1, 100))}
    assert "3 devices denied" in client.post(f"{LIST}/change", data=data).text
    assert fleet.api("GET", "/products/7/devices")["devices"][0]["status"] == "expected"


@given(st.lists(st.integers(1, 2**50), max_size=50, unique=True))
def test_selection_survives_its_form(rows: list[int]) -> None:
    assert selection.unpack(selection.pack(rows), 50) == sorted(rows)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_hostile_selection_is_refused_or_rows(text: str) -> None:
    try:
        rows = selection.unpack(text, 100)
    except Invalid:
        return
    assert len(rows) <= 100
    assert all(0 <= row < 2**60 for row in rows)


def test_ten_thousand_devices_fit_into_a_form() -> None:
    packed = selection.pack(range(1, 10_000_000, 1000))
    assert len(packed) < 48 * 1024
    assert len(selection.unpack(packed, 10_000)) == 10_000
    with pytest.raises(Invalid):
        selection.unpack(packed, 9_000)
