# SPDX-License-Identifier: Apache-2.0
"""The record store (docs/spec/boot.md section 6): settings, product storage, crash records and download checkpoints."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from muster.errors import RecordStoreError, StoreFull, ValueOutOfRange
from muster.layout import COMMIT, ERASED, SECTOR_SIZES, STORE_SECTORS

MAGIC = 0x52545352
HEADER_SIZE = 64
RECORD_HEAD_SIZE = 16
LIVE_BYTES_MAX = 40 * 1024

_HEADER = struct.Struct("<II48xII")
_RECORD = struct.Struct("<IIII")
_BLANK_WORD = 0xFFFF_FFFF


class Owner(IntEnum):
    """Who a record belongs to."""

    SETTINGS = 1
    PRODUCT = 2
    CRASH = 3
    DOWNLOAD = 4


QUOTAS = {Owner.SETTINGS: 4096, Owner.PRODUCT: 16_384, Owner.CRASH: 8192, Owner.DOWNLOAD: 12_288}
"""Live bytes that an owner may hold; a record takes its value's bytes and 16 more."""


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """One record.

    Attributes:
        owner: u8; an `Owner`, but a reader meets any.
        key: u8.
        value: at most 65,535 bytes; empty means removed.
    """

    owner: int
    key: int
    value: bytes

    def __post_init__(self) -> None:
        if not (0 <= self.owner <= 0xFF and 0 <= self.key <= 0xFF and len(self.value) <= 0xFFFF):
            raise ValueOutOfRange("a field of a store record is out of range")

    @property
    def live_bytes(self) -> int:
        """What the record counts against its owner's quota."""
        return RECORD_HEAD_SIZE + len(self.value) if self.value else 0

    def to_bytes(self) -> bytes:
        """The record with its head and padding, committed."""
        head = struct.pack("<BBH", self.owner, self.key, len(self.value))
        word = int.from_bytes(head, "little")
        padded = self.value + bytes([ERASED]) * (-len(self.value) % 4)
        return _RECORD.pack(word, word ^ _BLANK_WORD, zlib.crc32(head + self.value), COMMIT) + padded


@dataclass(frozen=True, slots=True)
class RecordStore:
    """What the ruling sector of a record store holds.

    Attributes:
        sector: 4 or 11.
        generation: u32, of its header.
        records: the live ones, by owner and key.
        end: byte offset in the sector where the next record goes.
        is_torn: the log ends in a head that does not hold, so that the next write compacts.
    """

    sector: int
    generation: int
    records: tuple[StoreRecord, ...]
    end: int
    is_torn: bool

    @classmethod
    def from_sectors(cls, first: bytes, second: bytes) -> RecordStore:
        """Reads sector 4 (64 KiB) and sector 11 (128 KiB).

        Raises:
            RecordStoreError: neither has a valid header.
        """
        candidates = []
        for sector, raw in zip(STORE_SECTORS, (first, second), strict=True):
            if len(raw) != SECTOR_SIZES[sector]:
                raise RecordStoreError(f"sector {sector} has {SECTOR_SIZES[sector]} bytes, not {len(raw)}")
            generation = _header_generation(raw)
            if generation is not None:
                candidates.append((generation, sector, raw))
        if not candidates:
            raise RecordStoreError("neither record store sector has a valid header")
        generation, sector, raw = max(candidates, key=lambda candidate: candidate[0])
        live, end, is_torn = _scan(raw)
        records = tuple(live[name] for name in sorted(live))
        return cls(sector, generation, records, end, is_torn)

    def value(self, owner: Owner, key: int) -> bytes | None:
        """The value of a live record, or None."""
        for record in self.records:
            if (record.owner, record.key) == (owner, key):
                return record.value
        return None


def new_sector(sector: int, generation: int, records: Iterable[StoreRecord]) -> bytes:
    """A whole record store sector with these records, in their order.

    Raises:
        ValueOutOfRange: sector or generation have no legal value.
        StoreFull: what is live is beyond a quota, beyond 40 KiB, or does not fit (ERR_STORE_FULL).
    """
    if sector not in STORE_SECTORS or not 0 <= generation < 2**32:
        raise ValueOutOfRange("sector or generation of a record store is out of range")
    header = _HEADER.pack(MAGIC, generation, 0, 0)[:-8]
    out = bytearray(header + struct.pack("<II", zlib.crc32(header), COMMIT))
    live: dict[tuple[int, int], int] = {}
    for record in records:
        out += record.to_bytes()
        live[record.owner, record.key] = record.live_bytes
    for owner, quota in QUOTAS.items():
        if sum(size for name, size in live.items() if name[0] == owner) > quota:
            raise StoreFull(f"the records of {owner.name.lower()} take more than {quota} bytes")
    if sum(live.values()) > LIVE_BYTES_MAX or len(out) > SECTOR_SIZES[sector]:
        raise StoreFull("the records do not fit the record store")
    return bytes(out).ljust(SECTOR_SIZES[sector], bytes([ERASED]))


def _header_generation(raw: bytes) -> int | None:
    magic, generation, crc, commit = _HEADER.unpack_from(raw)
    if magic != MAGIC or commit != COMMIT or crc != zlib.crc32(raw[: HEADER_SIZE - 8]):
        return None
    return int(generation)


def _scan(raw: bytes) -> tuple[dict[tuple[int, int], StoreRecord], int, bool]:
    """Live records, the offset behind the last one, and whether a head there does not hold."""
    live: dict[tuple[int, int], StoreRecord] = {}
    at = HEADER_SIZE
    while len(raw) - at >= RECORD_HEAD_SIZE:
        word, complement, crc, commit = _RECORD.unpack_from(raw, at)
        if word ^ _BLANK_WORD != complement:
            # Four blank words are a blank head; a head whose first words alone are blank was begun and torn.
            is_blank = raw[at : at + RECORD_HEAD_SIZE] == bytes([ERASED]) * RECORD_HEAD_SIZE
            return live, at, not is_blank
        length = word >> 16
        padded = length + -length % 4
        if padded > len(raw) - at - RECORD_HEAD_SIZE:
            return live, at, True
        value = raw[at + RECORD_HEAD_SIZE : at + RECORD_HEAD_SIZE + length]
        if commit == COMMIT and crc == zlib.crc32(raw[at : at + 4] + value):
            name = (word & 0xFF, word >> 8 & 0xFF)
            live.pop(name, None)
            if value:
                live[name] = StoreRecord(*name, value)
        at += RECORD_HEAD_SIZE + padded
    return live, at, False
