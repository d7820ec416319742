# SPDX-License-Identifier: Apache-2.0
"""The serial link to a device: docs/spec/serial_link.md.

`UpdateHost` runs one update without any port or clock; `Link` asks questions over a `SerialTransport`, which is a
`PortTransport` or, for an emulated device, a `VirtualTransport`.
"""

from muster.serial.frame import Frame, FrameReader
from muster.serial.host import FINAL_STATES, UpdateHost, UpdateProgress, UpdateState
from muster.serial.info import BootState, FaultInfo, Info, Outcome, ResetCause
from muster.serial.link import Link, SerialTransport
from muster.serial.messages import Offer, frame_of
from muster.serial.port import PortTransport
from muster.serial.virtual import VirtualTransport

__all__ = [
    "FINAL_STATES",
    "BootState",
    "FaultInfo",
    "Frame",
    "FrameReader",
    "Info",
    "Link",
    "Offer",
    "Outcome",
    "PortTransport",
    "ResetCause",
    "SerialTransport",
    "UpdateHost",
    "UpdateProgress",
    "UpdateState",
    "VirtualTransport",
    "frame_of",
]
