# SPDX-License-Identifier: Apache-2.0
"""`muster gateway`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from muster.cli.server import DEFAULT_URL
from muster.errors import ValueOutOfRange
from muster.gateway import Exchange, Gateway, GatewayPort, HttpServer

_EXAMPLE = "Example: muster gateway --port /dev/ttyACM0 --port /dev/ttyACM1 --server http://127.0.0.1:8000"
_OK = 200
_REPAINT_S = 0.25


@click.command("gateway", epilog=_EXAMPLE)
@click.option(
    "--port",
    "ports",
    multiple=True,
    required=True,
    metavar="PORT",
    help="A serial port, a pty, or socket://HOST:PORT. May be given again.",
)
@click.option(
    "--server", "url", envvar="MUSTER_SERVER", default=DEFAULT_URL, show_default=True, help="The server's address."
)
@click.option("--verbose", is_flag=True, help="Show the devices' log text even when stderr is no terminal.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr.")
@click.option("--json", "as_json", is_flag=True, help="At the end, print what went through each port as JSON.")
def gateway(ports: tuple[str, ...], url: str, verbose: bool, quiet: bool, as_json: bool) -> None:
    """Connect devices at serial ports to a server.

    Forwards their messages and fetches their patches until Ctrl-C. A port that vanishes is opened again when it is
    back.
    """
    if len(set(ports)) != len(ports):
        raise ValueOutOfRange("a port is named twice")
    console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, soft_wrap=True)
    all_open = None if as_json else f"forwarding between {len(ports)} ports and {url}"
    watcher = _Terminal(console, verbose or console.is_terminal, all_open)
    found = asyncio.run(_serve(ports, url, watcher))
    if as_json:
        facts = [{"port": port, **dataclasses.asdict(rules.counts)} for port, rules in found.items()]
        click.echo(json.dumps({"ports": facts}, indent=2))


async def _serve(ports: tuple[str, ...], url: str, watcher: _Terminal) -> dict[str, GatewayPort]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with HttpServer(url) as server:
        gateway = Gateway(ports, server, watcher)
        with watcher.showing(gateway):
            painter = asyncio.create_task(watcher.repaint())
            try:
                await gateway.run(stop)
            finally:
                painter.cancel()
    return gateway.ports


class _Terminal:
    """Tells what happens on stderr; on a terminal with a line for each port below, and a bar while a patch goes out.

    `all_open` is a line for stdout when every port has been opened.
    """

    def __init__(self, console: Console, shows_log: bool, all_open: str | None) -> None:
        self._console = console
        self._shows_log = shows_log
        self._all_open = all_open
        self._missing: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("patch {task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("up {task.fields[up]:,} down {task.fields[down]:,} of patches {task.fields[patches]:,} bytes"),
            console=console,
            auto_refresh=False,
            disable=not console.is_terminal or console.quiet,
        )
        self._tasks: dict[str, TaskID] = {}
        self._failing: dict[str, int] = {}
        self._gateway: Gateway | None = None

    @contextmanager
    def showing(self, gateway: Gateway) -> Iterator[None]:
        """Shows the ports of a gateway while the block runs."""
        self._gateway = gateway
        self._missing = set(gateway.ports)
        for url in gateway.ports:
            self._tasks[url] = self._progress.add_task(url, total=0, up=0, down=0, patches=0)
        with self._progress:
            yield
        for url, rules in gateway.ports.items():
            counts = rules.counts
            self._say(
                f"{url}: {counts.exchanges} messages, {counts.failures} failed; "
                f"{counts.up:,} bytes up, {counts.down:,} down, of these {counts.patches:,} of patches"
            )

    async def repaint(self) -> None:
        """Paints the numbers again and again, on a terminal."""
        while self._gateway is not None and not self._progress.disable:
            for url, rules in self._gateway.ports.items():
                counts = rules.counts
                self._progress.update(self._tasks[url], up=counts.up, down=counts.down, patches=counts.patches)
            self._progress.refresh()
            await asyncio.sleep(_REPAINT_S)

    def opened(self, url: str) -> None:
        self._say(f"{url}: open")
        self._missing.discard(url)
        if not self._missing and self._all_open is not None:
            click.echo(self._all_open)
            self._all_open = None

    def lost(self, url: str, why: str) -> None:
        self._say(f"{url}: {why}; trying again")

    def log(self, url: str, line: str) -> None:
        if self._shows_log:
            self._say(f"{url}| {line}")

    def exchanged(self, url: str, exchange: Exchange, status: int) -> None:
        if status == _OK:
            self._failing.pop(url, None)
        elif self._failing.get(url) != status:  # once, not at every try
            self._failing[url] = status
            what = "no answer from the server" if status == 0 else f"the server answers with status {status}"
            self._say(f"{url}: {what} ({exchange.kind})")

    def served(self, url: str, offset: int, length: int) -> None:
        self._progress.update(self._tasks[url], completed=offset, total=length)

    def starved(self, url: str, why: str) -> None:
        self._say(f"{url}: {why}")

    def _say(self, text: str) -> None:
        # What a device writes must not steer the terminal.
        clean = "".join(char if char.isprintable() else "\ufffd" for char in text)
        self._console.print(clean, markup=False)
