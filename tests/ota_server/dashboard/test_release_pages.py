# SPDX-License-Identifier: Apache-2.0
"""The pages of releases: what stands there, their files, and how a version is killed or becomes the default."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from ota_server.devices import store
from ota_server.devices.models import DeviceStatus, devices, group_devices, groups, presence
from ota_server.figures import standing
from ota_server.figures import store as figures
from ota_server.figures.models import HOUR_MS
from ota_server.products import store as products
from ota_server.rollouts import releasing
from tests.ota_server import keys
from tests.ota_server.conftest import Server
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import HOME, sign_in
from tests.ota_server.dashboard.test_rollout_pages import cells

AT = f"{HOME}/releases"


def test_releases_tell_devices_signatures_sizes_and_what_ran_when(photons: Server) -> None:
    photons.device().check_in()
    hour = photons.clock.now_ms() // HOUR_MS
    noted = {3: {"1": 8, "2": 2}, 2: {"1": 6, "2": 4}, 1: {str(version): 1 for version in range(1, 9)}}

    def note(connection: Connection) -> None:
        for ago, counts in noted.items():
            figures.keep(connection, keys.PRODUCT, hour - ago, {"versions": json.dumps(counts)})

    photons.services.database.write(note)
    page = sign_in(photons).get(AT).text
    assert "2 releases" in page
    assert cells(page, "Devices") == ["0", "1"]
    assert page.count("signed") >= 2
    assert cells(page, "version 1") == ["8", "6", "1"]
    assert cells(page, "others") == ["0", "0", "3"]
    assert cells(page, "photon") == [f"{len(keys.image(version).raw):,}" for version in (1, 2)]


def test_release_page_gives_its_files_and_the_patch_from_each_base(photons: Server) -> None:
    photons.device().check_in()
    photons.rollout(2)
    page = sign_in(photons).get(f"{AT}/2").text
    assert "Version 2 runs on 0 devices" in page
    assert cells(page, "From") == ["full image", "version 1"]
    assert cells(page, "Devices that run it") == ["–", "1"]
    assert "1 of 1 release keys" in page
    image = photons.client.get(f"{AT}/2/images/photon.bin")
    assert image.content == keys.image(2).raw
    assert image.headers["content-disposition"] == 'attachment; filename="thermostat-2-photon.bin"'
    links = re.findall(r'href="([^"]*\.patch)"', page)
    sizes = [len(photons.client.get(link).content) for link in links]
    assert [f"{size:,}" for size in sizes] == cells(page, "Bytes")[1:]
    for wrong in ("2/images/p1.bin", "2/patches/999.patch", "9", f"1/patches/{re.sub(r'.*/', '', links[1])}"):
        assert photons.client.get(f"{AT}/{wrong}").status_code == 404


def test_release_without_the_signatures_of_production_says_which_are_missing(server: Server) -> None:
    server.product()
    server.publish(keys.image(1, signer="development"))
    page = sign_in(server).get(f"{AT}/1").text
    assert "not signed for production" in page
    assert "0 of 1 release keys" in page
    assert "; 1 more of" in page


def test_notes_are_edited_and_wrong_ones_shown_again(photons: Server) -> None:
    client = sign_in(photons)
    fields = form_of(client.get(f"{AT}/2").text, "/releases/2").fields
    shown = client.post(f"{AT}/2", data={**fields, "title": "Quiet", "description": "Two\n<b>lines</b>"})
    assert "&lt;b&gt;lines" in shown.text
    refused = client.post(f"{AT}/2", data={**fields, "title": "x" * 201, "description": "Kept"})
    assert refused.status_code == 400
    assert "at most 200 characters" in refused.text
    assert "Kept</textarea>" in refused.text
    assert photons.api("GET", "/products/thermostat/firmware/2")["title"] == "Quiet"


def test_version_is_killed_after_a_page_that_asks_and_revived(photons: Server) -> None:
    rollout = photons.rollout(2)
    client = sign_in(photons)
    asked = client.get(f"{AT}/2/kill").text
    assert "Kill version 2?" in asked
    killed = client.post(f"{AT}/2/kill", data=form_of(asked, "/kill").fields).text
    assert "it is offered to nobody" in killed
    assert photons.show(rollout)["rollout"]["status"] == "aborted"
    alive = client.post(f"{AT}/2/revive", data=form_of(killed, "/revive").fields).text
    assert "Roll it out" in alive


def test_default_says_how_many_it_updates_and_is_forced_where_nothing_has_run_it(photons: Server) -> None:
    photons.device().check_in()
    client = sign_in(photons)
    asked = client.get(f"{AT}/2/default").text
    assert "About 1 device would be updated" in asked
    fields = form_of(asked, "/default").fields
    refused = client.post(f"{AT}/2/default", data=fields)
    assert refused.status_code == 409
    assert "has not run on a device" in refused.text
    made = client.post(f"{AT}/2/default", data={**fields, "force": "on"})
    assert made.url.path == f"{AT}/2"
    assert photons.api("GET", "/products/thermostat/firmware/2")["product_default"]


@pytest.mark.both_databases
@given(st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_default_updates_is_the_same_from_tallies(photons: Server, data: st.DataObject) -> None:
    """As long as not too many devices are in groups that have a release of their own."""
    drawn = data.draw(st.lists(st.tuples(st.sampled_from((1, 2, None)), st.booleans(), st.booleans(), st.booleans())))

    def fill(connection: Connection) -> None:
        for table in (group_devices, groups, presence, devices):
            connection.execute(table.delete())
        group = {"product_id": keys.PRODUCT, "name": "beta", "description": "", "color": "", "released_version": 1}
        connection.execute(groups.insert().values(id=1, **group))
        for number, (version, is_locked, is_for_development, is_member) in enumerate(drawn):
            values = {
                "device_id": f"{number:024x}",
                "product_id": keys.PRODUCT,
                "platform_id": 6,
                "status": DeviceStatus.ACTIVE,
                "product_version": version,
                "development": is_for_development,
                "locked_version": 1 if is_locked else None,
            }
            row = store.add(connection, values)
            if is_member:
                connection.execute(group_devices.insert().values(group_id=1, device_row=row))

    photons.services.database.write(fill)
    with photons.services.database.read() as connection:
        product = products.get(connection, keys.PRODUCT)
        assert product is not None
        stood = standing.counted(connection, product.id, 0)
        likely = releasing.likely_impact(connection, product, 2, stood)
        assert list(likely.devices) == releasing.impact(connection, product, 2, True, [])
        assert not likely.is_most
        assert stood.versions == store.versions(connection, product.id)


def test_devices_of_many_in_released_groups_make_it_at_most(photons: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "AT_ONCE_MAX", 1)
    monkeypatch.setattr(releasing, "NAMED_MAX", 0)
    for number in range(2):
        photons.device(number).check_in()
    photons.api("PUT", "/products/thermostat/devices/" + photons.device(0).device_id.hex(), json={"groups": ["beta"]})
    photons.api("PUT", "/products/thermostat/firmware/release", json={"version": 1, "groups": ["beta"]})
    photons.services.jobs.collector.work_off()
    page = sign_in(photons).get(f"{AT}/2/default").text
    assert "At most 2 devices would be updated" in page
    assert "Devices were counted" in page
