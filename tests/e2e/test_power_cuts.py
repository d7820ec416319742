# SPDX-License-Identifier: Apache-2.0
"""Power cuts at the flash operations of an update and of both compactions, clean and torn, on the ARM binaries."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from muster.delta import encode
from muster.device import bootlog, record_store
from muster.device.bootlog import RECORD_PLACES, BootRecord, Reason, RecordType
from muster.device.record_store import Owner, RecordStore, StoreRecord
from muster.emulator import CutMode
from muster.image.image import Image
from muster.layout import LOG_SECTORS, SECTOR_ADDRS, SECTOR_SIZES, SLOT_SIZE, STORE_SECTORS, Slot
from muster.serial import Link
from tests.e2e.board import Board, BuildFirmware
from tests.e2e.power_cuts import Cut, Trace, UpdateTask, check_cuts, check_two_cuts, power_on

PLATFORM = "photon"
SAMPLE = 100
PARTS = 16
"""The full sweep in as many pieces, which may run side by side."""

BothModes = pytest.mark.parametrize("mode", [CutMode.CLEAN, CutMode.TORN], ids=["clean", "torn"])


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


@BothModes
def test_update_survives_a_cut_at_sampled_operations(update: tuple[Trace, UpdateTask], mode: CutMode) -> None:
    trace, task = update
    cuts = trace.sample(SAMPLE, mode, random.Random(8))
    assert len(cuts) == SAMPLE
    check_cuts(trace, task, cuts)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@BothModes
def test_update_survives_a_cut_at_every_operation(
    update: tuple[Trace, UpdateTask], mode: CutMode, part: int
) -> None:
    trace, task = update
    check_cuts(trace, task, (Cut(n, mode) for n in range(1 + part, trace.operations + 1, PARTS)))


def test_update_survives_a_second_cut_in_the_recovery(update: tuple[Trace, UpdateTask]) -> None:
    assert check_two_cuts(*update, range(12)) >= 6


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
def test_update_survives_many_second_cuts(update: tuple[Trace, UpdateTask], part: int) -> None:
    assert check_two_cuts(*update, range(100 * part, 100 * part + 50)) >= 25
