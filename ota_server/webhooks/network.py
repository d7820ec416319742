# SPDX-License-Identifier: Apache-2.0
"""Sends a request to a server that somebody named, and to no other: never to this network's own machines.

A name is resolved once; every address that it has must be allowed, and the connection goes to one of just these. No
redirect is followed, and no proxy is used.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import httpcore

from ota_server.webhooks.hook import HookRequest

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
ANSWER_MAX = 16 * 1024
"""How much of an answer is read."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class NotDelivered(Exception):
    """No answer came; the text says why and holds nothing secret."""


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a server answered: its status and the beginning of its body."""

    status: int
    body: bytes


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates of this machine takes long."""
    return ssl.create_default_context()


class Sender:
    """Sends requests. Used by several threads.

    Args:
        allowed: networks that may be reached though they are private.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._backend = GuardedBackend(allowed)
        self._tls = _tls()

    def send(self, request: HookRequest) -> HookAnswer:
        """Sends a request and waits for its answer. Raises NotDelivered."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        limits = {"connect": CONNECT_TIMEOUT_S, "write": CONNECT_TIMEOUT_S, "read": ANSWER_TIMEOUT_S, "pool": 1.0}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=self._backend) as pool,
                pool.stream(
                    request.method,
                    request.url,
                    headers=list(request.headers),
                    content=request.body,
                    extensions={"timeout": limits},
                ) as response,
            ):
                body = b""
                for piece in response.iter_stream():
                    body += piece
                    if len(body) >= ANSWER_MAX or time.monotonic() > deadline:
                        break
                return HookAnswer(response.status, body[:ANSWER_MAX])
        except NotDelivered:
            raise
        except httpcore.TimeoutException as error:
            raise NotDelivered("no answer in time") from error
        # Errors of TLS and HTTP name what went wrong and, at most, the server's name.
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
            raise NotDelivered(str(error)[:150] or type(error).__name__) from error


class GuardedBackend(httpcore.SyncBackend):
    """Connects only to addresses that anybody may reach, and to those that are allowed besides."""

    def __init__(self, allowed: Iterable[Network]) -> None:
        super().__init__()
        self._allowed = tuple(allowed)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises NotDelivered for a host that has no address, or one that is not allowed."""
        addresses = self._addresses(host, port)
        return super().connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise NotDelivered("there are no webhooks to sockets of this machine")

    def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotDelivered(f"the name {host} cannot be resolved") from error
        addresses = [ipaddress.ip_address(str(one[4][0]).split("%")[0]) for one in found]
        if not addresses or not all(is_allowed(one, self._allowed) for one in addresses):
            raise NotDelivered(f"{host} is in a network that webhooks may not reach")
        return addresses


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a webhook may go there."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in allowed):
        return True
    # What carries an IPv4 address inside may lead anywhere; fec0::/10 is an older kind of private network.
    if isinstance(address, ipaddress.IPv6Address) and (
        address.sixtofour
        or address.teredo
        or address.is_site_local
        or any(address in network for network in _TRANSLATED)
    ):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified
