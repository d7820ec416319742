# SPDX-License-Identifier: Apache-2.0
"""The option of the server's commands that says which private networks webhooks may reach."""

from __future__ import annotations

from ipaddress import ip_network

import click

from ota_server.webhooks.network import Network


class _NetworkType(click.ParamType[Network]):
    """An IP network, such as 10.1.0.0/16."""

    name = "network"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return ip_network(str(value))
        except ValueError:
            self.fail(f"{value} is no network, such as 10.1.0.0/16 or fd00::/8", param, ctx)


hook_network_option = click.option(
    "--hook-network",
    "hook_networks",
    multiple=True,
    type=_NetworkType(),
    metavar="CIDR",
    help="A private network that webhooks may reach, such as 10.1.0.0/16; may be given again.",
)
