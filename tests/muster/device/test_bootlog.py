# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.device import bootlog
from muster.device.bootlog import BootLog, BootRecord, Reason, RecordType, reason_text, status_reason
from muster.errors import BootLogError, MusterError, StoreFull, ValueOutOfRange
from muster.layout import Slot
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case, cases, sector_bytes

_BLANK = b"\xff" * bootlog.SECTOR_SIZE

_RECORDS = st.builds(
    BootRecord,
    sequence=st.integers(0, 2**32 - 1),
    type=st.sampled_from(list(RecordType)),
    slot=st.sampled_from(list(Slot)),
    reason=st.integers(0, 2**16 - 1),
    attempt=st.integers(0, 2**32 - 1),
    identity=st.binary(min_size=16, max_size=16),
    security_counter=st.integers(0, 2**32 - 1),
)


def _record(case: Case | None) -> BootRecord | None:
    if case is None:
        return None
    return BootRecord(
        case["sequence"],
        RecordType(case["type"]),
        Slot(case["slot"]),
        case["reason"],
        case["attempt"],
        bytes.fromhex(case["identity"]),
        case["security_counter"],
    )


@pytest.mark.parametrize("case", cases("boot/boot_logs.json"), ids=lambda case: case["name"])
def test_golden_boot_log(case: Case) -> None:
    sectors = [sector_bytes(case["sectors"][number], bootlog.SECTOR_SIZE) for number in ("2", "3")]
    if case["ruling"] is None:
        with pytest.raises(BootLogError):
            BootLog.from_sectors(*sectors)
        return
    log = BootLog.from_sectors(*sectors)
    assert (log.sector, log.generation, log.next_place) == (case["ruling"], case["generation"], case["next_place"])
    assert [keyset.content.version for keyset in log.keysets] == case["keyset_versions"]
    assert log.next_sequence == case.get("next_sequence", 1)
    facts = log.facts
    assert facts.confirmed == _record(case["facts"]["confirmed"])
    assert facts.outcome == _record(case["facts"]["outcome"])
    if "attempt_state" in case["facts"]:
        assert facts.state.value == case["facts"]["attempt_state"]
        if case["facts"]["attempt"] is not None:
            assert facts.attempt == _record(case["facts"]["attempt"])
            assert facts.trial_count == case["facts"]["trial_count"]


# What each history of the golden vectors means, written by hand from docs/spec/boot.md section 4.
@pytest.mark.parametrize(
    ("name", "state", "trials", "confirmed", "outcome"),
    [
        ("factory", "IDLE", 0, 1, 1),
        ("reported", "IDLE", 0, 1, None),
        ("staged", "STAGED", 0, 1, None),
        ("trial", "TRIAL", 1, 1, None),
        ("three_trials", "TRIAL", 3, 1, None),
        ("confirmed", "IDLE", 0, 5, 5),
        ("rejected_by_watchdog", "IDLE", 0, 1, 5),
        ("rejected_by_hash", "IDLE", 0, 1, 3),
        ("rejected_and_reported", "IDLE", 0, 1, None),
        ("interrupted", "IDLE", 0, 1, 5),
        ("interrupted_and_offered_again", "STAGED", 0, 1, 5),
        ("abandoned", "IDLE", 0, 1, None),
        ("abandoned_and_staged_again", "STAGED", 0, 1, None),
        ("report_behind_staged", "STAGED", 0, 1, None),
        ("trials_of_an_older_attempt_do_not_count", "TRIAL", 1, 1, 6),
        ("fallback", "IDLE", 0, 2, 2),
        ("record_not_committed", "STAGED", 0, 1, None),
        ("torn_record_between", "TRIAL", 1, 1, 1),
        ("blank_place_between", "IDLE", 0, 1, 1),
    ],
)
def test_facts_of_a_history(name: str, state: str, trials: int, confirmed: int, outcome: int | None) -> None:
    facts = next(case["facts"] for case in cases("boot/boot_logs.json") if case["name"] == name)
    assert facts["attempt_state"] == state
    assert facts["trial_count"] == trials
    assert facts["confirmed"]["sequence"] == confirmed
    assert (facts["outcome"]["sequence"] if facts["outcome"] else None) == outcome


@given(_RECORDS)
def test_every_record_survives_its_encoding(record: BootRecord) -> None:
    raw = record.to_bytes()
    assert len(raw) == 64
    assert BootRecord.from_bytes(raw) == record


@given(_RECORDS, st.integers(0, 63), st.integers(1, 255))
def test_flipped_byte_is_refused(record: BootRecord, at: int, change: int) -> None:
    raw = bytearray(record.to_bytes())
    raw[at] ^= change
    with pytest.raises(BootLogError):
        BootRecord.from_bytes(bytes(raw))


@given(st.binary(max_size=80) | st.binary(min_size=64, max_size=64))
def test_random_bytes_raise_only_our_errors(raw: bytes) -> None:
    with pytest.raises(MusterError):
        BootRecord.from_bytes(raw)


@given(st.data())
def test_damaged_log_raises_only_our_errors(data: st.DataObject) -> None:
    records = data.draw(st.lists(_RECORDS, max_size=6))
    sector = bytearray(bootlog.new_sector(1, [fixed.keyset_v1()], records))
    for _ in range(data.draw(st.integers(1, 8))):
        sector[data.draw(st.integers(0, 4700))] = data.draw(st.integers(0, 255))
    try:
        log = BootLog.from_sectors(bytes(sector), _BLANK)
    except BootLogError:
        return
    assert set(log.records) <= set(records)


@given(st.lists(_RECORDS, max_size=20))
def test_appending_one_by_one_is_writing_at_once(records: list[BootRecord]) -> None:
    sector = bootlog.new_sector(5, [fixed.keyset_v1()], [])
    for record in records:
        sector = bootlog.appended(sector, record)
    assert sector == bootlog.new_sector(5, [fixed.keyset_v1()], records)
    log = BootLog.from_sectors(_BLANK, sector)
    assert (log.sector, log.records, log.next_place) == (3, tuple(records), len(records))
    assert log.keyset == fixed.keyset_v1()


def test_record_goes_behind_the_last_place_that_is_not_blank() -> None:
    record = BootRecord(9, RecordType.STAGED, Slot.B, 0, 1, bytes(16), 0)
    sector = bytearray(bootlog.new_sector(1, [], []))
    sector[bootlog.RECORDS_AT + 64 * 3] = 0
    appended = bootlog.appended(bytes(sector), record)
    assert appended[bootlog.RECORDS_AT + 64 * 4 :][:64] == record.to_bytes()
    # It stands behind blank places, so no reader meets it: only a torn write makes such a log.
    assert BootLog.from_sectors(appended, _BLANK).records == ()


def test_full_log_takes_no_more() -> None:
    record = BootRecord(1, RecordType.REPORTED, Slot.A, 0, 0, bytes(16), 0)
    sector = bootlog.new_sector(1, [], [record] * bootlog.RECORD_PLACES)
    with pytest.raises(StoreFull) as refused:
        bootlog.appended(sector, record)
    assert refused.value.status is OtaStatus.ERR_LOG_FULL
    with pytest.raises(StoreFull):
        bootlog.new_sector(1, [], [record] * (bootlog.RECORD_PLACES + 1))
    with pytest.raises(StoreFull):
        bootlog.new_sector(1, [fixed.keyset_v1()] * 3, [])


def test_blank_sector_cannot_be_appended_to() -> None:
    with pytest.raises(BootLogError):
        bootlog.appended(_BLANK, BootRecord(1, RecordType.STAGED, Slot.B, 0, 1, bytes(16), 0))


def test_sector_of_other_length_is_refused() -> None:
    with pytest.raises(BootLogError):
        BootLog.from_sectors(_BLANK[:-1], _BLANK)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (0, "NONE"),
        (Reason.WATCHDOG, "WATCHDOG"),
        (256 + 15, "OTA_ERR_HASH"),
        (256, "256"),
        (255, "255"),
        (999, "999"),
    ],
)
def test_reasons_have_names(reason: int, text: str) -> None:
    assert reason_text(reason) == text


def test_reason_of_a_status() -> None:
    assert status_reason(OtaStatus.ERR_IDENTITY) == 256 + 23


@pytest.mark.parametrize("identity", [b"", bytes(32)])
def test_record_with_other_identity_length_cannot_be_made(identity: bytes) -> None:
    with pytest.raises(ValueOutOfRange):
        BootRecord(1, RecordType.STAGED, Slot.A, 0, 1, identity, 0)
