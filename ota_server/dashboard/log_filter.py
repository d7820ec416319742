# SPDX-License-Identifier: Apache-2.0
"""What the page of a product's log is asked for, by its address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams

from ota_server.dashboard.forms import DAY_MS, midnight, version_number
from ota_server.devices import service as devices
from ota_server.errors import Invalid
from ota_server.products.models import Product
from ota_server.rollouts import cohorts
from ota_server.rollouts.cohort import Saved
from ota_server.telemetry import product_log
from ota_server.telemetry.product_log import EntryKind, Level, Page, Place, Wanted

ENTRIES_PER_PAGE = 200
TEXT_MAX = 200
KINDS = {EntryKind.HISTORY: "what happened", EntryKind.EVENT: "events", EntryKind.LOG: "log lines"}
"""In the page's words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the page's form; all are text, as they stand in the address.

    Attributes:
        kind: one, or nothing for all.
        cohort: the name of a saved one.
        name: how names of events begin.
        since, until: the first and the last day, in UTC.
        before: where an older page begins; nothing for the newest.
    """

    kind: str = ""
    level: str = "debug"
    device: str = ""
    version: str = ""
    cohort: str = ""
    name: str = ""
    since: str = ""
    until: str = ""
    text: str = ""
    before: str = ""

    @property
    def is_newest(self) -> bool:
        """Whether the page goes on to change."""
        return not self.before

    @property
    def is_plain(self) -> bool:
        """Whether everything is asked for."""
        return self == Asked()

    def older(self, place: Place) -> str:
        """The address of the page behind this one, relative to it."""
        return "?" + urlencode(self._set | {"before": str(place)})

    @property
    def query(self) -> str:
        """What stands in the address of these, newest or not."""
        return "?" + urlencode(self._set) if self._set else ""

    @property
    def _set(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "before" and getattr(self, name)}


def parse(query: QueryParams) -> Asked:
    """Reads an address. Raises Invalid."""
    asked = Asked(**{name: query.get(name, "").strip()[:TEXT_MAX] for name in Asked.__slots__ if query.get(name)})
    if asked.kind and asked.kind not in list(EntryKind):
        raise Invalid("the log has no such kind of entries", "kind")
    if asked.level.upper() not in Level.__members__:
        raise Invalid("there is no such level", "level")
    if asked.version:
        version_number(asked.version, "version")
    return asked


def wanted(connection: Connection, product: Product, asked: Asked, now_ms: int) -> Wanted:
    """Which entries are asked for. Raises NotFound, Invalid."""
    until_ms = midnight(asked.until, "until")
    return Wanted(
        kinds=frozenset([EntryKind(asked.kind)] if asked.kind else []),
        level=Level[asked.level.upper()],
        device_row=devices.find(connection, product, asked.device).id if asked.device else None,
        version=version_number(asked.version, "version") if asked.version else None,
        like=cohorts.condition(connection, product.id, Saved(asked.cohort), now_ms) if asked.cohort else None,
        name=asked.name,
        since_ms=midnight(asked.since, "since"),
        until_ms=None if until_ms is None else until_ms + DAY_MS,
        text=asked.text,
        before=Place.parse(asked.before) if asked.before else None,
    )


def read(connection: Connection, product: Product, asked: Asked, now_ms: int) -> Page:
    """The page that was asked for. Raises NotFound, Invalid."""
    return product_log.read(connection, product.id, wanted(connection, product, asked, now_ms), ENTRIES_PER_PAGE)
