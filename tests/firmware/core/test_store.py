# SPDX-License-Identifier: Apache-2.0
"""The golden stores, and a state machine that cuts power at any flash operation: the old value or the new one stays."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from muster.device.record_store import Owner, RecordStore, StoreRecord, new_sector
from muster.layout import STORE_SECTORS
from muster.status import OtaStatus
from tests.firmware.core.machine import SECTOR_SIZES, Machine
from tests.vectors.reading import Case, cases, sector_bytes

SETTINGS, PRODUCT, CRASH, DOWNLOAD = 1, 2, 3, 4


def mount(machine: Machine) -> Any:
    store = machine.new("struct ota_store *")
    assert machine.lib.ota_store_mount(store, machine.flash) == 0
    return store


def read(machine: Machine, store: Any, owner: int, key: int, size: int = 65_535) -> bytes | None:
    out = machine.new("uint8_t[]", max(size, 1))
    length = machine.new("uint32_t *")
    status = machine.lib.ota_store_read(store, owner, key, out, size, length)
    assert status in (0, OtaStatus.ERR_NOT_FOUND)
    return bytes(machine.ffi.buffer(out, length[0])) if status == 0 else None


def write(machine: Machine, store: Any, owner: int, key: int, value: bytes) -> int:
    status: int = machine.lib.ota_store_write(store, owner, key, machine.buffer(value), len(value))
    return status


def live_bytes(machine: Machine, store: Any, owner: int) -> int:
    live = machine.new("uint32_t *")
    assert machine.lib.ota_store_live_bytes(store, owner, live) == 0
    return int(live[0])


def contents(machine: Machine) -> dict[tuple[int, int], bytes]:
    """What the library's reader finds in the sectors."""
    store = RecordStore.from_sectors(*(machine.dump_sector(number) for number in STORE_SECTORS))
    return {(int(record.owner), record.key): record.value for record in store.records}


def load_vector(machine: Machine, vector: Case) -> None:
    for number in STORE_SECTORS:
        machine.load_sector(number, sector_bytes(vector["sectors"][str(number)], SECTOR_SIZES[number]))


@pytest.mark.parametrize("vector", cases("boot/record_stores.json"), ids=lambda vector: vector["name"])
def test_golden_stores(machine: Machine, vector: Case) -> None:
    load_vector(machine, vector)
    store = mount(machine)
    assert store.sector == (vector["ruling"] or 0)
    if vector["ruling"] is None:
        return
    assert store.generation == vector["generation"]
    assert store.must_compact == vector["must_compact"]
    if not vector["must_compact"]:
        assert store.end == vector["end"]
    expected = {(record["owner"], record["key"]): bytes.fromhex(record["value"]) for record in vector["records"]}
    for owner in range(1, 5):
        for key in range(256):
            assert read(machine, store, owner, key, 4096) == expected.get((owner, key))
        live = sum(16 + len(value) for (each, _), value in expected.items() if each == owner)
        assert live_bytes(machine, store, owner) == live


@pytest.mark.parametrize("vector", cases("boot/record_stores.json"), ids=lambda vector: vector["name"])
def test_any_golden_store_takes_another_value(machine: Machine, vector: Case) -> None:
    load_vector(machine, vector)
    before = {(record["owner"], record["key"]): bytes.fromhex(record["value"]) for record in vector.get("records", [])}
    assert write(machine, mount(machine), SETTINGS, 99, b"new") == 0
    assert contents(machine) == {**before, (SETTINGS, 99): b"new"}


def test_bytes_written_are_those_of_the_library(machine: Machine) -> None:
    store = mount(machine)
    values = [(Owner.PRODUCT, 1, b"21.5"), (Owner.SETTINGS, 255, b"x"), (Owner.CRASH, 0, bytes(300))]
    for owner, key, value in values:
        assert write(machine, store, owner, key, value) == 0
    assert machine.dump_sector(4) == new_sector(4, 1, [StoreRecord(*value) for value in values])


def test_last_value_wins_and_removed_is_gone(machine: Machine) -> None:
    store = mount(machine)
    assert write(machine, store, PRODUCT, 1, b"one") == 0
    assert write(machine, store, PRODUCT, 1, b"two!") == 0
    assert read(machine, mount(machine), PRODUCT, 1) == b"two!"
    assert machine.lib.ota_store_remove(store, PRODUCT, 1) == 0
    assert read(machine, mount(machine), PRODUCT, 1) is None
    assert live_bytes(machine, store, PRODUCT) == 0
    assert machine.operations_of(lambda: machine.lib.ota_store_remove(store, PRODUCT, 1)) == 0


def test_value_larger_than_the_buffer_is_an_error_that_says_how_large(machine: Machine) -> None:
    store = mount(machine)
    assert write(machine, store, PRODUCT, 1, b"12345") == 0
    out, length = machine.new("uint8_t[]", 8), machine.new("uint32_t *")
    assert machine.lib.ota_store_read(store, PRODUCT, 1, out, 4, length) == OtaStatus.ERR_BUFFER
    assert length[0] == 5
    assert bytes(machine.ffi.buffer(out)) == bytes(8)


@pytest.mark.parametrize("owner", [SETTINGS, PRODUCT, CRASH, DOWNLOAD])
def test_quota_holds_to_the_byte(machine: Machine, owner: int) -> None:
    store = mount(machine)
    quota = machine.lib.ota_store_quota(owner)
    assert write(machine, store, owner, 0, bytes(quota - 16 - 16 - 1)) == 0
    assert write(machine, store, owner, 1, b"12") == OtaStatus.ERR_STORE_FULL
    assert write(machine, store, owner, 1, b"1") == 0
    assert live_bytes(machine, store, owner) == quota
    # A new value of a key takes the place of its old one.
    assert write(machine, store, owner, 0, bytes(quota - 16 - 16 - 1)) == 0
    assert write(machine, store, owner, 0, bytes(quota - 16 - 16)) == OtaStatus.ERR_STORE_FULL
    assert live_bytes(machine, store, owner) == quota


@pytest.mark.parametrize(("owner", "size", "status"), [(0, 1, -41), (5, 1, -41), (255, 1, -41), (1, 0, -43)])
def test_owners_without_a_quota_and_empty_values_are_refused(
    machine: Machine, owner: int, size: int, status: int
) -> None:
    assert write(machine, mount(machine), owner, 1, bytes(size)) == status
    assert machine.model.operations == 0


def test_owners_that_fill_their_quotas_fit_the_small_sector(machine: Machine) -> None:
    """Also with the smallest values, which waste most; and a new value of the largest size beside them."""
    store = mount(machine)
    expected = {}
    for owner in (SETTINGS, PRODUCT, CRASH, DOWNLOAD):
        quota = machine.lib.ota_store_quota(owner)
        size = quota // 256 - 16 if quota // 256 > 16 else 1
        for key in range(min(256, quota // (16 + size))):
            expected[owner, key] = bytes([key]) * size
            assert write(machine, store, owner, key, expected[owner, key]) == 0
    for _ in range(12):
        assert write(machine, store, PRODUCT, 7, b"q" * 48) == 0
        expected[PRODUCT, 7] = b"q" * 48
        store.must_compact = True
    assert machine.model.erases[4] + machine.model.erases[11] >= 10
    assert contents(machine) == expected


def fill_all_but_downloads(machine: Machine, store: Any) -> dict[tuple[int, int], bytes]:
    """Values that take the whole quota of each other owner."""
    expected = {}
    for owner in (SETTINGS, PRODUCT, CRASH):
        quota = machine.lib.ota_store_quota(owner)
        for key in range(8):
            expected[owner, key] = bytes([16 * owner + key]) * (quota // 8 - 16)
            assert write(machine, store, owner, key, expected[owner, key]) == 0
        assert live_bytes(machine, store, owner) == quota
    return expected


def test_largest_checkpoint_is_replaced_again_and_again_beside_full_quotas(machine: Machine) -> None:
    """A download that never stops storing its checkpoints, in sectors where nothing else is left to give way."""
    store = mount(machine)
    expected = fill_all_but_downloads(machine, store)
    size = machine.lib.OTA_STORE_DOWNLOAD_QUOTA - 16
    assert size >= machine.lib.OTA_DELTA_SAVED_MAX
    for number in range(12):
        expected[DOWNLOAD, 0] = bytes([number, 255 - number]) * (size // 2)
        assert write(machine, store, DOWNLOAD, 0, expected[DOWNLOAD, 0]) == 0
        assert contents(machine) == expected
    assert machine.model.erases[4] >= 1
    assert machine.model.erases[11] >= 1


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("sector", [4, 11])
def test_cut_while_the_largest_checkpoint_compacts_a_full_store_leaves_the_old_or_the_new_one(
    machine: Machine, sector: int, torn: bool
) -> None:
    store = mount(machine)
    expected = fill_all_but_downloads(machine, store)
    size = machine.lib.OTA_STORE_DOWNLOAD_QUOTA - 16
    old, new = b"o" * size, b"n" * size
    assert write(machine, store, DOWNLOAD, 0, old) == 0
    while store.sector != sector:
        store.must_compact = True
        assert write(machine, store, DOWNLOAD, 0, old) == 0
    machine.load(machine.lib.ota_sector_addr(sector) + store.end, bytes(4))  # a torn head: the next write compacts
    before = machine.everything()
    total = machine.operations_of(lambda: write(machine, mount(machine), DOWNLOAD, 0, new))
    assert contents(machine) == {**expected, (DOWNLOAD, 0): new}
    for cut in {0, 1, 2, *random.Random(sector).sample(range(total), 10), total - 1}:
        machine.load(0x0800_0000, before)
        machine.cut_at(cut, torn=torn, noise=3 * cut + 1)
        assert write(machine, mount(machine), DOWNLOAD, 0, new) != 0
        machine.power_on()
        assert contents(machine) == {**expected, (DOWNLOAD, 0): old}
        assert write(machine, mount(machine), DOWNLOAD, 0, new) == 0
        assert contents(machine) == {**expected, (DOWNLOAD, 0): new}


def test_compaction_keeps_owners_it_does_not_know(machine: Machine) -> None:
    """A newer firmware may have written them."""
    store = mount(machine)
    assert write(machine, store, PRODUCT, 1, b"one") == 0
    foreign = bytearray(StoreRecord(Owner.PRODUCT, 9, b"nine").to_bytes())
    foreign[0] = 77
    foreign[4:8] = struct.pack("<I", ~int.from_bytes(foreign[:4], "little") & 0xFFFF_FFFF)
    foreign[8:12] = struct.pack("<I", zlib.crc32(bytes(foreign[:4]) + b"nine"))
    machine.load(0x0801_0000 + store.end, bytes(foreign))
    store = mount(machine)
    assert read(machine, store, 77, 9) == b"nine"
    store.must_compact = True
    assert write(machine, store, PRODUCT, 2, b"two") == 0
    assert store.sector == 11
    assert read(machine, mount(machine), 77, 9) == b"nine"
    assert read(machine, mount(machine), PRODUCT, 1) == b"one"


def test_write_that_fails_is_followed_by_a_compaction(machine: Machine) -> None:
    store = mount(machine)
    assert write(machine, store, PRODUCT, 1, b"one") == 0
    machine.fail_at(1)
    assert write(machine, store, PRODUCT, 1, b"two") == OtaStatus.ERR_FLASH_PROGRAM
    machine.power_on()
    assert write(machine, store, PRODUCT, 1, b"three") == 0
    assert (store.sector, store.generation) == (11, 2)
    assert read(machine, mount(machine), PRODUCT, 1) == b"three"


def test_wear_is_shared_by_both_sectors(machine: Machine) -> None:
    store = mount(machine)
    for number in range(400):
        assert write(machine, store, DOWNLOAD, 0, number.to_bytes(4, "little") * 500) == 0
    small, large = machine.model.erases[4], machine.model.erases[11]
    assert 0 <= small - large <= 1
    assert read(machine, mount(machine), DOWNLOAD, 0) == (399).to_bytes(4, "little") * 500


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("compacts", [False, True])
def test_cut_at_every_operation_leaves_the_old_or_the_new_value(machine: Machine, torn: bool, compacts: bool) -> None:
    store = mount(machine)
    for key, value in ((1, b"old value"), (2, b"other"), (1, b"old again")):
        assert write(machine, store, PRODUCT, key, value) == 0
    if compacts:  # a torn head behind the records: the next write compacts, over a worn other sector
        machine.load(0x0801_0000 + store.end, b"\x00\x00\x00\x00")
        machine.load_sector(11, b"\x55" * 1000)
    before = machine.everything()
    total = machine.operations_of(lambda: write(machine, mount(machine), PRODUCT, 1, b"new value!"))
    assert total > 6
    for cut in range(total):
        machine.load(0x0800_0000, before)
        machine.cut_at(cut, torn=torn, noise=3 * cut + 1)
        assert write(machine, mount(machine), PRODUCT, 1, b"new value!") != 0
        machine.power_on()
        assert contents(machine) == {(PRODUCT, 1): b"old again", (PRODUCT, 2): b"other"}
        assert read(machine, mount(machine), PRODUCT, 1) == b"old again"
        assert write(machine, mount(machine), PRODUCT, 1, b"new value!") == 0
        assert contents(machine) == {(PRODUCT, 1): b"new value!", (PRODUCT, 2): b"other"}


class StoreUnderPowerCuts(RuleBasedStateMachine):
    """Writes and removes, sometimes with a cut, and mounts again. The model is a dictionary."""

    machine: Machine

    owners = st.sampled_from([SETTINGS, PRODUCT, CRASH])
    keys = st.integers(0, 3)
    values = st.one_of(st.binary(min_size=1, max_size=9), st.integers(1000, 3000).map(lambda size: b"v" * size))

    def __init__(self) -> None:
        super().__init__()
        self.machine.reset()
        self.store = mount(self.machine)
        self.values_now: dict[tuple[int, int], bytes] = {}

    def change(self, owner: int, key: int, value: bytes | None) -> int:
        if value is not None:
            return write(self.machine, self.store, owner, key, value)
        status: int = self.machine.lib.ota_store_remove(self.store, owner, key)
        return status

    def changed(self, owner: int, key: int, value: bytes | None) -> dict[tuple[int, int], bytes]:
        after = {place: content for place, content in self.values_now.items() if place != (owner, key)}
        return after if value is None else {**after, (owner, key): value}

    def fits(self, owner: int, after: dict[tuple[int, int], bytes]) -> bool:
        live = sum(16 + len(value) for (each, _), value in after.items() if each == owner)
        return live <= int(self.machine.lib.ota_store_quota(owner))

    @rule(owner=owners, key=keys, value=st.one_of(values, st.none()))
    def change_whole(self, owner: int, key: int, value: bytes | None) -> None:
        after = self.changed(owner, key, value)
        status = self.change(owner, key, value)
        assert status == (0 if self.fits(owner, after) else OtaStatus.ERR_STORE_FULL)
        if status == 0:
            self.values_now = after

    @rule(
        owner=owners,
        key=keys,
        value=st.one_of(values, st.none()),
        cut=st.one_of(st.integers(0, 12), st.integers(0, 3000)),
        torn=st.booleans(),
        noise=st.integers(1, 2**32 - 1),
    )
    def change_with_a_cut(self, owner: int, key: int, value: bytes | None, cut: int, torn: bool, noise: int) -> None:
        after = self.changed(owner, key, value)
        self.machine.cut_at(cut, torn=torn, noise=noise)
        status = self.change(owner, key, value)
        was_cut = bool(self.machine.model.is_off)
        self.machine.power_on()
        found = contents_or_none(self.machine)
        assert found in ((self.values_now, after) if was_cut else (after if status == 0 else self.values_now,))
        self.values_now = found
        self.store = mount(self.machine)

    @rule()
    def run_full(self) -> None:
        """The next write compacts."""
        self.store.must_compact = True

    @rule()
    def restart(self) -> None:
        self.store = mount(self.machine)

    @invariant()
    def values_hold(self) -> None:
        for owner in (SETTINGS, PRODUCT, CRASH):
            for key in range(4):
                assert read(self.machine, self.store, owner, key) == self.values_now.get((owner, key))


def contents_or_none(machine: Machine) -> dict[tuple[int, int], bytes]:
    """An empty store may have no ruling sector yet."""
    return contents(machine) if mount(machine).sector != 0 else {}


def test_any_changes_with_cuts_anywhere(machine: Machine) -> None:
    StoreUnderPowerCuts.machine = machine
    run_state_machine_as_test(StoreUnderPowerCuts, settings=settings(max_examples=40, stateful_step_count=25))
