# SPDX-License-Identifier: Apache-2.0
"""Between serial ports and a server: docs/spec/serial_link.md.

`GatewayPort` is the rules, without any port, clock or network; `Gateway` runs one for each serial port. It forwards
sealed messages, which it can neither read nor forge, and serves patches from a cache of whole ones.
"""

from muster.gateway.gateway import Gateway, Watcher
from muster.gateway.patches import PatchSource
from muster.gateway.port import Exchange, ExchangeKind, GatewayPort, PatchRequest, PortCounts, Reply, Request
from muster.gateway.server import DeviceServer, HttpServer, ServerSilent

__all__ = [
    "DeviceServer",
    "Exchange",
    "ExchangeKind",
    "Gateway",
    "GatewayPort",
    "HttpServer",
    "PatchRequest",
    "PatchSource",
    "PortCounts",
    "Reply",
    "Request",
    "ServerSilent",
    "Watcher",
]
