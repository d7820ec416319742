# SPDX-License-Identifier: Apache-2.0
"""The loop that carries decisions out, on real images in flash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from muster.device.bootlog import BootRecord, RecordType, new_sector
from muster.image.image import Image
from muster.layout import Slot
from muster.signing.signer import sign_image
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.firmware.core.test_bootlog import append, mount, read_facts
from tests.vectors import fixed

POWER, WATCHDOG, FAULT, SOFTWARE = range(4)


def image_of(version: int, counter: int = 1) -> Image:
    spec = replace(fixed.SPEC, product_version=version, security_counter=counter)
    return sign_image(fixed.small_image(spec), fixed.signer("release-1"), fixed.signer("release-2"))


OLD, NEW = image_of(1), image_of(2, counter=2)


@dataclass(frozen=True, slots=True)
class Started:
    """How a boot ended: None is recovery."""

    slot: Slot | None
    is_trial: bool = False


def boot(machine: Machine, reset: int = POWER) -> list[Started]:
    """Everything that was started: exactly one thing, unless power stopped."""
    started: list[Started] = []

    @machine.ffi.callback("void(void *, uint32_t, bool)")
    def start(_ctx: object, slot_addr: int, is_trial: bool) -> None:
        started.append(Started(next(slot for slot in Slot if slot.addr == slot_addr), bool(is_trial)))

    @machine.ffi.callback("void(void *)")
    def recovery(_ctx: object) -> None:
        started.append(Started(None))

    port = machine.new("struct ota_boot_port *", {"flash": machine.flash, "start": start, "recovery": recovery})
    device = machine.new(
        "struct ota_image_requirements *",
        {"product_id": 1234, "platform_id": 6, "hw_rev": 2, "bootloader_version": 1, "lifecycle": 2},
    )
    machine.lib.ota_boot_run(port, device, reset)
    return started


def record(kind: RecordType, image: Image, slot: Slot, attempt: int = 0, reason: int = 0) -> BootRecord:
    counter = image.manifest.security_counter
    return BootRecord(1, kind, slot, reason, attempt, image.identity[:16], counter)


def provision(machine: Machine, *records: BootRecord, a: Image | None = OLD, b: Image | None = NEW) -> None:
    for slot, image in ((Slot.A, a), (Slot.B, b)):
        if image is not None:
            machine.load_image(slot, image.installed_in(slot))
    machine.load_sector(2, new_sector(1, [fixed.keyset_v1()], []))
    log = mount(machine)
    for each in records:
        assert append(machine, log, each) == 0


CONFIRMED_A = record(RecordType.CONFIRMED, OLD, Slot.A)
STAGED_B = record(RecordType.STAGED, NEW, Slot.B, attempt=7)
TRIAL_B = record(RecordType.TRIAL, NEW, Slot.B, attempt=7)


def facts(machine: Machine) -> Any:
    return read_facts(machine, mount(machine))


def damage(machine: Machine, slot: Slot) -> None:
    machine.load(slot.addr + 0x300, b"\x00\x00\x00\x00")


def test_confirmed_image_starts_and_writes_nothing(machine: Machine) -> None:
    provision(machine, CONFIRMED_A)
    before = machine.everything()
    assert boot(machine) == [Started(Slot.A)]
    assert machine.everything() == before


def test_staged_image_is_tried_and_the_trial_is_written_first(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, STAGED_B)
    assert boot(machine) == [Started(Slot.B, is_trial=True)]
    assert (facts(machine).attempt_state, facts(machine).trial_count) == (2, 1)
    assert facts(machine).attempt.attempt == 7
    assert bytes(facts(machine).attempt.identity) == NEW.identity[:16]


@pytest.mark.parametrize(("reset", "reason"), [(WATCHDOG, 1), (FAULT, 2), (SOFTWARE, 3)])
def test_trial_that_ends_by_itself_is_rejected_and_the_old_image_starts(
    machine: Machine, reset: int, reason: int
) -> None:
    provision(machine, CONFIRMED_A, STAGED_B, TRIAL_B)
    assert boot(machine, reset) == [Started(Slot.A)]
    outcome = facts(machine).outcome
    assert (outcome.type, outcome.reason, outcome.attempt) == (int(RecordType.REJECTED), reason, 7)
    assert boot(machine, POWER) == [Started(Slot.A)]


def test_power_loss_in_a_trial_begins_it_again_three_times(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, STAGED_B)
    for trial in (1, 2, 3):
        assert boot(machine, POWER) == [Started(Slot.B, is_trial=True)]
        assert facts(machine).trial_count == trial
    assert boot(machine, POWER) == [Started(Slot.A)]
    outcome = facts(machine).outcome
    assert (outcome.type, outcome.reason) == (int(RecordType.INTERRUPTED), 5)


def test_confirmed_trial_starts_from_its_slot_from_then_on(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, STAGED_B, TRIAL_B, record(RecordType.CONFIRMED, NEW, Slot.B, attempt=7))
    assert boot(machine, SOFTWARE) == [Started(Slot.B)]


@pytest.mark.parametrize(
    ("staged", "reason"),
    [
        (image_of(2, counter=0), 256 - OtaStatus.ERR_SECURITY_COUNTER),
        (fixed.small_image(), 256 - OtaStatus.ERR_SIGNERS),
    ],
    ids=["rollback", "unsigned"],
)
def test_staged_image_that_fails_its_check_never_runs(machine: Machine, staged: Image, reason: int) -> None:
    provision(machine, CONFIRMED_A, record(RecordType.STAGED, staged, Slot.B, attempt=7), b=staged)
    assert boot(machine) == [Started(Slot.A)]
    assert facts(machine).outcome.reason == reason


def test_damaged_staged_image_is_rejected_by_its_hash(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, STAGED_B)
    damage(machine, Slot.B)
    assert boot(machine) == [Started(Slot.A)]
    assert facts(machine).outcome.reason == 256 - OtaStatus.ERR_HASH


def test_other_image_than_the_staged_one_is_rejected(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, STAGED_B, b=image_of(3, counter=2))
    assert boot(machine) == [Started(Slot.A)]
    assert facts(machine).outcome.reason == 256 - OtaStatus.ERR_IDENTITY


def test_staged_record_for_the_confirmed_slot_is_rejected(machine: Machine) -> None:
    provision(machine, CONFIRMED_A, record(RecordType.STAGED, OLD, Slot.A, attempt=7))
    assert boot(machine) == [Started(Slot.A)]
    assert facts(machine).outcome.reason == 256 - OtaStatus.ERR_SLOT


def test_corrupt_confirmed_slot_falls_back_to_the_other_and_writes_it_down(machine: Machine) -> None:
    provision(machine, CONFIRMED_A)
    damage(machine, Slot.A)
    assert boot(machine) == [Started(Slot.B)]
    confirmed = facts(machine).confirmed
    assert (confirmed.slot, confirmed.reason, confirmed.security_counter) == (1, 6, 2)
    assert bytes(confirmed.identity) == NEW.identity[:16]


def test_fallback_below_the_security_counter_is_refused(machine: Machine) -> None:
    provision(machine, record(RecordType.CONFIRMED, NEW, Slot.B))
    damage(machine, Slot.B)
    assert boot(machine) == [Started(None)]
    assert facts(machine).confirmed.slot == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (OLD, NEW, Slot.B),
        (NEW, OLD, Slot.A),
        (NEW, NEW, Slot.A),
        (image_of(9), NEW, Slot.B),
        (OLD, None, Slot.A),
        (None, OLD, Slot.B),
        (None, None, None),
        (fixed.small_image(), None, None),
    ],
    ids=["newer B", "newer A", "tie", "counter before version", "A only", "B only", "neither", "unsigned"],
)
def test_without_records_the_best_verified_slot_is_confirmed(
    machine: Machine, a: Image | None, b: Image | None, expected: Slot | None
) -> None:
    provision(machine, a=a, b=b)
    assert boot(machine) == [Started(expected)]
    assert facts(machine).has_confirmed == (expected is not None)
    if expected is not None:
        confirmed = facts(machine).confirmed
        assert (confirmed.slot, confirmed.reason) == (int(expected), 7)
        assert boot(machine) == [Started(expected)]


def test_without_a_key_set_nothing_unconfirmed_runs(machine: Machine) -> None:
    machine.load_image(Slot.A, OLD.raw)
    assert boot(machine) == [Started(None)]


def test_revoked_key_does_not_stop_the_confirmed_image(machine: Machine) -> None:
    provision(machine, CONFIRMED_A)
    machine.load_sector(2, new_sector(1, [fixed.keyset_v2()], [CONFIRMED_A]))
    assert boot(machine) == [Started(Slot.A)]


@pytest.mark.parametrize("operation", range(16))
def test_record_that_cannot_be_written_ends_in_the_confirmed_image(machine: Machine, operation: int) -> None:
    """Neither a trial without its record, nor none of the two images."""
    for reset, records in ((POWER, [CONFIRMED_A, STAGED_B]), (WATCHDOG, [CONFIRMED_A, STAGED_B, TRIAL_B])):
        machine.reset()
        provision(machine, *records)
        machine.fail_at(operation)
        assert boot(machine, reset) == [Started(Slot.A)]


@pytest.mark.parametrize("operation", [0, 7, 15])
def test_confirmed_record_that_cannot_be_written_leads_to_recovery(machine: Machine, operation: int) -> None:
    provision(machine)
    machine.fail_at(operation)
    assert boot(machine) == [Started(None)]
    machine.power_on()
    assert boot(machine) == [Started(Slot.B)]


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize(
    ("records", "reset", "possible"),
    [
        ([CONFIRMED_A, STAGED_B], POWER, {Started(Slot.B, is_trial=True)}),
        ([CONFIRMED_A, STAGED_B, TRIAL_B, TRIAL_B, TRIAL_B], POWER, {Started(Slot.A)}),
        ([CONFIRMED_A, STAGED_B, TRIAL_B], WATCHDOG, {Started(Slot.A), Started(Slot.B, is_trial=True)}),
        ([], POWER, {Started(Slot.B)}),
    ],
    ids=["trial", "interrupt", "reject", "no record"],
)
def test_cut_at_any_write_of_the_bootloader_still_boots(
    machine: Machine, records: list[BootRecord], reset: int, possible: set[Started], torn: bool
) -> None:
    """The next boot is by power-on: a rejection that was not written is found out again by another trial."""
    for cut in range(17):
        machine.reset()
        provision(machine, *records)
        machine.cut_at(cut, torn=torn, noise=cut + 1)
        boot(machine, reset)
        machine.power_on()
        after = boot(machine, POWER)
        assert len(after) == 1
        assert after[0] in possible


def test_flash_that_cannot_be_read_leads_to_recovery(machine: Machine) -> None:
    provision(machine, CONFIRMED_A)
    machine.model.is_off = True
    assert boot(machine) == [Started(None)]
