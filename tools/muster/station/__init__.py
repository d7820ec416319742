# SPDX-License-Identifier: Apache-2.0
"""A factory station: boards at serial ports, a server, and a record of every unit (docs/howto/devices.md).

`Station` decides what becomes of a board; `Record` keeps what did; `SerialNumbers` gives out serial numbers.
"""

from muster.station.record import COLUMNS, Record, Result, Unit
from muster.station.registry import Known, Registry, ServerRegistry
from muster.station.serial_numbers import SerialNumbers
from muster.station.station import Labels, Station

__all__ = [
    "COLUMNS",
    "Known",
    "Labels",
    "Record",
    "Registry",
    "Result",
    "SerialNumbers",
    "ServerRegistry",
    "Station",
    "Unit",
]
