# SPDX-License-Identifier: Apache-2.0
"""What a cohort can ask about a device: what it told, and what people set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

from muster.layout import PLATFORM_IDS, platform_name
from muster.protocol import HealthKey
from ota_server.devices.labels import COUNTRY, TAG
from ota_server.errors import Invalid
from ota_server.numbers import digits
from ota_server.rollouts.facts import DeviceFacts

DAY_MS = 24 * 3600 * 1000
HEALTH = "health."
"""Begins the names of health metrics: `health.link_errors`, or the number of one of the product's own."""
NUMBER_MAX = 2**53 - 1
METRIC_MAX = 9_999_999_999
TEXT_MAX = 64

Value = int | str | bool


class Kind(Enum):
    """What values an attribute has."""

    NUMBER = "a number"
    TEXT = f"a text of 1 to {TEXT_MAX} characters"
    TRUTH = "true or false"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute.

    Attributes:
        told: its values of a device: none while it is not known, several for tags.
        allowed: what a text has to be; None for any.
    """

    kind: Kind
    told: Callable[[DeviceFacts], Collection[Value]]
    allowed: re.Pattern[str] | None = None

    def check(self, value: object, where: str) -> Value:
        """A value that it may be compared with. Raises Invalid."""
        match self.kind:
            case Kind.NUMBER:
                is_right = type(value) is int and abs(value) <= NUMBER_MAX
            case Kind.TEXT:
                is_right = isinstance(value, str) and 1 <= len(value) <= TEXT_MAX
            case Kind.TRUTH:
                is_right = type(value) is bool
        if not is_right:
            raise Invalid(f"{where} is {self.kind.value}", where)
        assert isinstance(value, (int, str))
        if self.allowed is not None and not self.allowed.fullmatch(str(value)):
            raise Invalid(f"{where}: {value!r} is none", where)
        return value


def health_key(name: str) -> int | None:
    """The number of a health metric; None for what is none."""
    metric = name.removeprefix(HEALTH)
    number = digits(metric, METRIC_MAX)
    return next((key.value for key in HealthKey if key.name.lower() == metric), None) if number is None else number


def attribute(name: str) -> Attribute | None:
    """An attribute by its name."""
    if not name.startswith(HEALTH):
        return _ATTRIBUTES.get(name)
    key = health_key(name)
    return None if key is None else Attribute(Kind.NUMBER, lambda facts: _some(json.loads(facts.health).get(str(key))))


def names() -> list[str]:
    """Of all attributes that every product has."""
    return [*_ATTRIBUTES, *(f"{HEALTH}{key.name.lower()}" for key in HealthKey)]


def _some(value: Value | None) -> Collection[Value]:
    return () if value is None else (value,)


def _days_known(facts: DeviceFacts) -> Collection[Value]:
    return () if facts.first_seen_ms is None else ((facts.now_ms - facts.first_seen_ms) // DAY_MS,)


_ATTRIBUTES = {
    "platform": Attribute(
        Kind.TEXT,
        lambda facts: _some(None if facts.platform_id is None else platform_name(facts.platform_id)),
        re.compile("|".join(name.value for name in PLATFORM_IDS)),
    ),
    "version": Attribute(Kind.NUMBER, lambda facts: _some(facts.product_version)),
    "hardware_revision": Attribute(Kind.NUMBER, lambda facts: _some(facts.hardware_revision)),
    "security_counter": Attribute(Kind.NUMBER, lambda facts: _some(facts.security_counter)),
    "bootloader_version": Attribute(Kind.NUMBER, lambda facts: _some(facts.bootloader_version)),
    "days_known": Attribute(Kind.NUMBER, _days_known),
    "tag": Attribute(Kind.TEXT, lambda facts: facts.tags, TAG),
    "country": Attribute(Kind.TEXT, lambda facts: _some(facts.country), COUNTRY),
    "serial_number": Attribute(Kind.TEXT, lambda facts: _some(facts.serial_number)),
    "customer": Attribute(Kind.NUMBER, lambda facts: _some(facts.customer_id)),
    "claimed": Attribute(Kind.TRUTH, lambda facts: (facts.customer_id is not None,)),
}
