# SPDX-License-Identifier: Apache-2.0
"""Numbers that no database holds, in paths, addresses, forms and JSON of every route: an answer, never a failure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.engine import URL

from tests.ota_server import keys
from tests.ota_server.conftest import DATABASES, HandClock, Server, make_settings, new_database, run_server
from tests.ota_server.dashboard.test_pages import HOME, form_token, sign_in
from tests.ota_server.organizations.route_table import CALLS, DEVICE, PAGES, PRODUCT, filled

LONG = "9" * 4400
"""More digits than Python makes a number of."""
TOO_LONG = "9" * 20
HOSTILE = (TOO_LONG, LONG, str(2**63), str(2**31), "70000", "-1", "1e5", " 5 ", "\uff11\uff12", "0\0", "nan")
IN_PATHS = ("rollout", "version", "patch", "webhook", "device", "name", "client", "token", "browser")
IN_FIELDS = (
    *("page", "before", "after", "row", "since", "until", "from", "replaces", "version", "to_version", "heard_after"),
    *("heard_before", "reason", "stages", "percent1", "confirmed1", "soak1", "failures1", "per_minute", "postpone"),
    *("failure_rate1", "start", "deadline", "value1", "value2", "id", "keep_logs_days", "keep_events_days", "devices"),
)
CHOSEN = {
    "who": "rows",
    "field1": "version",
    "field2": "days_known",
    "step": "check",
    "verb": "lock",
    "kind": "function",
}
IN_QUERIES = ("page", "per_page", "perPage", "before", "limit", "from", "to", "version", "since", "until", "seed")


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[URL | None]:
    yield from new_database(request)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, database: URL | None) -> Iterator[Server]:
    settings = make_settings(tmp_path_factory.mktemp("asked") / "server", database=database)
    for server in run_server(settings, HandClock()):
        server.product()
        server.publish(keys.image(1))
        server.api("POST", f"{PRODUCT}/devices", json={"ids": [DEVICE]})
        server.rollout(1)
        sign_in(server)
        yield server


def _numbers(server: Server) -> tuple[str, ...]:
    """SQLite holds eight bytes in any column, and refuses only what is more than that."""
    return (TOO_LONG, LONG) if server.services.settings.database_url is None else HOSTILE


def test_no_page_fails_over_a_number(asked: Server) -> None:
    token = form_token(asked.client.get(HOME).text)
    for number, page in itertools.product(_numbers(asked), PAGES):
        method, path = page.split()
        if path == "/sign-out" or path.endswith("{view}"):
            continue
        # An address of so many digits in each field is longer than a server reads.
        fields = dict.fromkeys(IN_FIELDS if number != LONG else IN_FIELDS[:10], number) | CHOSEN
        hostile = filled(path, **dict.fromkeys(IN_PATHS, quote(number)), view="rollout")
        # A view that is there goes on for ever.
        for at in {hostile} if "{view}" in path else {filled(path), hostile}:
            sent: Any = {"params": fields} if method == "GET" else {"data": {**fields, "form_token": token}}
            response = asked.client.request(method, at, follow_redirects=False, **sent)
            assert response.status_code < 500, (page, at)


def test_no_call_fails_over_a_number(asked: Server) -> None:
    headers = {"authorization": f"Bearer {asked.token}"}
    numbers = [text for text in (TOO_LONG, LONG, str(2**31)) if text in _numbers(asked)]
    for number, (name, call) in itertools.product(numbers, CALLS.items()):
        if call.ends_token or "/events" in call.path or name == "DELETE /products/{product}":
            continue
        path, sent = re.sub(r"(?<!products)/[0-9]+(?=/|$)", f"/{number}", call.path), dict(call.arguments)
        if "json" in sent and number != LONG:
            sent["json"] = _with(sent["json"], int(number))
        for at, query in ((path, {}), (call.path, dict.fromkeys(IN_QUERIES, number))):
            response = asked.client.request(name.split()[0], f"/v1{at}", headers=headers, params=query, **sent)
            assert response.status_code < 500, (name, at)


def _with(value: Any, number: int) -> Any:
    """The same JSON with another number in the place of each."""
    if isinstance(value, dict):
        return {name: _with(item, number) for name, item in value.items()}
    if isinstance(value, list):
        return [_with(item, number) for item in value]
    return number if isinstance(value, int | None) and not isinstance(value, bool) else value


def test_cohort_may_ask_for_a_number_that_no_column_holds(asked: Server) -> None:
    for field in ("version", "hardware_revision", "customer", "security_counter", "days_known", "health.free_stack"):
        for number in (2**53 - 1, 1 - 2**53):
            for how in ("is", "at_least", "below"):
                cohort = {"field": field, how: number}
                asked.api("POST", f"{PRODUCT}/cohorts/preview", json={"cohort": cohort})
