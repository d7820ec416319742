# SPDX-License-Identifier: Apache-2.0
"""The golden logs, and a state machine that cuts power at any flash operation: the old log or the new one stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from muster.device.bootlog import AttemptState, BootFacts, BootRecord, RecordType, new_sector
from muster.layout import LOG_SECTORS, Slot
from muster.signing.keyset import KeySet, KeySetContent
from muster.status import OtaStatus
from tests.firmware.core.machine import Machine
from tests.vectors import fixed
from tests.vectors.reading import Case, cases, sector_bytes

RECORD_PLACES = 191
STATES = {"IDLE": 0, "STAGED": 1, "TRIAL": 2}


def mount(machine: Machine) -> Any:
    log = machine.new("struct ota_bootlog *")
    assert machine.lib.ota_bootlog_mount(log, machine.flash) == 0
    return log


def read_facts(machine: Machine, log: Any) -> Any:
    facts = machine.new("struct ota_bootlog_facts *")
    assert machine.lib.ota_bootlog_read_facts(log, facts) == 0
    return facts


def c_record(machine: Machine, record: BootRecord) -> Any:
    return machine.new(
        "struct ota_bootlog_record *",
        {
            "type": int(record.type),
            "slot": int(record.slot),
            "reason": record.reason,
            "attempt": record.attempt,
            "identity": record.identity,
            "security_counter": record.security_counter,
        },
    )


def append(machine: Machine, log: Any, record: BootRecord) -> int:
    status: int = machine.lib.ota_bootlog_append(log, c_record(machine, record))
    return status


def described(record: Any) -> Case:
    return {
        "sequence": record.sequence,
        "type": record.type,
        "slot": record.slot,
        "reason": record.reason,
        "attempt": record.attempt,
        "identity": bytes(record.identity).hex(),
        "security_counter": record.security_counter,
    }


def expected_record(record: Case) -> Case:
    return {
        **record,
        "type": record["type"] if isinstance(record["type"], int) else int(RecordType[record["type"]]),
        "slot": {"A": 0, "B": 1}.get(record["slot"], record["slot"]),
    }


def load_vector(machine: Machine, vector: Case) -> None:
    for number in LOG_SECTORS:
        machine.load_sector(number, sector_bytes(vector["sectors"][str(number)], 0x4000))


def keyset_versions(machine: Machine, log: Any) -> list[int]:
    versions = []
    for read in (machine.lib.ota_bootlog_read_keyset, machine.lib.ota_bootlog_read_previous_keyset):
        keyset = machine.new("struct ota_keyset *")
        status = read(log, keyset)
        assert status in (0, OtaStatus.ERR_NOT_FOUND)
        versions += [int(keyset.version)] if status == 0 else []
    return versions


@pytest.mark.parametrize("vector", cases("boot/boot_logs.json"), ids=lambda vector: vector["name"])
def test_golden_logs(machine: Machine, vector: Case) -> None:
    load_vector(machine, vector)
    log = mount(machine)
    assert log.sector == (vector["ruling"] or 0)
    if vector["ruling"] is None:
        return
    assert log.generation == vector["generation"]
    assert log.next_place == vector["next_place"]
    if "next_sequence" in vector:
        assert log.next_sequence == vector["next_sequence"]
    assert keyset_versions(machine, log) == vector["keyset_versions"]
    facts, expected = read_facts(machine, log), vector["facts"]
    assert facts.has_confirmed == (expected["confirmed"] is not None)
    assert facts.has_outcome == (expected["outcome"] is not None)
    if expected["confirmed"]:
        assert described(facts.confirmed) == expected_record(expected["confirmed"])
    if expected["outcome"]:
        assert described(facts.outcome) == expected_record(expected["outcome"])
    if "attempt_state" in expected:
        assert facts.attempt_state == STATES[expected["attempt_state"]]
        assert facts.trial_count == expected["trial_count"]
        if expected["attempt"]:
            assert described(facts.attempt) == expected_record(expected["attempt"])


@pytest.mark.parametrize("vector", cases("boot/boot_logs.json"), ids=lambda vector: vector["name"])
def test_any_golden_log_takes_another_record(machine: Machine, vector: Case) -> None:
    load_vector(machine, vector)
    assert append(machine, mount(machine), record_of(RecordType.CONFIRMED, attempt=99)) == 0
    facts = read_facts(machine, mount(machine))
    assert facts.confirmed.attempt == 99
    assert facts.attempt_state == 0


def record_of(
    kind: RecordType, *, attempt: int = 1, slot: Slot = Slot.B, reason: int = 0, counter: int = 2
) -> BootRecord:
    return BootRecord(0, kind, slot, reason, attempt, bytes([attempt % 251] * 16), counter)


def test_first_record_makes_the_log(machine: Machine) -> None:
    log = mount(machine)
    assert log.sector == 0
    assert append(machine, log, record_of(RecordType.CONFIRMED)) == 0
    again = mount(machine)
    assert (again.sector, again.generation, again.next_place, again.next_sequence) == (2, 1, 1, 2)


def test_bytes_written_are_those_of_the_library(machine: Machine) -> None:
    log = mount(machine)
    records = [record_of(RecordType.CONFIRMED), record_of(RecordType.STAGED, attempt=7, reason=3, slot=Slot.A)]
    for record in records:
        assert append(machine, log, record) == 0
    expected = new_sector(1, [], [replace(record, sequence=index + 1) for index, record in enumerate(records)])
    assert machine.dump_sector(2) == expected


def test_record_of_a_slot_that_cannot_be_does_not_count(machine: Machine) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED)) == 0
    bad = c_record(machine, record_of(RecordType.STAGED))
    bad.slot = 2
    assert machine.lib.ota_bootlog_append(log, bad) == 0
    assert read_facts(machine, mount(machine)).attempt_state == 0


def test_unknown_record_type_means_nothing(machine: Machine) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED)) == 0
    assert append(machine, log, record_of(RecordType.STAGED, attempt=5)) == 0
    unknown = c_record(machine, record_of(RecordType.STAGED, attempt=6))
    unknown.type = 200
    assert machine.lib.ota_bootlog_append(log, unknown) == 0
    facts = read_facts(machine, mount(machine))
    assert (facts.attempt_state, facts.attempt.attempt) == (1, 5)


def test_full_log_moves_what_counts_to_the_other_sector(machine: Machine) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=1)) == 0
    for attempt in range(2, 97):
        assert append(machine, log, record_of(RecordType.STAGED, attempt=attempt)) == 0
        assert append(machine, log, record_of(RecordType.REJECTED, attempt=attempt, reason=1)) == 0
    assert (log.sector, log.next_place) == (2, RECORD_PLACES)
    assert append(machine, log, record_of(RecordType.STAGED, attempt=200)) == 0
    again = mount(machine)
    assert (again.sector, again.generation, again.next_place) == (3, 2, 3)  # CONFIRMED, outcome, the new one
    facts = read_facts(machine, again)
    assert (facts.confirmed.attempt, facts.outcome.attempt, facts.attempt.attempt) == (1, 96, 200)
    assert facts.confirmed.sequence == 1


def test_log_full_of_one_attempt_says_so_and_keeps_its_facts(machine: Machine) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=1)) == 0
    for _ in range(RECORD_PLACES - 1):
        assert append(machine, log, record_of(RecordType.STAGED, attempt=5)) == 0
    assert append(machine, log, record_of(RecordType.STAGED, attempt=5)) == OtaStatus.ERR_LOG_FULL
    facts = read_facts(machine, mount(machine))
    assert (facts.confirmed.attempt, facts.attempt.attempt) == (1, 5)


@pytest.mark.parametrize("operation", range(16))
def test_record_that_fails_to_program_does_not_hide_those_behind_it(machine: Machine, operation: int) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=1)) == 0
    machine.fail_at(operation)
    assert append(machine, log, record_of(RecordType.STAGED, attempt=5)) == OtaStatus.ERR_FLASH_PROGRAM
    machine.power_on()
    assert read_facts(machine, mount(machine)).attempt_state == 0
    assert append(machine, log, record_of(RecordType.STAGED, attempt=6)) == 0
    assert append(machine, log, record_of(RecordType.TRIAL, attempt=6)) == 0
    facts = read_facts(machine, mount(machine))
    assert (facts.attempt.attempt, facts.attempt_state, facts.trial_count) == (6, 2, 1)


# -- key sets --


def first_roots(machine: Machine) -> Any:
    roots = machine.new("struct ota_roots *", {"threshold": 2, "count": 3})
    for index, key in enumerate(fixed.public("root-1", "root-2", "root-3")):
        machine.ffi.memmove(roots.keys[index], key.raw, 32)
    return roots


def accept(machine: Machine, log: Any, keyset: KeySet) -> int:
    raw = keyset.to_bytes()
    out = machine.new("struct ota_keyset *")
    status: int = machine.lib.ota_bootlog_accept_keyset(log, first_roots(machine), machine.buffer(raw), len(raw), out)
    if status == 0:
        assert out.version == keyset.content.version
    return status


def keyset_of(version: int) -> KeySet:
    content: KeySetContent = replace(fixed.keyset_v1().content, version=version)
    return KeySet.signed(content, [fixed.signer("root-1"), fixed.signer("root-3")])


def test_chain_of_key_sets_leads_from_the_identity_roots_to_the_newest(machine: Machine) -> None:
    log = mount(machine)
    assert accept(machine, log, fixed.keyset_v1()) == 0
    assert keyset_versions(machine, mount(machine)) == [1]
    assert accept(machine, log, fixed.keyset_v2()) == 0
    assert keyset_versions(machine, mount(machine)) == [2, 1]
    assert accept(machine, log, fixed.keyset_v1()) == OtaStatus.ERR_KEYSET_OLD
    # The old roots signed the way here; from here on the new ones do.
    assert accept(machine, log, keyset_of(3)) == OtaStatus.ERR_SIGNERS
    assert keyset_versions(machine, mount(machine)) == [2, 1]


def test_third_key_set_drops_the_first(machine: Machine) -> None:
    log = mount(machine)
    for version in (1, 2, 3, 4, 5):
        assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=version)) == 0
        assert accept(machine, log, keyset_of(version)) == 0
        expected = [version, version - 1] if version > 1 else [1]
        assert keyset_versions(machine, mount(machine)) == expected
    assert read_facts(machine, mount(machine)).confirmed.attempt == 5


def test_records_that_overflow_take_both_key_sets_along(machine: Machine) -> None:
    log = mount(machine)
    assert accept(machine, log, keyset_of(1)) == 0
    assert accept(machine, log, keyset_of(2)) == 0
    for attempt in range(RECORD_PLACES + 1):
        assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=attempt)) == 0
    assert mount(machine).sector == 3
    assert keyset_versions(machine, mount(machine)) == [2, 1]


@pytest.mark.parametrize("start", [[], [1], [1, 2], [1, 2, 3]])
@pytest.mark.parametrize("torn", [False, True])
def test_cut_while_a_key_set_is_stored_leaves_the_old_or_the_new_one(
    machine: Machine, start: list[int], torn: bool
) -> None:
    log = mount(machine)
    assert append(machine, log, record_of(RecordType.CONFIRMED, attempt=8)) == 0
    for version in start:
        assert accept(machine, log, keyset_of(version)) == 0
    before = machine.everything()
    keyset = keyset_of(9)
    total = machine.operations_of(lambda: accept(machine, mount(machine), keyset))
    step = 1 if total < 120 else 7
    for cut in [*range(0, total, step), total - 2, total - 1]:
        machine.load(0x0800_0000, before)
        machine.cut_at(cut, torn=torn, noise=cut + 1)
        assert accept(machine, mount(machine), keyset) != 0
        machine.power_on()
        versions = keyset_versions(machine, mount(machine))
        assert versions[:1] == start[-1:], cut
        assert read_facts(machine, mount(machine)).confirmed.attempt == 8
        assert accept(machine, mount(machine), keyset) == 0
        assert keyset_versions(machine, mount(machine))[0] == 9


# -- any sequence, cut anywhere --


class BootLogUnderPowerCuts(RuleBasedStateMachine):
    """Appends records, sometimes with a cut, and mounts again. The model is the list of records that were committed.

    An attempt that another one has followed never comes back: its number is new with every offer.
    """

    machine: Machine

    def __init__(self) -> None:
        super().__init__()
        self.machine.reset()
        self.log = mount(self.machine)
        self.records: list[BootRecord] = []
        self.attempt = 1

    @initialize(fill=st.sampled_from([0, 0, RECORD_PLACES - 4]))
    def begin(self, fill: int) -> None:
        """Near the end of a sector, so that compaction comes into play."""
        for attempt in range(fill):
            self.append(record_of(RecordType.CONFIRMED, attempt=1000 + attempt))

    @rule(
        kind=st.sampled_from(RecordType),
        is_new=st.booleans(),
        reason=st.integers(0, 3),
        slot=st.sampled_from(Slot),
    )
    def append_record(self, kind: RecordType, is_new: bool, reason: int, slot: Slot) -> None:
        self.attempt += is_new
        self.append(record_of(kind, attempt=self.attempt, reason=reason, slot=slot))

    @rule(
        kind=st.sampled_from(RecordType),
        is_new=st.booleans(),
        cut=st.one_of(st.integers(0, 20), st.integers(0, 90)),
        torn=st.booleans(),
        noise=st.integers(1, 2**32 - 1),
        recovery_cut=st.one_of(st.none(), st.integers(0, 60)),
    )
    def append_with_a_cut(
        self, kind: RecordType, is_new: bool, cut: int, torn: bool, noise: int, recovery_cut: int | None
    ) -> None:
        self.attempt += is_new
        record = record_of(kind, attempt=self.attempt)
        self.machine.cut_at(cut, torn=torn, noise=noise)
        status = append(self.machine, self.log, record)
        was_cut = bool(self.machine.model.is_off)
        self.machine.power_on()
        assert (status != 0) == was_cut
        before = self.facts_of(self.records)
        after = self.facts_of([*self.records, record])
        found = self.facts_in_flash()
        assert found in ((before, after) if was_cut else (after,))
        if found == after:
            self.records.append(record)
        self.log = mount(self.machine)
        if was_cut and recovery_cut is not None:
            # The recovery is cut as well: what stood then still stands.
            again = record_of(RecordType.REPORTED, attempt=self.attempt)
            self.machine.cut_at(recovery_cut, torn=torn, noise=noise ^ 1 or 1)
            status = append(self.machine, self.log, again)
            self.machine.power_on()
            found = self.facts_in_flash()
            reported = self.facts_of([*self.records, again])
            assert found == reported if status == 0 else found in (self.facts_of(self.records), reported)
            if found == reported:
                self.records.append(again)
            self.log = mount(self.machine)

    @rule()
    def restart(self) -> None:
        self.log = mount(self.machine)

    @invariant()
    def facts_hold(self) -> None:
        assert self.facts_in_flash() == self.facts_of(self.records)

    def append(self, record: BootRecord) -> None:
        assert append(self.machine, self.log, record) == 0
        self.records.append(record)

    def facts_of(self, records: list[BootRecord]) -> object:
        facts = BootFacts.of(records)
        trial = facts.state is AttemptState.TRIAL
        return (
            plain(facts.confirmed),
            plain(facts.outcome),
            facts.state.name,
            facts.trial_count if trial else 0,
            plain(facts.attempt) if facts.state is not AttemptState.IDLE else None,
        )

    def facts_in_flash(self) -> object:
        facts = read_facts(self.machine, mount(self.machine))
        state = {number: name for name, number in STATES.items()}[facts.attempt_state]
        return (
            c_plain(facts.confirmed) if facts.has_confirmed else None,
            c_plain(facts.outcome) if facts.has_outcome else None,
            state,
            facts.trial_count if state == "TRIAL" else 0,
            c_plain(facts.attempt) if state != "IDLE" else None,
        )


def plain(record: BootRecord | None) -> object:
    """Without the sequence number, which compaction may let begin again."""
    if record is None:
        return None
    return (int(record.type), int(record.slot), record.reason, record.attempt, record.identity)


def c_plain(record: Any) -> object:
    return (record.type, record.slot, record.reason, record.attempt, bytes(record.identity))


def test_any_records_with_cuts_anywhere(machine: Machine) -> None:
    BootLogUnderPowerCuts.machine = machine
    run_state_machine_as_test(BootLogUnderPowerCuts, settings=settings(max_examples=60, stateful_step_count=30))
