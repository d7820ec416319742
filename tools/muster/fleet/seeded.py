# SPDX-License-Identifier: Apache-2.0
"""Who a simulated device is follows from a seed and its number, so that nothing has to be kept of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from muster.signing.keys import PrivateKey


@dataclass(frozen=True, slots=True)
class Seeded:
    """One device of a fleet.

    Attributes:
        device_id: 12 bytes.
        session_id, session_key: of the session that it has where the fleet was put into a database with its sessions.
    """

    device_id: bytes
    session_id: bytes
    session_key: bytes = field(repr=False)


def seeded(seed: str, number: int) -> Seeded:
    """The device of this number."""
    draw = hashlib.sha512(f"{seed} {number}".encode()).digest()
    return Seeded(draw[:12], draw[12:20], draw[20:52])


def seeded_key(seed: str, number: int) -> PrivateKey:
    """Its device key; deriving the public half takes longer than all the rest."""
    return PrivateKey(hashlib.sha256(f"{seed} {number} key".encode()).digest())
