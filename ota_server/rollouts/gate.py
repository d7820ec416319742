# SPDX-License-Identifier: Apache-2.0
"""What a stage waits for, and when its rollout pauses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from ota_server.errors import Invalid

COUNT_MAX = 2**31 - 1
SOAK_MAX_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Gate:
    """The condition under which a rollout goes on, waits or pauses (docs/howto/gates.md).

    Attributes:
        min_confirmed: confirmed boots of the whole rollout that the stage needs.
        soak_s: how long it goes on watching after it has them.
        max_failures: the rollout pauses above so many reverts and failures since the stage began.
    """

    min_confirmed: int = 1
    soak_s: int = 0
    max_failures: int = 0

    def __post_init__(self) -> None:
        """Raises Invalid."""
        _check_count("min_confirmed", self.min_confirmed, 1, COUNT_MAX)
        _check_count("soak_s", self.soak_s, 0, SOAK_MAX_S)
        _check_count("max_failures", self.max_failures, 0, COUNT_MAX)

    @classmethod
    def from_json(cls, value: object) -> Gate:
        """Of an object; what it leaves out has its default. Raises Invalid."""
        if not isinstance(value, Mapping):
            raise Invalid("a gate is an object", "gate")
        names = [field.name for field in fields(cls)]
        for name in value:
            if name not in names:
                raise Invalid(f"a gate has {', '.join(names)}; not {str(name)[:40]}", "gate")
        return cls(**value)

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def to_text(self) -> str:
        """For the database."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Gate:
        return cls.from_json(json.loads(text))


def _check_count(name: str, value: object, lowest: int, highest: int) -> None:
    # A bool is an int in Python and none in JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise Invalid(f"{name} is a whole number from {lowest} to {highest}", f"gate.{name}")
