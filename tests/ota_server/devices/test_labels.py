# SPDX-License-Identifier: Apache-2.0
"""Tags and countries: set on one device, on many, from a table; and lists filtered by them."""

from __future__ import annotations

import pytest

from tests.ota_server import keys
from tests.ota_server.conftest import Server

PATH = f"/products/{keys.PRODUCT}/devices"
IDS = [f"{number:024x}" for number in range(3)]


@pytest.fixture
def shop(server: Server) -> Server:
    server.product()
    server.api("POST", PATH, json={"ids": IDS})
    return server


def found(shop: Server, **query: str) -> list[int]:
    return [IDS.index(one["id"]) for one in shop.api("GET", PATH, params=query)["devices"]]


def test_tags_and_country_are_set_shown_and_found(shop: Server) -> None:
    shown = shop.api("PUT", f"{PATH}/{IDS[0]}", json={"tags": ["indoor", "beta", "beta"], "country": "de"})
    assert (shown["tags"], shown["country"]) == (["beta", "indoor"], "DE")
    shop.api("PUT", f"{PATH}/{IDS[1]}", json={"tags": ["in_oor"]})
    assert found(shop, tag="indoor") == [0]
    assert found(shop, tag="in_oor") == [1], "a tag is no pattern"
    assert found(shop, tag="door") == []
    assert found(shop, country="de") == [0]
    shown = shop.api("PUT", f"{PATH}/{IDS[0]}", json={"tags": [], "country": None})
    assert (shown["tags"], shown["country"]) == ([], None)
    texts = [line["text"] for line in shop.api("GET", f"{PATH}/{IDS[0]}")["history"]]
    assert any("set country = DE, tags = beta indoor." in text for text in texts)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tags": ["Two words"]}, "tags"),
        ({"tags": [f"t{n}" for n in range(21)]}, "tags"),
        ({"country": "D1"}, "country"),
    ],
)
def test_what_is_no_tag_or_country_is_refused(shop: Server, change: dict[str, object], field: str) -> None:
    assert shop.api("PUT", f"{PATH}/{IDS[0]}", 400, json=change)["field"] == field


def test_many_devices_are_given_tags_and_lose_others(shop: Server) -> None:
    shop.api("PUT", f"{PATH}/{IDS[0]}", json={"tags": ["old"]})
    body = {"action": "tags", "devices": IDS[:2], "metadata": {"add": ["new"], "remove": ["old"]}}
    shop.api("PUT", PATH, json=body)
    assert found(shop, tag="new") == [0, 1]
    assert found(shop, tag="old") == []


def test_a_table_sets_tags_and_country_and_names_what_is_wrong(shop: Server) -> None:
    def send(line: str, expect: int) -> dict[str, object]:
        table = f"id,tags,country\n{line}"
        answer = shop.api("POST", PATH, expect, files={"file": ("file", table.encode())})
        assert isinstance(answer, dict)
        return answer

    send(f"{IDS[2]},beta cold,fr", 200)
    assert found(shop, tag="cold", country="FR") == [2]
    refused = send(f"{IDS[2]},beta,Q7", 400)
    assert "two letters" in str(refused["refused"])
