# SPDX-License-Identifier: Apache-2.0
"""`muster device provision`: boards at the ports of a factory station, one after another."""

from __future__ import annotations

import glob
import json
import signal
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from types import FrameType, TracebackType
from typing import Self

import click

from muster.cli.files import InputFile, OutputFile, read_bytes
from muster.cli.output import json_option
from muster.cli.server import open_client, product_id, product_option, server_options
from muster.client import ServerClient, ServerRefused, ServerUnreachable
from muster.errors import DeviceError, EnvironmentFault, FormatError
from muster.serial import Info, Link, PortTransport
from muster.station import COLUMNS, Labels, Record, Result, SerialNumbers, ServerRegistry, Station, Unit

_ASK_S = 0.3
"""A board that is there answers within a tenth of it."""
_MISSES = 3
"""Questions in a row without an answer after which a board has gone."""
_IDLE_S = 0.3
"""Between two looks for ports, while there are none."""


@dataclass(slots=True)
class _Place:
    """An open port, and the board at it."""

    transport: PortTransport
    link: Link
    device_id: bytes | None = None
    misses: int = 0


class _Ports:
    """Boards that come to some ports. Ports may come and go, too."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._places: dict[str, _Place] = {}
        self._unusable: set[str] = set()
        self._stop = Event()

    def boards(self) -> Generator[tuple[Link, Info]]:
        """Each board once per time that it comes, until Ctrl-C; a second Ctrl-C interrupts what is under way."""
        with self._until_interrupted():
            while not self._stop.is_set():
                self._open_new()
                for port in list(self._places):
                    info = self._new_board(port)
                    if info is not None:
                        yield Link(self._places[port].transport), info
                    if self._stop.is_set():
                        return
                if not self._places:
                    self._stop.wait(_IDLE_S)

    @contextmanager
    def _until_interrupted(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stop.set()
            restore()

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()
            for place in self._places.values():
                place.transport.close()

    def _open_new(self) -> None:
        """Opens what is there now. A port that cannot be opened is tried again: it may be about to come."""
        for pattern in self._patterns:
            for port in sorted(glob.glob(pattern)) or [pattern]:
                if port in self._places:
                    continue
                try:
                    transport = PortTransport(port)
                except EnvironmentFault as error:
                    self._say_once(port, error)
                    continue
                self._places[port] = _Place(transport, Link(transport, timeout_s=_ASK_S, tries=1))

    def _say_once(self, port: str, error: EnvironmentFault) -> None:
        """A port that is not there may come; one that is there and cannot be used is somebody's to mend."""
        if port not in self._unusable and Path(port).exists():
            self._unusable.add(port)
            click.echo(f"{error}; trying again", err=True)

    def _new_board(self, port: str) -> Info | None:
        """What is at a port now and was not there before."""
        place = self._places[port]
        try:
            info = place.link.info()
        except DeviceError:
            place.misses += 1
            if place.misses >= _MISSES:
                place.device_id = None
            return None
        except EnvironmentFault:
            place.transport.close()
            del self._places[port]
            return None
        place.misses = 0
        if info.device_id == place.device_id:
            return None
        place.device_id = info.device_id
        return info


class _Teller:
    """Says what became of each unit, and at the end of all. A context manager."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.counts: Counter[Result] = Counter()

    def tell(self, unit: Unit) -> None:
        self.counts[unit.result] += 1
        if self._as_json:
            click.echo(json.dumps(dict(zip(COLUMNS, unit.to_cells(), strict=True))))
            return
        words = (
            f"{unit.result.value:<19}",
            unit.device_id,
            f"{unit.platform:<8}",
            f"{unit.serial_number or '-':<10}",
            unit.fingerprint[:16] or "-",
            unit.why,
        )
        click.echo("  ".join(words).rstrip())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The summary; and exit code 1 when the server does not know a unit."""
        facts = {result.value.replace(" ", "_"): self.counts[result] for result in Result}
        if self._as_json:
            click.echo(json.dumps({"units": self.counts.total(), **facts}))
        else:
            said = ", ".join(f"{self.counts[result]} {result.value}" for result in Result if self.counts[result])
            click.echo(f"{self.counts.total()} units" + (f": {said}" if said else ""))
        if error is None and (self.counts[Result.REFUSED] or self.counts[Result.NOT_REGISTERED]):
            click.get_current_context().exit(1)


@click.command(epilog="Example: muster device provision --port '/dev/ttyACM*' --record units.csv")
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PORT",
    help="A serial port, a pattern such as '/dev/ttyACM*', or socket://HOST:PORT. May be given again.",
)
@click.option("--record", type=OutputFile, help="The file to write a line to for each unit (CSV).")
@click.option("--register", type=InputFile, metavar="RECORD", help="Only register what RECORD has as not registered.")
@click.option("--serial-numbers", type=InputFile, help="A file of serial numbers to give out, one per line.")
@click.option("--serial-number-prefix", metavar="PREFIX", help="Give out PREFIX00001, PREFIX00002 and so on.")
@click.option("--name", default="", help="What to call each; {serial_number} in it is replaced.")
@click.option("--group", "groups", multiple=True, help="A group for each unit; may be given again.")
@click.option("--claim", is_flag=True, help="Give each new unit a claim code: it is yours at its first check-in.")
@click.option("--count", type=click.IntRange(1), help="End after so many units. [default: at Ctrl-C]")
@product_option
@server_options
@json_option
def provision(
    ports: tuple[str, ...],
    record: Path | None,
    register: Path | None,
    serial_numbers: Path | None,
    serial_number_prefix: str | None,
    name: str,
    groups: tuple[str, ...],
    claim: bool,
    count: int | None,
    product: int | None,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Register boards as they come to serial ports.

    A board says its id and the public key that it made at its first start; both are registered with the server, and a
    line is written to the record. With --json one object per line.
    """
    path = record or register
    if path is None or (record is None) == (register is None) or (register is None) != bool(ports):
        raise click.UsageError("give --port and --record, or --register")
    if serial_numbers is not None and serial_number_prefix is not None:
        raise click.UsageError("give --serial-numbers or --serial-number-prefix")
    if "{serial_number}" in name and serial_numbers is None and serial_number_prefix is None:
        raise click.UsageError("a name with {serial_number} needs --serial-numbers or --serial-number-prefix")
    teller = _Teller(as_json)
    with open_client(url, token_file) as client, Record(path) as opened:
        numbers = _numbers(opened, serial_numbers, serial_number_prefix)
        if product is None and opened.units:
            product = opened.units[0].product
        number = product_id(client, product)
        labels = Labels(name, " ".join(groups))
        station = Station(number, opened, ServerRegistry(client, number), _now, numbers, labels)
        if register is None:
            _check_server(client, number)
        with teller:
            if register is not None:
                for unit in station.register_pending():
                    teller.tell(unit)
            else:
                click.echo(f"waiting for boards at {', '.join(ports)}; Ctrl-C ends", err=True)
                with closing(_Ports(ports).boards()) as boards:
                    for link, info in islice(boards, count):
                        unit = station.take(info)
                        teller.tell(unit)
                        if claim and unit.result is Result.REGISTERED:
                            _give_claim_code(client, link, number)


COMMANDS = (provision,)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _numbers(record: Record, listed: Path | None, prefix: str | None) -> SerialNumbers:
    used = [unit.serial_number for unit in record.units if unit.serial_number]
    if prefix is not None:
        return SerialNumbers.counted(prefix, used)
    if listed is None:
        return SerialNumbers.none()
    try:
        return SerialNumbers.listed(read_bytes(listed).decode("ascii").splitlines(), used)
    except UnicodeDecodeError as error:
        raise FormatError(f"{listed} is not a list of serial numbers: it is not ASCII") from error


def _check_server(client: ServerClient, product: int) -> None:
    """A wrong token or product is told before the first board; a server that is away is no reason to wait."""
    try:
        client.product(product)
    except ServerUnreachable as error:
        click.echo(f"{error}; units are recorded as not registered, for --register", err=True)


def _give_claim_code(client: ServerClient, link: Link, product: int) -> None:
    try:
        link.claim(client.claim_code(product))
    except (DeviceError, EnvironmentFault, ServerRefused) as error:
        click.echo(f"no claim code was given: {error}", err=True)
