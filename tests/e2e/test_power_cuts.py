# SPDX-License-Identifier: Apache-2.0
"""Power cuts at the flash operations of an update and of both compactions, clean and torn, on the ARM binaries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from muster.delta import PatchProfile, encode, encode_full
from muster.device import bootlog, record_store
from muster.device.bootlog import RECORD_PLACES, Reason, RecordType
from muster.device.hexfile import factory_record
from muster.device.record_store import QUOTAS, Owner, StoreRecord
from muster.emulator import CutMode
from muster.image.image import Image
from muster.layout import LOG_SECTORS, SECTOR_ADDRS, SECTOR_SIZES, SLOT_SIZE, STORE_SECTORS, Slot
from muster.serial import Link
from tests.e2e.board import Board, BuildFirmware
from tests.e2e.power_cuts import Cut, Trace, UpdateTask, check_cuts, check_two_cuts, power_on

PLATFORM = "photon"
SAMPLE = 100
COMPACTION_SAMPLE = 12
LARGE_STATE_WORDS = 2048
"""A checkpoint of profile 2 has more: 8 KiB are its counters alone."""
PARTS = 16
"""The full sweep in as many pieces, which may run side by side."""

BothModes = pytest.mark.parametrize("mode", [CutMode.CLEAN, CutMode.TORN], ids=["clean", "torn"])
BothModesInFull = pytest.mark.parametrize(
    "mode", [pytest.param(CutMode.CLEAN, marks=pytest.mark.full), CutMode.TORN], ids=["clean", "torn"]
)


@pytest.fixture(scope="module")
def update(built: BuildFirmware) -> Iterator[tuple[Trace, UpdateTask]]:
    """Blink from version 1 to 2; an older image has left something in each sector of slot B."""
    before, after = (built("blink", PLATFORM, version) for version in (1, 2))
    base, target = (Image.from_bytes(made.image_path.read_bytes()) for made in (before, after))
    with Board(before.image_path.with_suffix(".hex")) as board:
        older = base.installed_in(Slot.B)
        board.device.write_memory(Slot.B.addr, older + random.Random(0).randbytes(SLOT_SIZE - len(older)))
        power_on(board)
        task = UpdateTask(board, base, target, encode(base.raw, target.raw))
        yield Trace(task), task


def test_update_erases_each_sector_of_the_slot_once(update: tuple[Trace, UpdateTask]) -> None:
    assert update[0].erases() == [1, 2, 3]


@BothModesInFull
def test_update_survives_a_cut_at_sampled_operations(update: tuple[Trace, UpdateTask], mode: CutMode) -> None:
    trace, task = update
    cuts = trace.sample(SAMPLE, mode, random.Random(8))
    assert len(cuts) == SAMPLE
    cut_short = task.cut_short
    check_cuts(trace, task, cuts)
    # The others were watched to their very end.
    assert len(cuts) - (task.cut_short - cut_short) >= SAMPLE // 10


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@BothModes
def test_update_survives_a_cut_at_every_operation(update: tuple[Trace, UpdateTask], mode: CutMode, part: int) -> None:
    trace, task = update
    check_cuts(trace, task, (Cut(n, mode) for n in range(1 + part, trace.operations + 1, PARTS)))


def test_update_survives_a_second_cut_in_the_recovery(update: tuple[Trace, UpdateTask]) -> None:
    assert check_two_cuts(*update, range(12)) >= 6


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
def test_update_survives_many_second_cuts(update: tuple[Trace, UpdateTask], part: int) -> None:
    assert check_two_cuts(*update, range(100 * part, 100 * part + 50)) >= 25


# A full image, which leaves the largest checkpoints, in a record store that is as full as its owners may make it


def fill_other_quotas(board: Board) -> list[StoreRecord]:
    """Settings, product storage and crash records nearly at their quotas; the agent keeps room for its own counters."""
    rng = random.Random(12)
    records = []
    for owner in (Owner.SETTINGS, Owner.PRODUCT, Owner.CRASH):
        size = (QUOTAS[owner] - 256) // 7 - record_store.RECORD_HEAD_SIZE
        records += [StoreRecord(owner, 100 + key, rng.randbytes(size)) for key in range(7)]
    for number, generation in zip(STORE_SECTORS, (7, 6), strict=True):
        raw = record_store.new_sector(number, generation, records)
        board.device.write_memory(SECTOR_ADDRS[number], raw)
    return records


@pytest.fixture(scope="module")
def full_update(built: BuildFirmware) -> Iterator[tuple[Trace, UpdateTask, list[StoreRecord]]]:
    before, after = (built("blink", PLATFORM, version) for version in (1, 2))
    base, target = (Image.from_bytes(made.image_path.read_bytes()) for made in (before, after))
    patch = encode_full(target.raw)
    assert patch.header.profile == PatchProfile.LARGE
    with Board(before.image_path.with_suffix(".hex")) as board:
        records = fill_other_quotas(board)
        power_on(board)
        task = UpdateTask(board, base, target, patch)
        yield Trace(task), task, records


def checkpoint_operations(trace: Trace) -> list[range]:
    """The operations that store each checkpoint: those that change the record store, in a row."""
    found: list[range] = []
    for window in trace.windows:
        if window.sectors.isdisjoint(STORE_SECTORS):
            continue
        if found and found[-1].stop == window.first:
            found[-1] = range(found[-1].start, window.last + 1)
        else:
            found.append(window.operations)
    return found


@BothModes
def test_full_image_goes_on_from_its_checkpoint(
    full_update: tuple[Trace, UpdateTask, list[StoreRecord]], mode: CutMode
) -> None:
    trace, task, records = full_update
    rng = random.Random(13)
    checkpoints = checkpoint_operations(trace)
    assert len(checkpoints) >= 3  # the last change removes it
    cuts = {trace.operations}
    for one in checkpoints:
        assert one is checkpoints[-1] or len(one) > LARGE_STATE_WORDS
        cuts |= {rng.choice(one), one.stop - 1, min(one.stop + rng.randint(1, 2000), trace.operations)}
    resumed = task.resumed
    check_cuts(trace, task, (Cut(n, mode) for n in sorted(cuts)))
    assert task.resumed - resumed >= 4
    left = {(record.owner, record.key): record.value for record in task.board.store.records}
    assert all(left[record.owner, record.key] == record.value for record in records)
    assert task.board.store.value(Owner.DOWNLOAD, 0) is None


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@BothModes
def test_full_image_survives_a_cut_at_every_operation(
    full_update: tuple[Trace, UpdateTask, list[StoreRecord]], mode: CutMode, part: int
) -> None:
    trace, task, _ = full_update
    check_cuts(trace, task, (Cut(n, mode) for n in range(1 + part, trace.operations + 1, PARTS)))


# Compaction of the boot log


def fill_log(board: Board, image: Image, places_left: int) -> None:
    """A boot log after many attempts that failed; the sector it came from still holds an older one."""
    keyset = board.log.keyset
    assert keyset is not None
    first = factory_record(image)
    records = [first] + [
        replace(first, sequence=n, type=RecordType.REJECTED, slot=Slot.B, reason=Reason.WATCHDOG, attempt=n)
        for n in range(2, 1 + RECORD_PLACES - places_left)
    ]
    for number, generation in zip(LOG_SECTORS, (2, 1), strict=True):
        sector = bootlog.new_sector(generation, [keyset], records)
        board.device.write_memory(SECTOR_ADDRS[number], sector)


@pytest.fixture(scope="module", params=[0, 1, 2], ids=["at STAGED", "at TRIAL", "at CONFIRMED"])
def log_compaction(built: BuildFirmware, request: pytest.FixtureRequest) -> Iterator[tuple[Trace, UpdateTask]]:
    """An update for whose record the boot log has no place left."""
    before, after = (built("blink", PLATFORM, version) for version in (1, 2))
    base, target = (Image.from_bytes(made.image_path.read_bytes()) for made in (before, after))
    with Board(before.image_path.with_suffix(".hex")) as board:
        fill_log(board, base, request.param)
        power_on(board)
        task = UpdateTask(board, base, target, encode(base.raw, target.raw), attempt=1000)
        yield Trace(task), task


def log_operations(trace: Trace) -> list[int]:
    return [n for window in trace.windows if not window.sectors.isdisjoint(LOG_SECTORS) for n in window.operations]


def test_update_compacts_the_boot_log_once(log_compaction: tuple[Trace, UpdateTask]) -> None:
    trace, task = log_compaction
    assert len(set(trace.erases()) & set(log_operations(trace))) == 1
    trace.strike(Cut(trace.operations, CutMode.CLEAN))
    assert (task.board.log.sector, task.board.log.generation) == (3, 3)


@BothModes
def test_boot_log_survives_a_cut_at_sampled_operations_of_its_compaction(
    log_compaction: tuple[Trace, UpdateTask], mode: CutMode
) -> None:
    trace, task = log_compaction
    operations = log_operations(trace)
    chosen = {*random.Random(9).sample(operations, COMPACTION_SAMPLE), *set(trace.erases()) & set(operations)}
    check_cuts(trace, task, (Cut(n, mode) for n in sorted(chosen)))


@pytest.mark.full
@BothModes
def test_boot_log_survives_a_cut_at_every_operation_of_its_compaction(
    log_compaction: tuple[Trace, UpdateTask], mode: CutMode
) -> None:
    trace, task = log_compaction
    check_cuts(trace, task, (Cut(n, mode) for n in log_operations(trace)))


# Compaction of the record store


class SettingsTask:
    """Two settings are stored: for the first one there is room, the second one compacts the store."""

    VALUES = (2000, 2100, 2200)
    """Set-point in hundredths of a degree: before, and as it is set."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._others = self._other_records()
        self._safe = 0

    def work(self, link: Link) -> None:
        self._safe = self._stored()
        for number in range(self.VALUES.index(link.call("get_set")) + 1, len(self.VALUES)):
            assert link.call("set_point", f"{self.VALUES[number] // 100}.00") == self.VALUES[number]
            self._safe = number

    def finish(self) -> None:
        """What was stored, or said to be, is stored; nothing else has changed, and the store goes on."""
        link = Link(self.board.transport)
        assert self._stored() >= self._safe
        assert link.call("get_set") == self.VALUES[self._stored()]
        self.work(link)
        self.board.device.power_off()
        power_on(self.board)
        assert Link(self.board.transport).call("get_set") == self.VALUES[-1]
        assert self._stored() == len(self.VALUES) - 1
        assert self._other_records() == self._others
        assert self.board.device.violations == []

    def _stored(self) -> int:
        """Which of the values flash holds."""
        return self.VALUES.index(int.from_bytes(self.board.store.value(Owner.PRODUCT, 1) or b"", "little"))

    def _other_records(self) -> list[StoreRecord]:
        return [record for record in self.board.store.records if (record.owner, record.key) != (Owner.PRODUCT, 1)]


def fill_store(board: Board, sector: int) -> None:
    """A record store with room for one set-point in the sector that rules; the other one still holds an older store."""
    rng = random.Random(10)
    records = [
        StoreRecord(Owner.PRODUCT, 1, SettingsTask.VALUES[0].to_bytes(2, "little")),
        StoreRecord(Owner.PRODUCT, 3, b"\1"),
        StoreRecord(Owner.PRODUCT, 9, b"removed"),
        StoreRecord(Owner.PRODUCT, 9, b""),
        StoreRecord(Owner.CRASH, 0, rng.randbytes(99)),
    ]
    room = SECTOR_SIZES[sector] - record_store.HEADER_SIZE - sum(len(record.to_bytes()) for record in records)
    often = StoreRecord(Owner.SETTINGS, 4, bytes(464))
    size, one_record = len(often.to_bytes()), len(records[0].to_bytes())
    count, rest = divmod(room - one_record, size)
    records += [replace(often, value=rng.randbytes(len(often.value))) for _ in range(count)]
    records.append(StoreRecord(Owner.SETTINGS, 5, bytes(rest // 4 * 4 - record_store.RECORD_HEAD_SIZE)))
    for number in STORE_SECTORS:
        generation = 7 if number == sector else 6
        raw = record_store.new_sector(number, generation, records if number == sector else records[:4])
        board.device.write_memory(SECTOR_ADDRS[number], raw)


@pytest.fixture(scope="module", params=STORE_SECTORS, ids=["from sector 4", "from sector 11"])
def store_compaction(built: BuildFirmware, request: pytest.FixtureRequest) -> Iterator[tuple[Trace, SettingsTask]]:
    """A thermostat whose record store is full."""
    made = built("thermostat", PLATFORM)
    with Board(made.image_path.with_suffix(".hex")) as board:
        fill_store(board, request.param)
        power_on(board)
        task = SettingsTask(board)
        yield Trace(task), task


def test_settings_compact_the_record_store_once(
    store_compaction: tuple[Trace, SettingsTask], request: pytest.FixtureRequest
) -> None:
    trace, task = store_compaction
    was = STORE_SECTORS[request.node.callspec.indices["store_compaction"]]
    assert len(trace.erases()) == 1
    trace.strike(Cut(trace.operations, CutMode.CLEAN))
    assert (task.board.store.sector, task.board.store.generation) == (sum(STORE_SECTORS) - was, 8)


@BothModes
def test_record_store_survives_a_cut_at_sampled_operations_of_its_compaction(
    store_compaction: tuple[Trace, SettingsTask], mode: CutMode
) -> None:
    trace, task = store_compaction
    check_cuts(trace, task, trace.sample(COMPACTION_SAMPLE, mode, random.Random(11)))


@pytest.mark.full
@BothModes
def test_record_store_survives_a_cut_at_every_operation_of_its_compaction(
    store_compaction: tuple[Trace, SettingsTask], mode: CutMode
) -> None:
    trace, task = store_compaction
    check_cuts(trace, task, (Cut(n, mode) for n in range(1, trace.operations + 1)))
