# SPDX-License-Identifier: Apache-2.0
"""Which devices: an expression over what devices tell and what people set."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ota_server.rollouts.facts import DeviceFacts


class Cohort(ABC):
    """A selection of devices."""

    __slots__ = ()

    @abstractmethod
    def matches(self, facts: DeviceFacts, salt: bytes) -> bool:
        """Whether a device belongs to it; `salt` spreads the devices over percentages."""

    @property
    @abstractmethod
    def words(self) -> str:
        """Which devices, in a phrase."""

    @property
    def groups(self) -> frozenset[str]:
        """Groups that it names."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Everyone(Cohort):
    """All devices."""

    def matches(self, _facts: DeviceFacts, _salt: bytes) -> bool:
        return True

    @property
    def words(self) -> str:
        return "all devices"


def draw_of(salt: bytes, device_id: str) -> int:
    """A device's place among all, drawn once for a salt: 0 to 2**64 - 1."""
    return int.from_bytes(hashlib.sha256(salt + device_id.encode()).digest()[:8], "big")


def is_within(draw: int, percent: int) -> bool:
    """Whether a draw is among the first `percent` of a hundred; growing the share keeps everyone in it."""
    return draw * 100 < percent << 64
