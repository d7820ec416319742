# SPDX-License-Identifier: Apache-2.0
"""`muster monitor`."""

from __future__ import annotations

import click

from muster.cli.board_info import info_facts
from muster.cli.output import json_option, print_facts
from muster.errors import DeviceError
from muster.serial import Link, PortTransport

ANSWER_TIMEOUT_S = 2.0
"""For each of a few questions: a device may be erasing flash, or restarting."""
_LISTEN_S = 3600.0


@click.command("monitor", epilog="Example: muster monitor /dev/ttyACM0")
@click.argument("port", metavar="PORT")
@json_option
def command(port: str, as_json: bool) -> None:
    """Show what the device at PORT says of itself, then its log lines.

    PORT is a serial port, the pty of `muster emulate`, or socket://HOST:PORT. Ends with Ctrl-C; with --json, after what
    the device says of itself.
    """
    with PortTransport(port) as transport:
        link = Link(transport, on_log=None if as_json else click.echo, timeout_s=ANSWER_TIMEOUT_S)
        try:
            facts = info_facts(link.info())
        except DeviceError as error:
            if as_json:
                raise
            click.echo(f"{error}; its log lines follow, if there are any", err=True)
        else:
            print_facts(facts, as_json)
        while not as_json:
            link.listen(_LISTEN_S)
