# SPDX-License-Identifier: Apache-2.0
"""What a stage waits for, and when its rollout pauses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ota_server.errors import Invalid

COUNT_MAX = 2**31 - 1
SOAK_MAX_S = 90 * 24 * 3600
RATES = ("max_failure_rate", "max_revert_rate", "max_crash_rate")
RATE_MIN, RATE_MAX = 0.0001, 0.9999


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
    """

    min_confirmed: int = 1
    soak_s: int = 0
    max_failures: int | None = 0
    max_failure_rate: float | None = None
    max_revert_rate: float | None = None
    max_crash_rate: float | None = None

    def __post_init__(self) -> None:
        """Raises Invalid."""
        _check_count("min_confirmed", self.min_confirmed, 1, COUNT_MAX)
        _check_count("soak_s", self.soak_s, 0, SOAK_MAX_S)
        if self.max_failures is not None:
            _check_count("max_failures", self.max_failures, 0, COUNT_MAX)
        for name in RATES:
            _check_rate(name, getattr(self, name))

    @classmethod
    def from_json(cls, value: object) -> Gate:
        """Of an object; what it leaves out has its default. With a limit for a rate, failures need no other one.

        Raises:
            Invalid: what is wrong, and in which field.
        """
        if not isinstance(value, Mapping):
            raise Invalid("a gate is an object", "gate")
        names = [field.name for field in fields(cls)]
        for name in value:
            if name not in names:
                raise Invalid(f"a gate has {', '.join(names)}; not {str(name)[:40]}", "gate")
        given: dict[str, Any] = dict(value)
        if any(given.get(name) is not None for name in RATES):
            given.setdefault("max_failures", None)
        return cls(**given)

    def to_json(self) -> dict[str, object]:
        """As the API shows and takes it."""
        return asdict(self)

    def needs_in_words(self) -> str:
        """What opens it."""
        soak = f", {self.soak_s} s before" if self.soak_s else ""
        return f"{self.min_confirmed} confirmed{soak}"

    def limits_in_words(self) -> str:
        """What pauses the rollout."""
        limits = [] if self.max_failures is None else [f"{self.max_failures} failures"]
        rates = (("fail", self.max_failure_rate), ("revert", self.max_revert_rate), ("crash", self.max_crash_rate))
        limits += [f"{percent(rate)} that {verb}" for verb, rate in rates if rate is not None]
        return ", ".join(limits)

    def to_text(self) -> str:
        """For the database."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Gate:
        return cls.from_json(json.loads(text))


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
