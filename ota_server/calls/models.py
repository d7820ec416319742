# SPDX-License-Identifier: Apache-2.0
"""A call as the server keeps it while somebody waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from ota_server.storage.schema import metadata, status_type


class CallKind(StrEnum):
    """What a device is asked for."""

    FUNCTION = "function"
    VARIABLE = "variable"
    SIGNAL = "signal"
    """To show people which device it is (argument "1"), or to stop that ("0"); it has no name."""


calls = Table(
    "calls",
    metadata,
    # The call id of the device protocol, random: a device does an id once, and a restored database must not repeat one.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("device_row", ForeignKey("devices.id", ondelete="CASCADE"), nullable=False),
    Column("kind", status_type(CallKind, "call_kind"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("argument", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    # JSON, once the device has told it.
    Column("result", Text, nullable=True),
    Index("ix_calls_device_row", "device_row"),
    Index("ix_calls_expires_ms", "expires_ms"),
)


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that its device has not answered."""

    id: int
    kind: CallKind
    name: str
    argument: str
