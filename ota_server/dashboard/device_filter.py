# SPDX-License-Identifier: Apache-2.0
"""Which devices a list shows, by its address: what was filtered by can be shared, taken away, and saved as a cohort."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams

from muster.layout import PLATFORM_IDS, PlatformName
from ota_server.customers import service as customers
from ota_server.dashboard.forms import midnight, version_number
from ota_server.devices.labels import country_code
from ota_server.devices.models import DeviceStatus
from ota_server.devices.search import Order, Search
from ota_server.errors import Invalid
from ota_server.products.models import Product
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Both, Cohort, Compare, Everyone, InGroup, Operator, Saved

TEXT_MAX = 200

STATES: Mapping[str, str] = {
    "online": "online",
    "offline": "offline",
    "quarantined": "quarantined",
    "expected": "expected",
    "denied": "denied",
    "development": "for development",
    "locked": "locked to a version",
}
"""In the page's words."""

COLUMNS: Mapping[str, str] = {
    "platform": "Platform",
    "state": "State",
    "version": "Version",
    "heard": "Last heard",
    "groups": "Groups",
    "tags": "Tags",
    "country": "Country",
    "customer": "Customer",
    "serial": "Serial number",
    "revision": "Hardware revision",
    "locked": "Locked to",
}
"""What a list can show beside the device itself."""
COLUMNS_FIRST = ("platform", "state", "version", "heard")
"""What it shows unless it is asked for others."""

ORDERS: Mapping[str, Order] = {
    "id": Order.ID,
    "name": Order.NAME,
    "heard": Order.LAST_HEARD,
    "version": Order.VERSION,
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that is filtered by. `without`: the address of the list without it."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """The fields of the list's form, all text, as they stand in the address; what is empty does not filter.

    Attributes:
        text: part of the id or the name.
        cohort: the name of a saved one.
        heard_after, heard_before: days, in UTC; `heard_before` itself is left out.
        sort: one of ORDERS; with `-` before it downwards.
        column: of COLUMNS.
    """

    text: str = ""
    platform: str = ""
    version: str = ""
    state: str = ""
    group: str = ""
    tag: str = ""
    country: str = ""
    customer: str = ""
    cohort: str = ""
    heard_after: str = ""
    heard_before: str = ""
    sort: str = "id"
    column: tuple[str, ...] = field(default=COLUMNS_FIRST)

    @property
    def is_plain(self) -> bool:
        """Whether all devices are shown."""
        return not any(getattr(self, name) for name in _FIELDS)

    @property
    def is_tallied(self) -> bool:
        """Whether devices are counted beside requests by all that is asked."""
        others = [name for name in _FIELDS if name not in ("platform", "version", "state") and getattr(self, name)]
        return not others and self.state not in ("online", "offline")

    @property
    def chips(self) -> list[Chip]:
        set_ones = [(name, getattr(self, name)) for name in _FIELDS if getattr(self, name)]
        return [Chip(_words(name, value), self._without(name).query) for name, value in set_ones]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What stands in the address."""
        found = [(name, getattr(self, name)) for name in _FIELDS if getattr(self, name)]
        if self.sort != "id":
            found.append(("sort", self.sort))
        if self.column != COLUMNS_FIRST:
            found += [("column", name) for name in self.column]
        return found

    @property
    def query(self) -> str:
        """The address, relative to the list's."""
        return "?" + urlencode(self.fields)

    def sorted_by(self, key: str) -> str:
        """The address of the list in another order; in that order turned round if it has it already."""
        return replace(self, sort=f"-{key}" if self.sort == key else key).query

    def direction(self, key: str) -> str:
        """As `aria-sort` has it."""
        return {key: "ascending", f"-{key}": "descending"}.get(self.sort, "none")

    def search(self, connection: Connection, product: Product, now_ms: int, page: int = 1, per_page: int = 1) -> Search:
        """What to look for. Raises Invalid, NotFound."""
        self._check()
        also = []
        if self.cohort:
            also.append(cohorts.condition(connection, product.id, Saved(self.cohort), now_ms))
        is_status = self.state in list(DeviceStatus)
        return Search(
            text=self.text,
            groups=(self.group,) if self.group else (),
            tag=self.tag,
            country=country_code(self.country) or "",
            status=DeviceStatus(self.state) if is_status else None,
            version=version_number(self.version, "version") if self.version else None,
            platform_id=PLATFORM_IDS[PlatformName(self.platform)] if self.platform else None,
            online_at_ms=now_ms if self.state == "online" else None,
            offline_at_ms=now_ms if self.state == "offline" else None,
            development=True if self.state == "development" else None,
            is_locked=True if self.state == "locked" else None,
            customer_id=customers.find(connection, product, self.customer).id if self.customer else None,
            heard_from_ms=midnight(self.heard_after, "heard_after"),
            heard_until_ms=midnight(self.heard_before, "heard_before"),
            also=tuple(also),
            order=ORDERS[self.sort.removeprefix("-")],
            descending=self.sort.startswith("-"),
            page=page,
            per_page=per_page,
        )

    def _without(self, name: str) -> DeviceFilter:
        nothing: dict[str, Any] = {name: ""}
        return replace(self, **nothing)

    def _check(self) -> None:
        _check_choice(self.platform, [one.value for one in PLATFORM_IDS], "platform")
        _check_choice(self.state, STATES, "state")
        _check_choice(self.sort.removeprefix("-"), ORDERS, "sort")

    @property
    def unlasting(self) -> str:
        """What no cohort asks for, in words; empty where one asks for all of it."""
        return ", ".join(_words(name, getattr(self, name)) for name in _UNLASTING if getattr(self, name))

    def as_cohort(self, connection: Connection, product: Product) -> Cohort | None:
        """The cohort of the same devices, which goes with what they tell; None where none asks for all of it."""
        if self.unlasting:
            return None
        parts: list[Cohort] = []
        if self.cohort:
            parts.append(cohorts.find(connection, product.id, self.cohort).cohort)
        if self.group:
            parts.append(InGroup(self.group))
        values: list[tuple[str, int | str]] = []
        if self.platform:
            values.append(("platform", self.platform))
        if self.version:
            values.append(("version", version_number(self.version, "version")))
        if self.tag:
            values.append(("tag", self.tag))
        if self.country:
            values.append(("country", self.country.upper()))
        if self.customer:
            values.append(("customer", customers.find(connection, product, self.customer).id))
        parts += [Compare(name, Operator.IS, (value,)) for name, value in values]
        made = Everyone() if not parts else parts[0] if len(parts) == 1 else Both(tuple(parts))
        return Cohort.from_json(made.to_json())


_UNLASTING = ("text", "state", "heard_after", "heard_before")
_FIELDS = tuple(name for name in DeviceFilter.__slots__ if name not in ("sort", "column"))


def parse(query: QueryParams) -> DeviceFilter:
    """Reads an address; what is wrong in it is found by `search`."""
    given = {name: query.get(name, "").strip()[:TEXT_MAX] for name in _FIELDS}
    columns = tuple(name for name in COLUMNS if name in query.getlist("column")) or COLUMNS_FIRST
    return DeviceFilter(**given, sort=query.get("sort", "id")[:TEXT_MAX], column=columns)


def _words(name: str, value: str) -> str:
    match name:
        case "text":
            return f"“{value}” in id or name"
        case "state":
            return STATES.get(value, value)
        case "customer":
            return f"of {value}"
        case "heard_after":
            return f"last heard on {value} or later"
        case "heard_before":
            return f"last heard before {value}"
    return f"{name} {value}"


def _check_choice(value: str, choices: Collection[str], name: str) -> None:
    if value and value not in choices:
        raise Invalid(f"{name} is one of {', '.join(choices)}", name)
