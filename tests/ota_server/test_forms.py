# SPDX-License-Identifier: Apache-2.0
"""Every route that takes JSON takes a form as well, as Particle's API does."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_server.api.body import FORM_FIELDS_MAX, FORM_SIZE_MAX, form_object
from tests.ota_server import keys
from tests.ota_server.conftest import Server

PRODUCT = f"/products/{keys.PRODUCT}"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
NAMES = st.text(st.characters(exclude_characters="[]"), min_size=1, max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)


def pairs_of(name: str, value: Any) -> list[tuple[str, str]]:
    """A value as the fields of a form."""
    if isinstance(value, str):
        return [(name, value)]
    inner = enumerate(value) if isinstance(value, list) else value.items()
    return [pair for key, item in inner for pair in pairs_of(f"{name}[{key}]", item)]


def depth(value: Any) -> int:
    if isinstance(value, str):
        return 0
    return 1 + max(depth(item) for item in (value if isinstance(value, list) else value.values()))


def is_numbered(value: Any) -> bool:
    """Whether there is an object that reads like an array."""
    if isinstance(value, dict) and list(value) == [str(number) for number in range(len(value))]:
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_numbered(item) for item in items)


@given(st.dictionaries(NAMES, VALUES.filter(lambda value: depth(value) <= 4 and not is_numbered(value)), max_size=3))
def test_form_means_what_was_written(value: dict[str, Any]) -> None:
    assert form_object([pair for name, item in value.items() for pair in pairs_of(name, item)]) == value


@pytest.mark.parametrize(
    ("pairs", "value"),
    [
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a[1]", "1")], {"a": {"1": "1"}}),
        ([("a[b][]", "1"), ("a[b][]", "2"), ("a[c]", "3")], {"a": {"b": ["1", "2"], "c": "3"}}),
        ([("[a]", "1"), ("a[", "2"), ("a]b[c", "3"), ("", "4")], {"[a]": "1", "a[": "2", "a]b[c": "3", "": "4"}),
        ([("a" + 5 * "[b]", "1")], {"a[b][b][b][b][b]": "1"}),
    ],
)
def test_fields_of_forms(pairs: list[tuple[str, str]], value: dict[str, Any]) -> None:
    assert form_object(pairs) == value


@given(st.lists(st.tuples(st.text("ab[]01", max_size=12), st.text(max_size=3)), max_size=8))
def test_no_fields_make_more_than_a_refusal(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(ValueError):
        form_object(pairs)


def test_routes_take_forms(server: Server) -> None:
    form: dict[str, Any] = {
        "product[id]": str(keys.PRODUCT),
        "product[name]": "Thermostat",
        "product[auto_approve]": "true",
    }
    made = server.api("POST", "/products", 201, data=form)["product"]
    assert (made["id"], made["auto_approve"]) == (keys.PRODUCT, True)
    ids = ["0" * 24, "1" * 24]
    imported = server.api("POST", f"{PRODUCT}/devices", data={"ids[]": ids})
    assert imported["updatedDeviceIds"] == ids
    group = server.api("POST", f"{PRODUCT}/groups", 201, data={"name": "beta", "color": "#00ff00"})
    assert group["group"]["color"] == "#00ff00"
    form = {"action": "groups", "devices[]": ids, "metadata[add][]": ["beta"]}
    assert server.api("PUT", f"{PRODUCT}/devices", data=form) == {"ok": True}
    changed = server.api("PUT", f"{PRODUCT}/devices/{ids[0]}", data={"development": "true", "flash": "false"})
    assert (changed["development"], changed["groups"]) == (True, ["beta"])
    assert server.api("PUT", "/user", data={"account_info[first_name]": "Ana"})["ok"]
    assert server.api("GET", "/user")["account_info"]["first_name"] == "Ana"
    robot = {"friendly_name": "robot", "scopes[0]": "devices:list", "scopes[1]": "products:list"}
    made = server.api("POST", f"{PRODUCT}/team", data=robot)["created"]
    assert made["is_programmatic"]
    server.api("DELETE", f"{PRODUCT}/devices/{ids[1]}", 204, data={"deny": "true"})
    assert server.api("GET", f"{PRODUCT}/devices/{ids[1]}")["denied"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=%ff", 400),
        (b"name=\xff", 400),
        (b"a=1&a[b]=2", 400),
        (b"&".join([b"name=x"] * (FORM_FIELDS_MAX + 1)), 400),
        (b"name=" + FORM_SIZE_MAX * b"x", 413),
        (b"", 400),
    ],
)
def test_what_is_no_form_is_refused(server: Server, body: bytes, status: int) -> None:
    server.product()
    headers = {"authorization": f"Bearer {server.token}", **FORM}
    response = server.client.post(f"/v1{PRODUCT}/groups", content=body, headers=headers)
    assert (response.status_code, response.json()["ok"]) == (status, False)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.text("product[]idname01"), st.text(max_size=5), max_size=5))
def test_no_form_makes_the_server_fail(server: Server, fields: dict[str, str]) -> None:
    for path in ("/products", "/devices/events", "/products/1/customers", "/users"):
        response = server.client.post(f"/v1{path}", content=urlencode(fields), headers=FORM)
        assert response.status_code in (400, 401, 403, 404)
