# SPDX-License-Identifier: Apache-2.0
"""New firmware that fails in its trial is reverted by itself, and the boot log says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muster.delta import Patch, encode
from muster.device.bootlog import Reason, RecordType
from muster.elf import Elf
from muster.emulator import Snapshot
from muster.errors import DeviceError
from muster.layout import SLOT_OFFSET, Slot
from muster.serial import BootState, FaultInfo, Info, ResetCause, UpdateState
from muster.status import OtaStatus
from tests.e2e.board import (
    CRASHES,
    HANGS,
    NEWER,
    RESTARTS,
    SOUND,
    Board,
    Victim,
)

HARD_FAULT = 3
CFSR_UNDEFINED = 1 << 16
CFSR_STATE = 1 << 17
CFSR_PRECISE_WITH_ADDRESS = 1 << 15 | 1 << 9
NO_MEMORY_ADDR = 0x3000_0000

STAGED = (RecordType.STAGED, Reason.NONE)
TRIAL = (RecordType.TRIAL, Reason.NONE)
CONFIRMED = (RecordType.CONFIRMED, Reason.NONE)


@pytest.fixture(scope="module")
def states(victim: Victim) -> Iterator[tuple[Board, Snapshot, Snapshot]]:
    """A board as it runs version 1, and as it has begun its first trial of version 5."""
    with Board(victim.hex_path(SOUND)) as board:
        board.boot()
        booted = board.snapshot()
        info = board.begin_trial(victim.image(NEWER), patch_to(victim, NEWER))
        assert (info.boot_state, info.slot, info.trial_count) == (BootState.TRIAL, Slot.B, 1)
        yield board, booted, board.snapshot()


@pytest.fixture
def board(states: tuple[Board, Snapshot, Snapshot]) -> Board:
    """Runs version 1 from slot A."""
    board, booted, _ = states
    board.restore(booted)
    return board


@pytest.fixture
def on_trial(states: tuple[Board, Snapshot, Snapshot]) -> Board:
    """Runs version 5 from slot B, on its first trial."""
    board, _, in_trial = states
    board.restore(in_trial)
    return board


def patch_to(victim: Victim, version: int) -> Patch:
    return encode(victim.image(SOUND).raw, victim.image(version).raw)


def assert_reverted(board: Board, victim: Victim, version: int, kind: RecordType, reason: Reason) -> Info:
    """Version 1 runs confirmed, also after a power cycle; the log's last word is why. Returns its first INFO."""
    info = board.link.info()
    outcome = info.outcome
    assert outcome is not None
    assert (outcome.type, outcome.reason) == (kind, reason)
    assert outcome.identity == victim.image(version).identity[:16]
    history = board.history()
    assert history[-1] == (kind, reason)
    assert board.assert_runs(victim.image(SOUND)).slot == Slot.A
    assert board.history() == history
    return info


@pytest.mark.parametrize(
    ("version", "reason", "reset"),
    [
        (HANGS, Reason.WATCHDOG, ResetCause.WATCHDOG),
        (CRASHES, Reason.FAULT, ResetCause.FAULT),
        (RESTARTS, Reason.SOFTWARE, ResetCause.SOFTWARE),
        # The record comes first; then nobody feeds the watchdog any more.
        (NEWER, Reason.NO_CONTACT, ResetCause.WATCHDOG),
    ],
)
def test_failing_version_is_reverted(
    board: Board, victim: Victim, version: int, reason: Reason, reset: ResetCause
) -> None:
    patch = patch_to(victim, version)
    host = board.update(board.offer(victim.image(version), patch), patch, confirm=False)
    assert host.state is UpdateState.REVERTED
    assert board.history() == [STAGED, TRIAL, (RecordType.REJECTED, reason)]
    info = assert_reverted(board, victim, version, RecordType.REJECTED, reason)
    assert info.reset is reset


def test_update_after_a_reverted_one_succeeds(board: Board, victim: Victim) -> None:
    crash = patch_to(victim, CRASHES)
    assert board.update(board.offer(victim.image(CRASHES), crash), crash).state is UpdateState.REVERTED
    board.install(victim.image(NEWER), patch_to(victim, NEWER))
    board.assert_runs(victim.image(NEWER))


def fault_after(board: Board, failure: str) -> FaultInfo:
    """Lets the running firmware fail by a fault; what the next one is told of it."""
    board.link.call("fail", failure)
    board.wait_for(" version ")
    fault = board.link.info().fault
    assert fault is not None
    assert fault.exception == HARD_FAULT
    return fault


def is_in_product_loop(victim: Victim, address: int) -> bool:
    """Whether an address of the firmware in slot B is the product's."""
    elf = Elf((victim.built(NEWER).folder / "victim.elf").read_bytes())
    loop = next(symbol for symbol in elf.symbols if symbol.name == "product_loop")
    return 0 <= address - SLOT_OFFSET - loop.addr < loop.size


@pytest.mark.parametrize(
    ("failure", "cfsr"), [("undefined", CFSR_UNDEFINED), ("memory", CFSR_PRECISE_WITH_ADDRESS), ("null", CFSR_STATE)]
)
def test_fault_in_a_trial_is_told_with_its_place(on_trial: Board, victim: Victim, failure: str, cfsr: int) -> None:
    fault = fault_after(on_trial, failure)
    assert fault.cfsr == cfsr
    if failure == "null":
        assert fault.pc == 0
        assert is_in_product_loop(victim, fault.lr & ~1)
    else:
        assert is_in_product_loop(victim, fault.pc)
    if failure == "memory":
        assert fault.addr == NO_MEMORY_ADDR
    assert_reverted(on_trial, victim, NEWER, RecordType.REJECTED, Reason.FAULT)


@pytest.mark.parametrize("failure", ["undefined", "restart", "hang"])
def test_failure_after_the_trial_reverts_nothing(on_trial: Board, victim: Victim, failure: str) -> None:
    image = victim.image(NEWER)
    on_trial.link.confirm(image.identity)
    on_trial.link.call("fail", failure)
    on_trial.wait_for("version 5, slot B, confirmed")
    assert on_trial.history() == [STAGED, TRIAL, CONFIRMED]
    on_trial.assert_runs(image)


def test_power_cut_in_a_trial_begins_it_again(on_trial: Board, victim: Victim) -> None:
    for count in (2, 3):
        info = on_trial.power_cycle()
        assert (info.boot_state, info.trial_count) == (BootState.TRIAL, count)
    on_trial.link.confirm(victim.image(NEWER).identity)
    on_trial.assert_runs(victim.image(NEWER))
    assert on_trial.history() == [STAGED, TRIAL, TRIAL, TRIAL, CONFIRMED]


@pytest.mark.parametrize("text", [": slot B on trial", "version 5, slot B, on trial"])
def test_power_cut_while_a_trial_starts_begins_it_again(board: Board, victim: Victim, text: str) -> None:
    """In the bootloader, whose TRIAL record is there already, and as soon as the new firmware speaks."""
    board.device.cut_power_on_text(text)
    board.install(victim.image(NEWER), patch_to(victim, NEWER))
    assert board.device.counters.cuts == 1
    assert board.history() == [STAGED, TRIAL, TRIAL, CONFIRMED]


def test_three_power_cuts_interrupt_the_trial(on_trial: Board, victim: Victim) -> None:
    for _ in range(3):
        on_trial.power_cycle()
    assert_reverted(on_trial, victim, NEWER, RecordType.INTERRUPTED, Reason.POWER)
    assert on_trial.history() == [STAGED, TRIAL, TRIAL, TRIAL, (RecordType.INTERRUPTED, Reason.POWER)]


def test_interrupted_image_is_tried_again_without_a_download(on_trial: Board, victim: Victim) -> None:
    for _ in range(3):
        on_trial.power_cycle()
    image, patch = victim.image(NEWER), patch_to(victim, NEWER)
    host = on_trial.update(on_trial.offer(image, patch), patch)
    assert (host.state, host.served_bytes) == (UpdateState.CONFIRMED, 0)
    on_trial.assert_runs(image)


def test_pin_reset_counts_as_power(on_trial: Board, victim: Victim) -> None:
    on_trial.device.reset_pin()
    info = on_trial.link.info()
    assert (info.boot_state, info.trial_count, info.reset) == (BootState.TRIAL, 2, ResetCause.POWER)
    on_trial.link.confirm(victim.image(NEWER).identity)
    on_trial.assert_runs(victim.image(NEWER))


def test_trial_takes_no_offer_and_no_restart(on_trial: Board, victim: Victim) -> None:
    first = victim.image(SOUND)
    patch = encode(victim.image(NEWER).raw, first.raw)
    in_slot_a = on_trial.device.flash_bytes(Slot.A.addr, len(first.raw))
    host = on_trial.update(on_trial.offer(first, patch), patch)
    assert (host.state, host.status) == (UpdateState.REFUSED, OtaStatus.ERR_STATE)
    with pytest.raises(DeviceError) as refusal:
        on_trial.link.restart()
    assert refusal.value.status is OtaStatus.ERR_STATE
    assert on_trial.link.info().boot_state is BootState.TRIAL
    assert on_trial.device.flash_bytes(Slot.A.addr, len(first.raw)) == in_slot_a


def test_confirmation_of_another_image_is_refused(on_trial: Board, victim: Victim) -> None:
    with pytest.raises(DeviceError) as refusal:
        on_trial.link.confirm(victim.image(SOUND).identity)
    assert refusal.value.status is OtaStatus.ERR_IDENTITY
    assert on_trial.link.info().boot_state is BootState.TRIAL


def test_confirmation_after_the_deadline_is_refused(on_trial: Board, victim: Victim) -> None:
    on_trial.wait_for("trial: no contact")
    with pytest.raises(DeviceError) as refusal:
        on_trial.link.confirm(victim.image(NEWER).identity)
    assert refusal.value.status is OtaStatus.ERR_STATE
    on_trial.wait_for("version 1, slot A, confirmed")
    assert_reverted(on_trial, victim, NEWER, RecordType.REJECTED, Reason.NO_CONTACT)
