# SPDX-License-Identifier: Apache-2.0
"""How many connections there may be, and which one goes when a new one comes."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from ota_server.observe.measures import ConnectionMeasures

IPV6_SITE = 64
"""Bits of an IPv6 address that say whose it is: the rest a host chooses."""


class Connection(Protocol):
    """What is connected, compared by identity. `abort` ends it at once; it is then removed."""

    def abort(self) -> None: ...


class Connections:
    """The connections of one process, used from its event loop.

    A connection is *idle* until the head of a request has come, and again after its answer. When there are too many,
    the one that has been idle longest goes, so that whoever only holds connections open keeps nobody out.

    Args:
        most: at once.
        of_address_most: from one address (of IPv6, one /64); a proxy on this machine is no address.
    """

    def __init__(self, most: int, of_address_most: int, measures: ConnectionMeasures) -> None:
        self._most = most
        self._of_address_most = of_address_most
        self.measures = measures
        self._addresses: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        self._idle: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, one: Connection, address: str) -> bool:
        """Counts a new connection in; False when there is no room for it."""
        address = _site(address)
        if address and self._counts[address] >= self._of_address_most:
            self.measures.ended("address")
            return False
        if len(self) >= self._most:
            longest = next(iter(self._idle), None)
            if longest is None:
                self.measures.ended("full")
                return False
            self.measures.ended("idle")
            self.remove(longest)
            longest.abort()
        self._addresses[one] = address
        self._counts[address] += 1
        self._idle[one] = None
        self.measures.open = len(self)
        return True

    def busy(self, one: Connection) -> None:
        """The head of a request has come."""
        self._idle.pop(one, None)

    def idle(self, one: Connection) -> None:
        """Its answer is over."""
        if one in self._addresses:
            self._idle[one] = None

    def remove(self, one: Connection) -> None:
        """It is over. Doing it again changes nothing."""
        self._idle.pop(one, None)
        address = self._addresses.pop(one, None)
        if address is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        self.measures.open = len(self)


def _site(address: str) -> str:
    """Who counts as one; empty for this machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return _site(str(parsed.ipv4_mapped))
        if not parsed.is_loopback:
            return str(IPv6Address(int(parsed) >> IPV6_SITE << IPV6_SITE))
    return "" if parsed.is_loopback else str(parsed)
