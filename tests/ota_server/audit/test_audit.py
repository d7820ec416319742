# SPDX-License-Identifier: Apache-2.0
"""The audit log can be filtered and exported, and nothing in it can be changed."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ota_server.api import manage_audit
from ota_server.audit import store
from ota_server.audit.models import Entry
from tests.ota_server import keys
from tests.ota_server.conftest import EMAIL, Server

pytestmark = pytest.mark.both_databases

PATH = "/orgs/warm-rooms/audit"
DEVICE = 24 * "a"


@pytest.fixture
def history(server: Server) -> Server:
    """Four lines, an hour apart."""
    server.product()
    for method, path, body in (
        ("POST", f"/products/{keys.PRODUCT}/devices", {"id": DEVICE}),
        ("PUT", f"/products/{keys.PRODUCT}/devices/{DEVICE}", {"name": "=1+1"}),
        ("PUT", "/orgs/warm-rooms", {"name": "Cosy Rooms"}),
    ):
        server.clock.advance_s(3600)
        server.api(method, path, json=body)
    return server


def actions(server: Server, **query: Any) -> list[str]:
    return [line["action"] for line in server.api("GET", PATH, params=query)["audit"]]


def test_lines_say_who_did_what_to_what_from_where_and_when(history: Server) -> None:
    newest = history.api("GET", PATH)["audit"][0]
    assert newest == {
        "id": 4,
        "at": "2027-01-15T11:00:00.000Z",
        "by": EMAIL,
        "from": "testclient",
        "action": "organization.rename",
        "subject": "warm-rooms",
        "detail": "Cosy Rooms",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "device."}, ["device.change", "device.import"]),
        ({"action": "device.change"}, ["device.change"]),
        ({"action": "%"}, []),
        ({"subject": DEVICE[:10]}, ["device.change"]),
        ({"by": EMAIL.upper(), "limit": 1}, ["organization.rename"]),
        ({"by": "ben@example.com"}, []),
        ({"since": "2027-01-15T10:00:00Z"}, ["organization.rename", "device.change"]),
        ({"since": "2027-01-15T12:00:00+02:00", "until": "2027-01-15T11:00:00"}, ["device.change"]),
        ({"before": 3}, ["device.import", "product.create"]),
    ],
)
def test_lines_are_filtered(history: Server, query: dict[str, Any], found: list[str]) -> None:
    assert actions(history, **query) == found


@pytest.mark.parametrize(
    ("query", "field"), [("since=yesterday", "since"), ("before=0", "before"), ("format=xml", "format")]
)
def test_bad_filter_is_refused(history: Server, query: str, field: str) -> None:
    assert history.api("GET", f"{PATH}?{query}", 400)["field"] == field


def test_log_is_exported_whole_and_runs_nothing_in_a_spreadsheet(
    history: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manage_audit, "_CSV_PAGE", 3)
    history.services.database.write(
        lambda c: store.add(c, Entry(history.clock.now_ms(), None, 1, "", "x", "=HYPERLINK(0)", "+1"))
    )
    response = history.client.get(f"/v1{PATH}?format=csv", headers={"authorization": f"Bearer {history.token}"})
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"] == 'attachment; filename="audit-warm-rooms.csv"'
    head, *rows = csv.reader(io.StringIO(response.text))
    assert head == ["id", "at", "by", "from", "action", "subject", "detail"]
    assert [row[0] for row in rows] == ["5", "4", "3", "2", "1"]
    assert rows[0][5:] == ["'=HYPERLINK(0)", "'+1"]
    assert rows[2][4:] == ["device.change", DEVICE, "name==1+1"]


@pytest.mark.parametrize("statement", ["UPDATE audit SET detail = ''", "DELETE FROM audit"])
def test_line_is_neither_changed_nor_removed(history: Server, statement: str) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    with pytest.raises(IntegrityError, match="only added to"):
        history.services.database.write(work)
    assert len(actions(history)) == 4
