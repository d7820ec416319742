# SPDX-License-Identifier: Apache-2.0
"""Which devices: an expression over what they told and what people set (docs/howto/rollouts.md#cohorts).

A comparison with what is not known of a device does not match; so its `not` does.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from ota_server.errors import Invalid
from ota_server.rollouts.attributes import Kind, Value, attribute, names
from ota_server.rollouts.facts import DeviceFacts

DEPTH_MAX = 10
PARTS_MAX = 100
"""Of an `and`, an `or`, or a list of values."""
DEVICES_MAX = 10_000
SIZE_MAX = 300_000
"""Characters of an expression in the database: what a check-in may have to look at is bounded."""

NAME = re.compile(r"[a-z0-9_-]{1,64}")
_DEVICE_ID = re.compile(r"[0-9a-f]{24}")
_INNER_SALT = b"cohort"
"""So that a tenth of a cohort that is half of all devices is a twentieth of them."""


class Cohort(ABC):
    """A selection of devices."""

    __slots__ = ()

    @abstractmethod
    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        """Whether a device belongs to it; `salt` spreads the devices over percentages."""

    @abstractmethod
    def in_words(self) -> str:
        """Which devices, in a phrase."""

    @abstractmethod
    def to_json(self) -> dict[str, object]:
        """As the API shows and takes it."""

    def inside(self) -> Sequence[Cohort]:
        """What it is made of."""
        return ()

    def named(self, kind: type[InGroup | Saved]) -> frozenset[str]:
        """Groups, or saved cohorts, that it names."""
        return frozenset().union(*(part.named(kind) for part in self.inside()))

    def resolved(self, _lookup: Callable[[str], Cohort]) -> Cohort:
        """The same with every saved cohort's expression in place of its name."""
        return self

    @staticmethod
    def from_json(value: object, where: str = "cohort") -> Cohort:
        """Parses what `to_json` makes, and what people write.

        Raises:
            Invalid: what is wrong, and where.
        """
        found = _parsed(value, where, 1)
        if len(found.to_text()) > SIZE_MAX:
            raise Invalid(f"{where} is too large: put the devices into a group", where)
        return found

    def to_text(self) -> str:
        """For the database."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Everyone(Cohort):
    """All devices."""

    def matches(self, _facts: DeviceFacts, _salt: bytes) -> bool:
        return True

    def in_words(self) -> str:
        return "all devices"

    def to_json(self) -> dict[str, object]:
        return {"all": True}


@dataclass(frozen=True, slots=True)
class Listed(Cohort):
    """Devices by their ids."""

    device_ids: frozenset[str]

    def matches(self, facts: DeviceFacts, _salt: bytes) -> bool:
        return facts.device_id in self.device_ids

    def in_words(self) -> str:
        if len(self.device_ids) == 1:
            return f"device {min(self.device_ids)}"
        return f"{len(self.device_ids)} listed devices"

    def to_json(self) -> dict[str, object]:
        return {"devices": sorted(self.device_ids)}


@dataclass(frozen=True, slots=True)
class InGroup(Cohort):
    """Devices that are in a group now."""

    name: str

    def matches(self, facts: DeviceFacts, _salt: bytes) -> bool:
        return self.name in facts.groups

    def in_words(self) -> str:
        return f"group {self.name}"

    def to_json(self) -> dict[str, object]:
        return {"group": self.name}

    def named(self, kind: type[InGroup | Saved]) -> frozenset[str]:
        return frozenset({self.name}) if kind is InGroup else frozenset()


@dataclass(frozen=True, slots=True)
class Saved(Cohort):
    """A cohort that is saved by a name; resolved before it is asked anything."""

    name: str

    def matches(self, facts: DeviceFacts, _salt: bytes) -> bool:
        raise AssertionError(f"cohort {self.name} was not resolved")

    def in_words(self) -> str:
        return f"cohort {self.name}"

    def to_json(self) -> dict[str, object]:
        return {"cohort": self.name}

    def named(self, kind: type[InGroup | Saved]) -> frozenset[str]:
        return frozenset({self.name}) if kind is Saved else frozenset()

    def resolved(self, lookup: Callable[[str], Cohort]) -> Cohort:
        return lookup(self.name)


@dataclass(frozen=True, slots=True)
class Share(Cohort):
    """A stable percentage of all devices, drawn anew in each rollout."""

    percent: int

    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        return is_within(draw_of(self.salted(salt), facts.device_id), self.percent)

    def in_words(self) -> str:
        return f"{self.percent} % of all devices"

    def to_json(self) -> dict[str, object]:
        return {"percent": self.percent}

    @staticmethod
    def salted(salt: bytes) -> bytes:
        """What the draw is made with: another one than a stage's share."""
        return _INNER_SALT + salt


class Operator(StrEnum):
    """How a value of a device is compared with a given one."""

    IS = "is"
    ONE_OF = "one_of"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ABOVE = "above"
    BELOW = "below"
    BEGINS_WITH = "begins_with"

    @property
    def in_words(self) -> str:
        return self.value.replace("_", " ")


OPERATORS: Mapping[Kind, Collection[Operator]] = {
    Kind.NUMBER: [one for one in Operator if one is not Operator.BEGINS_WITH],
    Kind.TEXT: (Operator.IS, Operator.ONE_OF, Operator.BEGINS_WITH),
    Kind.TRUTH: (Operator.IS,),
}


@dataclass(frozen=True, slots=True)
class Compare(Cohort):
    """Devices with a value that compares so: `values` has one item, or for ONE_OF some."""

    field: str
    how: Operator
    values: tuple[Value, ...]

    def matches(self, facts: DeviceFacts, _salt: bytes) -> bool:
        found = attribute(self.field)
        assert found is not None
        return any(self._holds(told) for told in found.told(facts))

    def _holds(self, told: Value) -> bool:
        match self.how, told, self.values[0]:
            case ((Operator.IS | Operator.ONE_OF), _, _):
                return told in self.values
            case Operator.BEGINS_WITH, str(), str(start):
                return told.startswith(start)
            case Operator.AT_LEAST, int(), int(limit):
                return told >= limit
            case Operator.AT_MOST, int(), int(limit):
                return told <= limit
            case Operator.ABOVE, int(), int(limit):
                return told > limit
            case Operator.BELOW, int(), int(limit):
                return told < limit
        raise AssertionError(f"{self.field} cannot be compared so")

    def in_words(self) -> str:
        shown = [str(value).lower() if isinstance(value, bool) else str(value) for value in self.values]
        return f"{self.field.replace('_', ' ')} {self.how.in_words} {', '.join(shown)}"

    def to_json(self) -> dict[str, object]:
        return {
            "field": self.field,
            self.how.value: list(self.values) if self.how is Operator.ONE_OF else self.values[0],
        }


@dataclass(frozen=True, slots=True)
class _Several(Cohort):
    """Made of parts."""

    parts: tuple[Cohort, ...]

    def inside(self) -> Sequence[Cohort]:
        return self.parts

    def resolved(self, lookup: Callable[[str], Cohort]) -> Cohort:
        return type(self)(tuple(part.resolved(lookup) for part in self.parts))

    def _joined(self, word: str) -> str:
        return f" {word} ".join(_inner_words(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Both(_Several):
    """Devices that belong to every part."""

    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        return all(part.matches(facts, salt) for part in self.parts)

    def in_words(self) -> str:
        return self._joined("and")

    def to_json(self) -> dict[str, object]:
        return {"and": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Either(_Several):
    """Devices that belong to any part."""

    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        return any(part.matches(facts, salt) for part in self.parts)

    def in_words(self) -> str:
        return self._joined("or")

    def to_json(self) -> dict[str, object]:
        return {"or": [part.to_json() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class Outside(Cohort):
    """Devices that do not belong to a cohort."""

    part: Cohort

    def inside(self) -> Sequence[Cohort]:
        return (self.part,)

    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        return not self.part.matches(facts, salt)

    def in_words(self) -> str:
        return f"not {_inner_words(self.part)}"

    def to_json(self) -> dict[str, object]:
        return {"not": self.part.to_json()}

    def resolved(self, lookup: Callable[[str], Cohort]) -> Cohort:
        return Outside(self.part.resolved(lookup))


@dataclass(frozen=True, slots=True)
class ReachingStage:
    """Whom a stage brings into its rollout: a share of a cohort."""

    cohort: Cohort
    percent: int

    @property
    def reaches_all(self) -> bool:
        """Whether it brings every device in."""
        return self.percent == 100 and self.cohort == Everyone()

    def in_words(self) -> str:
        return f"{self.percent} % of {self.cohort.in_words()}"


class CohortText(TypeDecorator[Cohort]):
    """A column that holds a cohort, as JSON; a saved one may have come into another one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Cohort | None, _dialect: Dialect) -> str | None:
        return None if value is None else value.to_text()

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Cohort | None:
        return None if value is None else _parsed(json.loads(value), "cohort", 1 - DEPTH_MAX)


def draw_of(salt: bytes, device_id: str) -> int:
    """A device's place among all, drawn once for a salt: 0 to 2**64 - 1."""
    return int.from_bytes(hashlib.sha256(salt + device_id.encode()).digest()[:8], "big")


def is_within(draw: int, percent: int) -> bool:
    """Whether a draw is among the first `percent` of a hundred; growing the share keeps everyone in it."""
    return draw * 100 < percent << 64


def share_limit(percent: int) -> bytes | None:
    """What a draw's first bytes lie below when it is among the first `percent`; None when all are."""
    lowest_outside = -(-(percent << 64) // 100)
    return None if percent >= 100 else lowest_outside.to_bytes(8, "big")


def _parsed(value: object, where: str, depth: int) -> Cohort:
    if depth > DEPTH_MAX:
        raise Invalid(f"{where}: a cohort is at most {DEPTH_MAX} expressions deep", where)
    match value:
        case {"all": True, **rest} if not rest:
            return Everyone()
        case {"devices": list(ids), **rest} if not rest:
            return Listed(_device_ids(ids, f"{where}.devices"))
        case {"group": str(name), **rest} if not rest and NAME.fullmatch(name):
            return InGroup(name)
        case {"cohort": str(name), **rest} if not rest and NAME.fullmatch(name):
            return Saved(name)
        case {"percent": int(percent), **rest} if not rest and type(percent) is int and 1 <= percent <= 100:
            return Share(percent)
        case {"field": str(name), **rest} if len(rest) == 1:
            operator, compared = rest.popitem()
            return _comparison(name, str(operator), compared, where)
        case {"and": list(parts), **rest} if not rest:
            return Both(_parts(parts, f"{where}.and", depth))
        case {"or": list(parts), **rest} if not rest:
            return Either(_parts(parts, f"{where}.or", depth))
        case {"not": part, **rest} if not rest:
            return Outside(_parsed(part, f"{where}.not", depth + 1))
    forms = (
        'all: true, devices: [ids], group: "name", cohort: "name", percent: 1 to 100, and: [...], or: [...], not: {...}'
    )
    raise Invalid(f"{where} is an object with one of {forms}; or with field and one comparison", where)


def _parts(values: Sequence[object], where: str, depth: int) -> tuple[Cohort, ...]:
    _check_length(values, PARTS_MAX, where)
    return tuple(_parsed(part, f"{where}[{number}]", depth + 1) for number, part in enumerate(values))


def _device_ids(values: Sequence[object], where: str) -> frozenset[str]:
    _check_length(values, DEVICES_MAX, where)
    found = frozenset(str(value).lower() for value in values)
    if not all(_DEVICE_ID.fullmatch(device_id) for device_id in found):
        raise Invalid(f"{where}: an id has 24 hexadecimal digits", where)
    return found


def _comparison(name: str, operator: str, value: object, where: str) -> Cohort:
    found = attribute(name)
    if found is None:
        raise Invalid(f"{where}: there is no field {name[:80]!r}; there are {', '.join(names())}", f"{where}.field")
    allowed = OPERATORS[found.kind]
    if operator not in allowed:
        raise Invalid(f"{where}: {name} is compared by {', '.join(allowed)}", where)
    how, where = Operator(operator), f"{where}.{operator}"
    if how is not Operator.ONE_OF:
        return Compare(name, how, (found.check(value, where),))
    if not isinstance(value, list):
        raise Invalid(f"{where} is a list", where)
    _check_length(value, PARTS_MAX, where)
    # Sorted, so that equal sets are equal cohorts.
    return Compare(name, how, tuple(sorted({found.check(item, where) for item in value})))


def _check_length(values: Sequence[object], longest: int, where: str) -> None:
    if not 1 <= len(values) <= longest:
        raise Invalid(f"{where} has 1 to {longest} items", where)


def _inner_words(part: Cohort) -> str:
    return f"({part.in_words()})" if isinstance(part, _Several) else part.in_words()
