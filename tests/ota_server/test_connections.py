# SPDX-License-Identifier: Apache-2.0
"""Whoever only holds connections open keeps nobody out."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ota_server.connections import Connections
from ota_server.observe.measures import ConnectionMeasures

MOST, OF_ADDRESS_MOST = 5, 3
ADDRESSES = ("192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::2:1", "127.0.0.1", "::1")


class Fake:
    """A connection that notes its end."""

    def __init__(self) -> None:
        self._ends = 0

    def abort(self) -> None:
        self._ends += 1

    def is_over(self) -> bool:
        return self._ends > 0


def made(most: int = MOST) -> Connections:
    return Connections(most, OF_ADDRESS_MOST, ConnectionMeasures())


def fill(connections: Connections, count: int, address: str = "127.0.0.1") -> list[Fake]:
    some = [Fake() for _ in range(count)]
    assert all(connections.add(one, address) for one in some)
    return some


def test_the_longest_idle_one_goes_for_a_new_one() -> None:
    connections = made()
    first, second, *_ = fill(connections, MOST)
    connections.busy(first)
    fill(connections, 1)
    assert (first.is_over(), second.is_over()) == (False, True)
    connections.idle(first)
    others = fill(connections, MOST - 1)
    assert not first.is_over()
    fill(connections, 1)
    assert first.is_over()
    assert not any(one.is_over() for one in others)


def test_when_all_are_at_work_a_new_one_is_refused() -> None:
    connections = made()
    for one in fill(connections, MOST):
        connections.busy(one)
    assert not connections.add(Fake(), "127.0.0.1")


def test_an_address_has_its_share_and_ipv6_counts_by_its_site() -> None:
    for address in ("192.0.2.1", "2001:db8::1"):
        connections = made()
        fill(connections, OF_ADDRESS_MOST, address)
        assert not connections.add(Fake(), address)
        assert connections.add(Fake(), "192.0.2.9")
    connections = made()
    fill(connections, OF_ADDRESS_MOST, "2001:db8::1")
    assert not connections.add(Fake(), "2001:db8::ffff:1"), "the same /64"
    assert connections.add(Fake(), "2001:db8:0:1::1")
    connections = made()
    fill(connections, OF_ADDRESS_MOST, "192.0.2.1")
    assert not connections.add(Fake(), "::ffff:192.0.2.1"), "the same address"


steps = st.tuples(st.sampled_from(("add", "busy", "idle", "remove")), st.integers(0, 7), st.sampled_from(ADDRESSES))


@given(st.lists(steps, max_size=60))
def test_counts_hold_whatever_happens(script: list[tuple[str, int, str]]) -> None:
    connections, open_now = made(), dict[int, tuple[Fake, str]]()
    for step, number, address in script:
        known = open_now.get(number)
        if step == "add" and known is None:
            one = Fake()
            if connections.add(one, address):
                open_now[number] = one, address
        elif known is not None and step == "remove":
            connections.remove(known[0])
            connections.remove(known[0])
            del open_now[number]
        elif known is not None and step != "add":
            (connections.busy if step == "busy" else connections.idle)(known[0])
        open_now = {key: one for key, one in open_now.items() if not one[0].is_over()}
        assert len(connections) == len(open_now) <= MOST
        counts = Counter(address for _, address in open_now.values() if address not in ("127.0.0.1", "::1"))
        assert all(count <= OF_ADDRESS_MOST for count in counts.values())
