# SPDX-License-Identifier: Apache-2.0
"""Cuts the power of an emulated board at chosen flash operations of one task, and lets the board finish the task."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

from muster.delta import Patch
from muster.device.bootlog import TRIALS_MAX, AttemptState, RecordType
from muster.emulator import CutMode, Device, RunReason, Snapshot
from muster.errors import DeviceError, MusterError
from muster.image.image import Image
from muster.layout import (
    ERASED,
    IDENTITY_PREFIX_SIZE,
    LOG_SECTORS,
    SECTOR_ADDRS,
    SECTOR_SIZES,
    SLOT_SIZE,
    STORE_SECTORS,
    Slot,
)
from muster.serial import (
    BootState,
    Frame,
    FrameReader,
    Link,
    Offer,
    UpdateHost,
    UpdateState,
    VirtualTransport,
)
from muster.serial.messages import Fetch
from muster.serial.parse import message_of
from tests.e2e.board import RECOVERY_LINE, UPDATE_TIMEOUT_S, Board

_STEP_S = 0.001
_BOOT_TIMEOUT_S = 10.0
_ERASE_TIMEOUT_S = 20.0
_OPERATIONS_BETWEEN_SNAPSHOTS = 100
_SECTORS = range(len(SECTOR_SIZES))


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut at the n-th flash operation of a task (1: the first one)."""

    n: int
    mode: CutMode

    def __str__(self) -> str:
        return f"{self.mode.name.lower()} cut at operation {self.n}"


@dataclass(frozen=True, slots=True)
class Window:
    """Some flash operations in a row, `first` to `last`, and the device before them.

    Attributes:
        sectors: those that the operations change.
    """

    first: int
    last: int
    before: Snapshot
    sectors: frozenset[int]

    @property
    def keeps_records(self) -> bool:
        """Whether boot log or record store are written."""
        return not self.sectors.isdisjoint(LOG_SECTORS + STORE_SECTORS)

    @property
    def operations(self) -> range:
        return range(self.first, self.last + 1)


class SteppingTransport:
    """A SerialTransport that stops the device every millisecond and tells of it."""

    def __init__(self, device: Device, stopped: Callable[[], None]) -> None:
        self._device = device
        self._stopped = stopped

    def read(self, timeout_s: float) -> bytes:
        deadline = self._device.time + timeout_s
        while self._device.time < deadline and self._device.powered:
            self._device.run(_STEP_S)
            self._stopped()
            if data := self._device.uart(1).read():
                return data
        return b""

    def write(self, data: bytes) -> None:
        self._device.uart(1).write(data)

    def time_s(self) -> float:
        return self._device.time


class Task(Protocol):
    """Something that a host does with a running board, and does again after a power cut until it is done."""

    @property
    def board(self) -> Board: ...

    def work(self, link: Link) -> None:
        """Does what is left to do, however far it has come. Raises DeviceError when the board does not answer."""
        ...

    def finish(self) -> None:
        """Does the rest on a board that runs, and asserts that it comes to the right end."""
        ...


class Trace:
    """A task done once without a cut, with the device as it was on the way.

    Attributes:
        windows: the flash operations of the task, in order.
        operations: how many there are.
    """

    def __init__(self, task: Task) -> None:
        """The board must be where the task begins."""
        self._task = task
        self._device = task.board.device
        self._begin = self._device.counters
        self._snapshots = [(0, self._device.snapshot(), self._digests())]
        task.work(Link(SteppingTransport(self._device, self._stopped)))
        self._note()
        self.windows = list(self._windows())
        self.operations = self.windows[-1].last

    def strike(self, cut: Cut) -> None:
        """Brings the board to the moment of the cut; it is off afterwards."""
        window = next(window for window in self.windows if cut.n in window.operations)
        self._task.board.restore(window.before)
        self._device.cut_power_at_flash_operation(cut.n - window.first + 1, cut.mode)
        assert not work_until_cut(self._task), f"there was no operation {cut.n}"

    def erases(self) -> list[int]:
        """Numbers of the operations that erase a sector."""
        return [n for window in self.windows for n in self._erases(window.first, window.last)]

    def sample(self, count: int, mode: CutMode, rng: random.Random) -> list[Cut]:
        """Some cuts: every erase, and of each window that keeps records at least one."""
        chosen = set(self.erases())
        chosen |= {rng.choice(window.operations) for window in self.windows if window.keeps_records}
        rest = [n for n in range(1, self.operations + 1) if n not in chosen]
        chosen |= set(rng.sample(rest, max(0, count - len(chosen))))
        return [Cut(n, mode) for n in sorted(chosen)]

    def _done(self) -> int:
        return self._device.counters.flash_operations - self._begin.flash_operations

    def _stopped(self) -> None:
        if self._done() - self._snapshots[-1][0] >= _OPERATIONS_BETWEEN_SNAPSHOTS:
            self._note()

    def _note(self) -> None:
        self._snapshots.append((self._done(), self._device.snapshot(), self._digests()))

    def _digests(self) -> list[int]:
        return [hash(self._device.flash_bytes(SECTOR_ADDRS[n], SECTOR_SIZES[n])) for n in _SECTORS]

    def _windows(self) -> Iterator[Window]:
        for (done, before, was), (end, _, now) in pairwise(self._snapshots):
            if end > done:
                yield Window(done + 1, end, before, frozenset(n for n in _SECTORS if was[n] != now[n]))

    def _erases(self, first: int, last: int) -> list[int]:
        """Those from `first` to `last`: an operation that is struck has been counted."""
        erases = self._erases_until(last) - self._erases_until(first - 1)
        if erases in (0, last - first + 1):
            return list(range(first, last + 1)) if erases else []
        middle = (first + last) // 2
        return self._erases(first, middle) + self._erases(middle + 1, last)

    def _erases_until(self, n: int) -> int:
        if n == 0:
            return 0
        self.strike(Cut(n, CutMode.CLEAN))
        return self._device.counters.erases - self._begin.erases


def fetch_offsets(reader: FrameReader, data: bytes) -> list[int]:
    """Offsets of the patch that the device asks for."""
    messages = [message_of(item) for item in reader.feed(data) if isinstance(item, Frame)]
    return [message.offset for message in messages if isinstance(message, Fetch)]


def work_until_cut(task: Task) -> bool:
    """Works at the task on a board that runs; whether it was done before the power went."""
    device = task.board.device
    try:
        task.work(Link(VirtualTransport(device, power_returns=False)))
    except DeviceError:
        assert not device.powered
    return device.powered


def power_on(board: Board) -> None:
    """Gives power again and waits until the firmware, old or new, has said its first line."""
    board.device.power_on()
    assert board.device.run_until(" info ", _BOOT_TIMEOUT_S).reason is RunReason.CONDITION
    board.device.uart(1).read()


def check_cuts(trace: Trace, task: Task, cuts: Iterable[Cut]) -> None:
    """Cuts the power, once in each run, and lets the board finish."""
    for cut in cuts:
        try:
            trace.strike(cut)
            power_on(task.board)
            task.finish()
        except (AssertionError, MusterError) as error:
            raise AssertionError(f"{cut}: {error}") from error


def check_two_cuts(trace: Trace, task: Task, seeds: Iterable[int]) -> int:
    """Cuts the power once in the task and once in what follows; answers how often the second cut struck too."""
    struck = 0
    for seed in seeds:
        rng = random.Random(seed)
        first = Cut(rng.randint(1, trace.operations), rng.choice(list(CutMode)))
        # A recovery may need a handful of operations or as many as the whole task.
        second = Cut(rng.randint(1, rng.choice((8, 40, trace.operations))), rng.choice(list(CutMode)))
        try:
            trace.strike(first)
            task.board.device.power_on()
            task.board.device.cut_power_at_flash_operation(second.n, second.mode)
            if not work_until_cut(task):
                struck += 1
                power_on(task.board)
            task.board.device.cut_power_at_flash_operation(0)
            task.finish()
        except (AssertionError, MusterError) as error:
            raise AssertionError(f"{first}, then {second}: {error}") from error
    return struck


class UpdateTask:
    """An update by a patch, from the image in slot A to one in slot B.

    Every start of an image is watched: it must be the one of its slot, whole, and what the boot log says.

    Attributes:
        cut_short: how often finish() ended early.
        resumed: how often it went on from a checkpoint.
    """

    def __init__(self, board: Board, base: Image, target: Image, patch: Patch, *, attempt: int = 1) -> None:
        """The board runs `base`; what stands in flash now is what the update begins with."""
        self.board = board
        self.cut_short = 0
        self.resumed = 0
        self._images = {Slot.A: base, Slot.B: target}
        self._patch = patch
        self._offer = Offer.of_patch(attempt, target.identity, len(target.raw), patch.raw)
        self._installed = {slot: image.installed_in(slot) for slot, image in self._images.items()}
        self._flash_before = self._outside_slot_b()
        for slot in Slot:
            self._watch(f": slot {slot.name} confirmed\r\n", partial(self._started, slot, False))
            self._watch(f": slot {slot.name} on trial\r\n", partial(self._started, slot, True))
        self._watch(RECOVERY_LINE, self._in_recovery)

    @property
    def target(self) -> Image:
        return self._images[Slot.B]

    def work(self, link: Link) -> None:
        host = self._host()
        link.update(host, UPDATE_TIMEOUT_S)
        assert host.state is UpdateState.CONFIRMED, (host.state, host.status)

    def finish(self) -> None:
        """Ends early where the update has begun anew and nothing is left that tells it from the uncut one.

        That is: the device was off in between, it has erased slot B and programs it from the beginning, and the rest of
        flash is what it was when the update began. Nothing is asked for that the checkpoint in flash spares.
        """
        spared = self.board.checkpoint_off(self._patch)
        fetched: list[int] = []
        reader = FrameReader()
        device, transport = self.board.device, VirtualTransport(self.board.device, power_returns=False)
        host = self._host()
        deadline = device.time + UPDATE_TIMEOUT_S
        while not host.done:
            assert device.time < deadline, host.state
            transport.write(host.tick(device.time))
            programs = device.counters.programs
            data = transport.read(max(0.0, host.wake_at - device.time))
            fetched += fetch_offsets(reader, data)
            transport.write(host.receive(data, device.time))
            if host.state is UpdateState.ERASING and self._begins_anew(programs):
                self.cut_short += 1
                return
        assert host.state is UpdateState.CONFIRMED, (host.state, host.status)
        assert not fetched or fetched[0] == min(fetched) == spared
        self.resumed += bool(fetched and spared)
        self._check_end(host)

    def _host(self) -> UpdateHost:
        return UpdateHost(self._offer, self._patch.raw)

    def _outside_slot_b(self) -> list[bytes]:
        slot_sectors = [n for n in _SECTORS if 0 <= SECTOR_ADDRS[n] - Slot.B.addr < SLOT_SIZE]
        return [
            self.board.device.flash_bytes(SECTOR_ADDRS[n], SECTOR_SIZES[n]) for n in _SECTORS if n not in slot_sectors
        ]

    def _begins_anew(self, programs: int) -> bool:
        """`programs`: how many there had been before the device said that it erases."""
        device = self.board.device
        result = device.run_until(lambda: device.counters.programs > programs, _ERASE_TIMEOUT_S, poll=5 * _STEP_S)
        assert result.reason is RunReason.CONDITION
        return self._outside_slot_b() == self._flash_before and self._slot_b_can_become_target()

    def _slot_b_can_become_target(self) -> bool:
        """No bit of slot B is cleared that the target has set."""
        there = int.from_bytes(self.board.device.flash_bytes(Slot.B.addr, SLOT_SIZE), "little")
        wanted = int.from_bytes(self._installed[Slot.B].ljust(SLOT_SIZE, bytes([ERASED])), "little")
        return there & wanted == wanted

    def _check_end(self, host: UpdateHost) -> None:
        target = self.target
        info = host.info
        assert info is not None
        assert (info.slot, info.identity, info.boot_state) == (Slot.B, target.identity, BootState.CONFIRMED)
        assert self.board.installed(Slot.B).raw == target.raw
        assert self.board.installed(Slot.A).raw == self._images[Slot.A].raw
        assert self.board.device.violations == []
        self._check_log()

    def _check_log(self) -> None:
        log = self.board.log
        facts = log.facts
        assert facts.confirmed is not None
        assert (facts.confirmed.slot, facts.confirmed.attempt) == (Slot.B, self._offer.attempt)
        assert facts.confirmed.identity == self._offer.identity[:IDENTITY_PREFIX_SIZE]
        assert (facts.state, facts.outcome) == (AttemptState.IDLE, facts.confirmed)
        sequences = [record.sequence for record in log.records]
        assert sequences == sorted(set(sequences))
        ours = [record.type for record in log.records if record.attempt == self._offer.attempt]
        assert (ours[0], ours[-1]) == (RecordType.STAGED, RecordType.CONFIRMED)
        assert set(ours[1:-1]) == {RecordType.TRIAL}
        assert len(ours) - 2 <= TRIALS_MAX

    # What the bootloader starts

    def _watch(self, text: str, found: Callable[[], None]) -> None:
        self.board.device.uart(1).watch(text.encode(), found)

    def _started(self, slot: Slot, on_trial: bool) -> None:
        installed = self._installed[slot]
        assert self.board.device.flash_bytes(slot.addr, len(installed)) == installed
        facts = self.board.log.facts
        ruling = facts.attempt if on_trial else facts.confirmed
        assert ruling is not None
        assert ruling.slot is slot
        assert (facts.state is AttemptState.TRIAL) is on_trial

    def _in_recovery(self) -> None:
        raise AssertionError("the bootloader asks for an image")
