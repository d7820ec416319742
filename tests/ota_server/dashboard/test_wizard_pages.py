# SPDX-License-Identifier: Apache-2.0
"""The rollout wizard and the pages of cohorts, by plain forms."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ota_server.dashboard import counted_so_far
from ota_server.dashboard.cohort_form import CohortForm
from ota_server.dashboard.rollout_form import RolloutForm
from ota_server.devices import walk
from ota_server.errors import Invalid
from ota_server.rollouts.cohort import Cohort
from ota_server.rollouts.preview import Preview
from tests.ota_server import keys
from tests.ota_server.conftest import HandClock, Server, make_settings, run_server
from tests.ota_server.dashboard.forms import form_of
from tests.ota_server.dashboard.test_pages import HOME, sign_in

NEW = f"{HOME}/rollouts/new"


@pytest.fixture(scope="module")
def wizard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that these tests only read."""
    for server in run_server(make_settings(tmp_path_factory.mktemp("wizard") / "server"), HandClock()):
        server.product()
        server.publish(keys.image(2))
        sign_in(server)
        yield server


def step_on(client: TestClient, page: str, **changes: str) -> str:
    """Fills a step, and sends it by its first button."""
    form = form_of(page, "/rollouts/new")
    button = page.split('name="step" value="')[1].split('"')[0]
    response = client.get(NEW, params={**form.fields, "step": button, **changes})
    assert response.status_code == 200
    return response.text


def test_wizard_makes_the_rollout_that_was_typed_step_by_step(photons: Server) -> None:
    for number in range(3):
        photons.device(number).check_in()
    photons.api("POST", "/products/thermostat/groups", 201, json={"name": "lab"})
    client = sign_in(photons)
    page = client.get(NEW).text
    assert "Which release?" in page
    page = step_on(client, page, version="2", name="Winter & <b>warm</b>")
    page = step_on(
        client, page, who="rows", field1="version", how1="at_most", value1="1", field2="platform", value2="photon"
    )
    assert "<b>warm" not in page
    stages = {"percent1": "10", "confirmed1": "2", "soak1": "12", "failures1": "", "max_failure_rate1": "2.5"}
    stages |= {
        "role1": "administrator",
        "people1": "1",
        "percent2": "",
        "percent3": "100",
        "confirmed3": "2",
        "worse3": "on",
    }
    page = step_on(client, page, **stages)
    schedule = {"start": "2027-06-01T06:30", "from1": "22:00", "to1": "05:00", "monday1": "on", "zone": "Europe/Madrid"}
    page = step_on(client, page, **schedule, per_minute="30", postpone="48")
    assert "Is this what you mean?" in page
    assert "pauses above 2.5 % that fail" in page
    saved = form_of(page, "/rollouts/new")
    shown = client.post(NEW, data={**saved.fields, "then": "draft"})
    assert "/rollouts/1" in str(shown.url)
    assert "the forecast comes by itself" in shown.text
    made = photons.show(1)["rollout"]
    assert (made["status"], made["version"], made["name"]) == ("draft", 2, "Winter & <b>warm</b>")
    assert made["stages"][0]["cohort"] == {
        "and": [{"field": "version", "at_most": 1}, {"field": "platform", "is": "photon"}]
    }
    gates = [stage["gate"] for stage in made["stages"]]
    assert [stage["percent"] for stage in made["stages"]] == [10, 100]
    assert gates[0]["max_failure_rate"] == 0.025
    assert gates[0]["max_failures"] is None
    assert gates[0]["soak_s"] == 12 * 3600
    assert gates[0]["approval"] == {"role": "administrator", "people": 1}
    assert gates[1]["worse_than_before"]
    assert made["schedule"] == {
        "start_at": "2027-06-01T06:30:00.000Z",
        "windows": [{"days": ["monday"], "from": "22:00", "to": "05:00"}],
        "time_zone": "Europe/Madrid",
        "per_minute": 30,
        "consent": {"postpone_max_s": 48 * 3600},
    }
    photons.services.jobs.scanner.work_off()
    foreseen = re.findall(r"([0-9]+) devices to update", client.get(f"{HOME}/rollouts/1").text)
    assert sum(map(int, foreseen)) == 3

    # The draft is changed: what is made of it takes its place.
    page = client.get(f"{NEW}?from=1").text
    for _ in range(4):
        page = step_on(client, page)
    again = form_of(page, "/rollouts/new")
    client.post(NEW, data={**again.fields, "then": "start"})
    assert photons.show(1)["rollout"]["status"] == "aborted"
    other = photons.show(2)["rollout"]
    assert other["status"] == "scheduled"
    assert (other["stages"], other["schedule"]) == (made["stages"], made["schedule"])


@pytest.mark.parametrize(
    ("step", "given", "name", "sentence"),
    [
        ("release", {"version": "99"}, "version", "no release 99"),
        ("cohort", {"who": "group", "group": "none"}, "who", "no group"),
        ("cohort", {"who": "rows", "field1": "version", "value1": "x"}, "value1", "is a number"),
        ("cohort", {"who": "rows", "field1": "version", "how1": "is", "value1": "9" * 30}, "value1", "is a number"),
        ("cohort", {"who": "json", "expression": "{"}, "expression", "this is not JSON"),
        ("cohort", {"who": "json", "expression": "[" * 7000}, "expression", ""),
        ("stages", {"percent2": "5"}, "percent2", "more than the stage before"),
        ("stages", {"percent1": "0"}, "percent1", "a whole number from 1 to 100"),
        ("stages", {"confirmed1": "7"}, "confirmed2", "as many as the stage before needs"),
        ("stages", {"max_crash_rate2": "nan"}, "max_crash_rate2", "a share in percent"),
        ("stages", {"role1": "support"}, "role1", "role is"),
        ("schedule", {"zone": "Mars/Crater"}, "zone", "time zone database"),
        ("schedule", {"from2": "25:00", "to2": "05:00"}, "from2", "a time of the day"),
        ("schedule", {"start": "2027-06-01T06:30", "deadline": "2027-05-01T06:30"}, "deadline", "comes after"),
        ("schedule", {"priority": "high"}, "priority", "priority is"),
    ],
)
def test_wrong_input_stands_beside_its_field_and_nothing_typed_is_lost(
    wizard: Server, step: str, given: dict[str, str], name: str, sentence: str
) -> None:
    steps = ["release", "cohort", "stages", "schedule", "check"]
    proposed = RolloutForm.of_fields({}).proposed(None).fields() | {"version": "2", "name": "Kept"}
    following = steps[steps.index(step) + 1]
    response = wizard.client.get(NEW, params={**proposed, **given, "step": following})
    assert response.status_code == 400
    assert f'id="wrong-{name}">' in response.text
    assert sentence in response.text
    kept = form_of(response.text, "/rollouts/new").fields
    assert kept["at"] == step
    # A choice holds nothing but what it offers.
    typed = {key: value for key, value in given.items() if key not in ("version", "who", "group", "role1", "priority")}
    assert {key: kept[key] for key in typed} == typed
    assert kept["name"] == "Kept"


@pytest.mark.parametrize(
    "cohort",
    [
        {"all": True},
        {"group": "lab"},
        {"cohort": "old"},
        {"field": "tag", "begins_with": "a"},
        {"or": [{"field": "claimed", "is": True}, {"field": "version", "one_of": [1, 2]}]},
        {"and": [{"percent": 10}, {"not": {"field": "version", "is": 1}}]},
    ],
)
def test_cohort_is_the_same_after_a_form(cohort: dict[str, object]) -> None:
    meant = Cohort.from_json(cohort)
    form = CohortForm.of_cohort(meant)
    assert CohortForm.of_fields(form.fields()) == form
    assert form.parse() == meant


def test_form_that_says_nothing_is_refused() -> None:
    for fields in ({"who": "rows"}, {"who": "group"}, {"who": "x"}, {"who": "json"}):
        with pytest.raises(Invalid):
            CohortForm.of_fields(fields).parse()


def test_cohorts_are_made_counted_changed_and_removed(photons: Server) -> None:
    for number in range(3):
        photons.device(number).check_in()
    client = sign_in(photons)
    assert 'class="empty"' in client.get(f"{HOME}/cohorts").text
    new = f"{HOME}/new-cohort"
    fields = form_of(client.get(new).text, "/new-cohort").fields
    fields |= {"who": "rows", "field1": "version", "how1": "at_least", "value1": "1", "description": "All <i>old</i>"}
    refused = client.post(new, data={**fields, "name": "No!"})
    assert refused.status_code == 400
    assert 'id="wrong-name">' in refused.text
    made = client.post(new, data={**fields, "name": "old"})
    assert made.url.path == f"{HOME}/cohorts/old"
    assert client.post(new, data={**fields, "name": "old"}).status_code == 400
    assert "version at least 1" in client.get(f"{HOME}/cohorts").text
    counted = client.get(f"{HOME}/cohort-preview", params={"who": "rows", "field1": "version", "value1": "1"})
    assert "<strong>3 of 3 devices</strong>" in counted.text
    assert "Which devices it holds now" in counted.text
    part = client.get(f"{HOME}/cohort-preview", params={"who": "group", "group": "x"}, headers={"hx-request": "true"})
    assert "Not counted: " in part.text
    assert "<html" not in part.text
    path = f"{HOME}/cohorts/old"
    changes = form_of(client.get(path).text, "/cohorts/old").fields
    client.post(path, data={**changes, "value1": "2"})
    assert photons.api("GET", "/products/thermostat/cohorts/old")["cohort"]["cohort"] == {
        "field": "version",
        "at_least": 2,
    }
    asked = client.get(f"{path}/remove").text
    client.post(f"{path}/remove", data=form_of(asked, "/remove").fields)
    assert client.get(path).status_code == 404


@pytest.mark.both_databases
def test_a_count_goes_on_where_it_ended_and_finds_what_one_at_once_finds(
    photons: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        photons.device(number).check_in()
    client = sign_in(photons)
    asked = {"who": "rows", "field1": "version", "how1": "at_least", "value1": "1"}
    at_once = client.get(f"{HOME}/cohort-preview", params=asked).text
    monkeypatch.setattr(walk, "PIECE", 2)
    monkeypatch.setattr(walk, "for_seconds", lambda *_: lambda: True)
    page, looks = client.get(f"{HOME}/cohort-preview", params=asked).text, 1
    assert "<strong>2 of the first 2 devices</strong>" in page
    while (on := re.search(r'href="([^"]*so_far=[^"]*)">Look on', page)) is not None:
        page, looks = client.get(unescape(on.group(1))).text, looks + 1
    assert looks == 3
    told = re.compile(r"<p><strong>.*</p>\n<p class=\"quiet\">.*</p>")
    assert told.findall(page) == told.findall(at_once) != []


@given(st.text() | st.dictionaries(st.sampled_from(["of", "after", "rows", "left_out"]), st.integers()).map(json.dumps))
def test_a_count_so_far_that_nobody_made_is_refused(text: str) -> None:
    assume(text)
    with pytest.raises(Invalid, match="begin it anew"):
        counted_so_far.from_text(text)


@given(st.lists(st.integers(0, 9), max_size=5), st.dictionaries(st.none() | st.integers(0, 70), st.integers(0, 10**6)))
def test_a_count_so_far_is_read_as_it_was_written(rows: list[int], counts: dict[int | None, int]) -> None:
    seen = Preview(7, 3, False, Counter(locked=2), Counter(counts), Counter(counts), rows)
    assert counted_so_far.from_text(counted_so_far.to_text(seen)) == seen
