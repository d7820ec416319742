# SPDX-License-Identifier: Apache-2.0
"""What a stage waits for, and when its rollout pauses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ota_server.errors import Invalid
from ota_server.organizations.roles import PERMISSIONS, Permission, Role

COUNT_MAX = 2**31 - 1
SOAK_MAX_S = 90 * 24 * 3600
RATES = ("max_failure_rate", "max_revert_rate", "max_crash_rate")
RATE_MIN, RATE_MAX = 0.0001, 0.9999
PEOPLE_MAX = 10
APPROVERS = tuple(role for role in Role if Permission.CONTROL_FIRMWARE in PERMISSIONS[role])
"""Roles that may approve, highest first."""


@dataclass(frozen=True, slots=True)
class Approval:
    """So many different people of at least a role let the stage end, when all else does.

    `role`: one that may control firmware.
    """

    role: Role = Role.DEVELOPER
    people: int = 1

    def __post_init__(self) -> None:
        """Raises Invalid."""
        if self.role not in APPROVERS:
            raise Invalid(f"role is {' or '.join(APPROVERS)}", "gate.approval")
        _check_count("people", self.people, 1, PEOPLE_MAX)

    @classmethod
    def from_json(cls, value: object) -> Approval:
        """Of an object with `role`, `people` or both. Raises Invalid."""
        found = _object(value, cls, "approval", "gate.approval")
        if not found:
            raise Invalid("an approval says by whom: role, people or both", "gate.approval")
        role = found.pop("role", Role.DEVELOPER)
        return cls(Role(role) if isinstance(role, str) and role in APPROVERS else role, **found)

    def may_give(self, role: Role | None) -> bool:
        """Whether a member with this role may; None: no member."""
        return role in APPROVERS[: APPROVERS.index(self.role) + 1]

    def in_words(self) -> str:
        who = f"{self.role.value} or above" if self.role is not APPROVERS[0] else self.role.value
        return f"{self.people} {'person' if self.people == 1 else 'people'} ({who})"


@dataclass(frozen=True, slots=True)
class Gate:
    """The condition under which a rollout goes on, waits or pauses (docs/howto/gates.md).

    Attributes:
        min_confirmed: confirmed boots of the whole rollout that the stage needs.
        soak_s: how long it goes on watching after it has them.
        max_failures: the rollout pauses above so many reverts and failures since the stage began; None: however many
            there are.
        max_failure_rate, max_revert_rate, max_crash_rate: it pauses when there is enough evidence (`sequential`) that
            more than this share of the devices offered it fail, revert or crash; None: whatever their share is.
        worse_than_before: it pauses when there is enough evidence that more devices fail, revert or crash than with the
            version that most of them ran before.
        approval: whose word it waits for besides; None: nobody's.
    """

    min_confirmed: int = 1
    soak_s: int = 0
    max_failures: int | None = 0
    max_failure_rate: float | None = None
    max_revert_rate: float | None = None
    max_crash_rate: float | None = None
    worse_than_before: bool = False
    approval: Approval | None = None

    def __post_init__(self) -> None:
        """Raises Invalid."""
        _check_count("min_confirmed", self.min_confirmed, 1, COUNT_MAX)
        _check_count("soak_s", self.soak_s, 0, SOAK_MAX_S)
        if self.max_failures is not None:
            _check_count("max_failures", self.max_failures, 0, COUNT_MAX)
        for name in RATES:
            _check_rate(name, getattr(self, name))
        if not isinstance(self.worse_than_before, bool):
            raise Invalid("worse_than_before is true or false", "gate.worse_than_before")

    @classmethod
    def from_json(cls, value: object) -> Gate:
        """Of an object; what it leaves out has its default. With a limit for a rate, failures need no other one.

        Raises:
            Invalid: what is wrong, and in which field.
        """
        given = _object(value, cls, "a gate", "gate")
        if given.get("approval") is not None:
            given["approval"] = Approval.from_json(given["approval"])
        if any(given.get(name) is not None for name in RATES) or given.get("worse_than_before"):
            given.setdefault("max_failures", None)
        return cls(**given)

    def to_json(self) -> dict[str, object]:
        """As the API shows and takes it."""
        return asdict(self)

    def needs_in_words(self) -> str:
        """What opens it."""
        needs = [f"{self.min_confirmed} confirmed"]
        needs += [f"{duration(self.soak_s)} later"] if self.soak_s else []
        needs += [f"approved by {self.approval.in_words()}"] if self.approval is not None else []
        return ", ".join(needs)

    def limits_in_words(self) -> str:
        """What pauses the rollout."""
        limits = [] if self.max_failures is None else [f"{self.max_failures} failures"]
        rates = (("fail", self.max_failure_rate), ("revert", self.max_revert_rate), ("crash", self.max_crash_rate))
        limits += [f"{percent(rate)} that {verb}" for verb, rate in rates if rate is not None]
        return ", ".join([*limits, *(["the version before"] if self.worse_than_before else [])])

    def to_text(self) -> str:
        """For the database."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Gate:
        return cls.from_json(json.loads(text))


def _object(value: object, kind: type[Approval | Gate], what: str, field: str) -> dict[str, Any]:
    """A copy of an object that has fields of this kind and no others. Raises Invalid."""
    if not isinstance(value, Mapping):
        raise Invalid(f"{what} is an object", field)
    names = [one.name for one in fields(kind)]
    for name in value:
        if name not in names:
            raise Invalid(f"{what} has {', '.join(names)}; not {str(name)[:40]}", field)
    return dict(value)


def duration(seconds: int) -> str:
    """In the largest unit that leaves no rest."""
    units = ((86_400, "d"), (3600, "h"), (60, "min"))
    return next((f"{seconds // size} {unit}" for size, unit in units if seconds % size == 0), f"{seconds} s")


def percent(rate: float) -> str:
    """A share in words."""
    return f"{rate * 100:.4g} %"


def _check_count(name: str, value: object, lowest: int, highest: int) -> None:
    # A bool is an int in Python and none in JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise Invalid(f"{name} is a whole number from {lowest} to {highest}", f"gate.{name}")


def _check_rate(name: str, value: object) -> None:
    if value is None:
        return
    # No comparison holds with a NaN.
    if not isinstance(value, int | float) or isinstance(value, bool) or not RATE_MIN <= value <= RATE_MAX:
        raise Invalid(f"{name} is a share from {RATE_MIN} to {RATE_MAX}, such as 0.02 for 2 %", f"gate.{name}")
