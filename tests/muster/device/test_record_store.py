# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.device import record_store
from muster.device.record_store import QUOTAS, Owner, RecordStore, StoreRecord
from muster.errors import RecordStoreError, StoreFull, ValueOutOfRange
from muster.layout import SECTOR_SIZES
from muster.status import OtaStatus
from tests.vectors.reading import Case, cases, sector_bytes

_BLANK = {sector: b"\xff" * SECTOR_SIZES[sector] for sector in (4, 11)}
_RECORDS = st.lists(
    st.builds(StoreRecord, owner=st.sampled_from([1, 2, 3, 4]), key=st.integers(0, 3), value=st.binary(max_size=40)),
    max_size=12,
)


@pytest.mark.parametrize("case", cases("boot/record_stores.json"), ids=lambda case: case["name"])
def test_golden_record_store(case: Case) -> None:
    sectors = [sector_bytes(case["sectors"][str(number)], SECTOR_SIZES[number]) for number in (4, 11)]
    if case["ruling"] is None:
        with pytest.raises(RecordStoreError):
            RecordStore.from_sectors(*sectors)
        return
    store = RecordStore.from_sectors(*sectors)
    assert (store.sector, store.generation) == (case["ruling"], case["generation"])
    assert [
        {"owner": record.owner, "key": record.key, "value": record.value.hex()} for record in store.records
    ] == case["records"]
    assert store.is_torn == case["must_compact"]
    assert store.is_torn or store.end == case["end"]


# What is live in the golden vectors, written by hand from docs/spec/boot.md section 6.
@pytest.mark.parametrize(
    ("name", "live", "must_compact"),
    [
        ("empty", {}, False),
        ("two_records", {(2, 1): b"21.5", (2, 2): b"hello"}, False),
        ("overwritten", {(2, 1): b"newer", (2, 2): b"x"}, False),
        ("removed", {(2, 2): b"x"}, False),
        ("owners_are_apart", {(1, 1): b"s", (2, 1): b"p", (4, 1): b"d"}, False),
        ("large_sector_rules", {(2, 1): b"22", (2, 3): b"x" * 1000}, False),
        ("small_sector_rules", {(2, 1): b"23"}, False),
        ("newer_not_committed", {(2, 1): b"21.5", (2, 2): b"hello"}, False),
        ("last_not_committed", {(2, 1): b"21.5"}, False),
        ("last_value_torn", {(2, 1): b"21.5"}, False),
        ("torn_between", {(2, 1): b"first", (2, 2): b"last"}, False),
        ("removal_not_committed", {(2, 1): b"kept"}, False),
        ("head_torn_after_first_word", {(2, 1): b"21.5", (2, 2): b"hello"}, True),
        ("head_torn_in_second_word", {(2, 1): b"21.5", (2, 2): b"hello"}, True),
        ("head_beyond_the_end", {(2, 1): b"21.5", (2, 2): b"hello"}, True),
    ],
)
def test_what_is_live(name: str, live: dict[tuple[int, int], bytes], must_compact: bool) -> None:
    found = next(case for case in cases("boot/record_stores.json") if case["name"] == name)
    assert {(row["owner"], row["key"]): bytes.fromhex(row["value"]) for row in found["records"]} == live
    assert found["must_compact"] == must_compact


@given(_RECORDS)
def test_newest_record_of_a_name_rules(records: list[StoreRecord]) -> None:
    newest = {(record.owner, record.key): record.value for record in records}
    sector = record_store.new_sector(11, 3, records)
    store = RecordStore.from_sectors(_BLANK[4], sector)
    assert {(record.owner, record.key): record.value for record in store.records} == {
        name: value for name, value in newest.items() if value
    }
    assert store.end == 64 + sum(len(record.to_bytes()) for record in records)
    assert not store.is_torn
    for owner in Owner:
        assert store.value(owner, 0) == (newest.get((owner, 0)) or None)


@given(_RECORDS, st.data())
def test_damage_never_makes_up_a_record(records: list[StoreRecord], data: st.DataObject) -> None:
    sector = bytearray(record_store.new_sector(4, 1, records))
    for _ in range(data.draw(st.integers(1, 6))):
        sector[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    try:
        store = RecordStore.from_sectors(bytes(sector), _BLANK[11])
    except RecordStoreError:
        return
    assert set(store.records) <= set(records)


@pytest.mark.parametrize("owner", list(Owner))
def test_quota_of_an_owner(owner: Owner) -> None:
    fits = StoreRecord(owner, 0, bytes(QUOTAS[owner] - 16))
    record_store.new_sector(11, 1, [fits, fits])
    for records in ([StoreRecord(owner, 0, bytes(QUOTAS[owner] - 15))], [fits, StoreRecord(owner, 1, b"x")]):
        with pytest.raises(StoreFull) as refused:
            record_store.new_sector(11, 1, records)
        assert refused.value.status is OtaStatus.ERR_STORE_FULL


def test_records_that_do_not_fit_the_sector_are_refused() -> None:
    with pytest.raises(StoreFull, match="do not fit"):
        record_store.new_sector(4, 1, [StoreRecord(2, 0, bytes(16_000))] * 5)


@pytest.mark.parametrize(("sector", "generation"), [(3, 1), (4, 2**32), (11, -1)])
def test_other_sector_or_generation_is_refused(sector: int, generation: int) -> None:
    with pytest.raises(ValueOutOfRange):
        record_store.new_sector(sector, generation, [])


def test_sector_of_other_length_is_refused() -> None:
    with pytest.raises(RecordStoreError):
        RecordStore.from_sectors(_BLANK[11], _BLANK[4])
