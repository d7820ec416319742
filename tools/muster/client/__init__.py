# SPDX-License-Identifier: Apache-2.0
"""Talks to a server's management API (docs/howto/server.md)."""

from muster.client.accounts import AccountCalls
from muster.client.apps import AppCalls
from muster.client.devices import DeviceCalls
from muster.client.organizations import OrganizationCalls
from muster.client.releases import ReleaseCalls, Stage
from muster.client.sign_in import CLIENT, CodeNeeded, send_code, sign_in
from muster.client.wire import JsonObject, ServerRefused, ServerUnreachable


class ServerClient(AccountCalls, OrganizationCalls, ReleaseCalls, DeviceCalls, AppCalls):
    """The management API of one server; see `wire.Wire`. Close it after use."""


__all__ = [
    "CLIENT",
    "CodeNeeded",
    "JsonObject",
    "ServerClient",
    "ServerRefused",
    "ServerUnreachable",
    "Stage",
    "send_code",
    "sign_in",
]
