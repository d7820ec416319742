# SPDX-License-Identifier: Apache-2.0
"""The boot log (docs/spec/boot.md section 4): two alternating sectors with key sets and 64-byte records."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from muster.errors import BootLogError, KeySetFormatError, StoreFull, ValueOutOfRange
from muster.layout import COMMIT, ERASED, IDENTITY_PREFIX_SIZE, LOG_SECTORS, SECTOR_SIZES, Slot
from muster.signing.keyset import KEYSET_SIZE_MAX, KeySet
from muster.status import OtaStatus

SECTOR_SIZE = SECTOR_SIZES[LOG_SECTORS[0]]
MAGIC = 0x474F4C42
HEADER_SIZE = 64
PLACE_SIZE = 2048
PLACES_AT = (64, 2112)
RECORDS_AT = 4160
RECORD_SIZE = 64
RECORD_PLACES = 191
assert RECORDS_AT + RECORD_PLACES * RECORD_SIZE == SECTOR_SIZE

TRIALS_MAX = 3
"""TRIAL records in one attempt."""

STATUS_REASON_BASE = 256
"""A reason of 256 + n says that the slot's check answered status -n."""

_HEADER = struct.Struct("<II48xII")
_RECORD = struct.Struct("<IBBHI16sI24xII")
_BLANK_RECORD = bytes([ERASED]) * RECORD_SIZE
_PLACE_CRC_AT = 2040


class RecordType(IntEnum):
    """What a boot record says."""

    STAGED = 1
    TRIAL = 2
    CONFIRMED = 3
    REJECTED = 4
    INTERRUPTED = 5
    ABANDONED = 6
    REPORTED = 7


class Reason(IntEnum):
    """Why an attempt ended, where no status says it."""

    NONE = 0
    WATCHDOG = 1
    FAULT = 2
    SOFTWARE = 3
    NO_CONTACT = 4
    POWER = 5
    FALLBACK = 6
    RECOVERED = 7


def status_reason(status: OtaStatus) -> int:
    """The reason that stands for a failing status."""
    return STATUS_REASON_BASE - int(status)


def reason_text(reason: int) -> str:
    """A reason's name, such as `WATCHDOG` or `OTA_ERR_HASH`, or its number where it has none."""
    names = {int(known): known.name for known in Reason}
    names |= {status_reason(status): status.c_name for status in OtaStatus if status is not OtaStatus.OK}
    return names.get(reason, str(reason))


@dataclass(frozen=True, slots=True)
class BootRecord:
    """One record.

    Attributes:
        sequence: u32, rising by one.
        type, slot: what happened to which slot.
        reason: u16, a `Reason` or `status_reason()`.
        attempt: u32, new with every offer; 0 for what was there from the beginning.
        identity: first 16 bytes of the image's identity.
        security_counter: u32.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    sequence: int
    type: RecordType
    slot: Slot
    reason: int
    attempt: int
    identity: bytes
    security_counter: int

    def __post_init__(self) -> None:
        words = (self.sequence, self.attempt, self.security_counter)
        if not all(0 <= word < 2**32 for word in words) or not 0 <= self.reason < 2**16:
            raise ValueOutOfRange("a number of a boot record is out of range")
        if len(self.identity) != IDENTITY_PREFIX_SIZE:
            raise ValueOutOfRange(f"a boot record holds {IDENTITY_PREFIX_SIZE} bytes of identity")

    def to_bytes(self) -> bytes:
        """The 64 bytes, committed."""
        body = _RECORD.pack(
            self.sequence, self.type, self.slot, self.reason, self.attempt, self.identity, self.security_counter, 0, 0
        )[:-8]
        return body + struct.pack("<II", zlib.crc32(body), COMMIT)

    @classmethod
    def from_bytes(cls, raw: bytes) -> BootRecord:
        """Parses 64 bytes.

        Raises:
            BootLogError: not committed, its CRC differs, or a field has no legal value.
        """
        if len(raw) != RECORD_SIZE:
            raise BootLogError(f"a boot record has {RECORD_SIZE} bytes, not {len(raw)}")
        sequence, kind, slot, reason, attempt, identity, counter, crc, commit = _RECORD.unpack(raw)
        if commit != COMMIT or crc != zlib.crc32(raw[:-8]):
            raise BootLogError("the boot record is not committed, or its CRC differs")
        if kind not in iter(RecordType) or slot not in iter(Slot):
            raise BootLogError(f"a boot record of type {kind} for slot {slot}")
        record = cls(sequence, RecordType(kind), Slot(slot), reason, attempt, identity, counter)
        if record.to_bytes() != raw:
            raise BootLogError("bytes of a boot record that are zero by the specification are not")
        return record


class AttemptState(StrEnum):
    """How far the newest attempt has come."""

    IDLE = "IDLE"
    STAGED = "STAGED"
    TRIAL = "TRIAL"


@dataclass(frozen=True, slots=True)
class BootFacts:
    """What the bootloader decides from.

    Attributes:
        confirmed: the newest CONFIRMED record, or None.
        state: of the newest attempt after it.
        attempt: the last record of that attempt, or None where there is none.
        trial_count: its TRIAL records.
        outcome: the last CONFIRMED, REJECTED or INTERRUPTED record, unless a REPORTED record follows it.
    """

    confirmed: BootRecord | None
    state: AttemptState
    attempt: BootRecord | None
    trial_count: int
    outcome: BootRecord | None

    @classmethod
    def of(cls, records: Iterable[BootRecord]) -> BootFacts:
        """The facts of valid records in the order of their places."""
        history = list(records)
        confirmed_at = max((at for at, record in enumerate(history) if record.type is RecordType.CONFIRMED), default=-1)
        later = [record for record in history[confirmed_at + 1 :] if record.type is not RecordType.REPORTED]
        newest = [record for record in later if record.attempt == later[-1].attempt]
        outcome: BootRecord | None = None
        for record in history:
            if record.type in (RecordType.CONFIRMED, RecordType.REJECTED, RecordType.INTERRUPTED):
                outcome = record
            elif record.type is RecordType.REPORTED:
                outcome = None
        last = newest[-1] if newest else None
        return cls(
            confirmed=history[confirmed_at] if confirmed_at >= 0 else None,
            state=_STATES.get(last.type, AttemptState.IDLE) if last is not None else AttemptState.IDLE,
            attempt=last,
            trial_count=sum(record.type is RecordType.TRIAL for record in newest),
            outcome=outcome,
        )


_STATES = {RecordType.STAGED: AttemptState.STAGED, RecordType.TRIAL: AttemptState.TRIAL}


@dataclass(frozen=True, slots=True)
class BootLog:
    """What the ruling sector of a boot log holds.

    Attributes:
        sector: 2 or 3, the sector that rules.
        generation: u32, of its header.
        keysets: the valid ones of the two places, newest first.
        records: the valid ones, in the order of their places.
        next_place: number of the place that the next record goes to; 191 where there is none left.
    """

    sector: int
    generation: int
    keysets: tuple[KeySet, ...]
    records: tuple[BootRecord, ...]
    next_place: int

    @classmethod
    def from_sectors(cls, first: bytes, second: bytes) -> BootLog:
        """Reads sectors 2 and 3, 16 KiB each.

        Raises:
            BootLogError: neither has a valid header.
        """
        candidates = []
        for sector, raw in zip(LOG_SECTORS, (first, second), strict=True):
            if len(raw) != SECTOR_SIZE:
                raise BootLogError(f"a boot log sector has {SECTOR_SIZE} bytes, not {len(raw)}")
            generation = _header_generation(raw)
            if generation is not None:
                candidates.append((generation, sector, raw))
        if not candidates:
            raise BootLogError("neither boot log sector has a valid header")
        generation, sector, raw = max(candidates, key=lambda candidate: candidate[0])
        records, next_place = _records(raw)
        return cls(sector, generation, _keysets(raw), records, next_place)

    @property
    def facts(self) -> BootFacts:
        return BootFacts.of(self.records)

    @property
    def keyset(self) -> KeySet | None:
        """The current key set."""
        return self.keysets[0] if self.keysets else None

    @property
    def next_sequence(self) -> int:
        """The sequence number of the next record."""
        return (self.records[-1].sequence + 1) & 0xFFFF_FFFF if self.records else 1


def new_sector(generation: int, keysets: Iterable[KeySet], records: Iterable[BootRecord]) -> bytes:
    """A whole boot log sector, 16 KiB: at most two key sets in their places, and records.

    Raises:
        ValueOutOfRange: the generation is no u32.
        StoreFull: more key sets or records than there are places (ERR_LOG_FULL).
    """
    if not 0 <= generation < 2**32:
        raise ValueOutOfRange("a generation is a u32")
    places = [place_bytes(keyset.to_bytes()) for keyset in keysets]
    bodies = [record.to_bytes() for record in records]
    if len(places) > len(PLACES_AT) or len(bodies) > RECORD_PLACES:
        raise StoreFull("the boot log sector has no place left", OtaStatus.ERR_LOG_FULL)
    header = _HEADER.pack(MAGIC, generation, 0, 0)[:-8]
    header += struct.pack("<II", zlib.crc32(header), COMMIT)
    sector = header + b"".join(places).ljust(2 * PLACE_SIZE, bytes([ERASED])) + b"".join(bodies)
    return sector.ljust(SECTOR_SIZE, bytes([ERASED]))


def appended(sector: bytes, record: BootRecord) -> bytes:
    """A sector with one more record behind the last place that is not blank.

    Raises:
        BootLogError: the sector has no valid header.
        StoreFull: there is no place left (ERR_LOG_FULL).
    """
    if len(sector) != SECTOR_SIZE or _header_generation(sector) is None:
        raise BootLogError("not a boot log sector with a valid header")
    _, place = _records(sector)
    if place == RECORD_PLACES:
        raise StoreFull("the boot log sector has no place left", OtaStatus.ERR_LOG_FULL)
    at = RECORDS_AT + RECORD_SIZE * place
    return sector[:at] + record.to_bytes() + sector[at + RECORD_SIZE :]


def place_bytes(keyset: bytes) -> bytes:
    """The 2,048 bytes of a key-set place."""
    if len(keyset) > KEYSET_SIZE_MAX:
        raise ValueOutOfRange(f"a key set has at most {KEYSET_SIZE_MAX} bytes")
    counted = struct.pack("<I", len(keyset)) + keyset
    return counted.ljust(_PLACE_CRC_AT, bytes([ERASED])) + struct.pack("<II", zlib.crc32(counted), COMMIT)


def _header_generation(raw: bytes) -> int | None:
    magic, generation, crc, commit = _HEADER.unpack_from(raw)
    if magic != MAGIC or commit != COMMIT or crc != zlib.crc32(raw[: HEADER_SIZE - 8]):
        return None
    return int(generation)


def _keysets(raw: bytes) -> tuple[KeySet, ...]:
    found = []
    for at in PLACES_AT:
        place = raw[at : at + PLACE_SIZE]
        (length,) = struct.unpack_from("<I", place)
        crc, commit = struct.unpack_from("<II", place, _PLACE_CRC_AT)
        if commit != COMMIT or length > KEYSET_SIZE_MAX or crc != zlib.crc32(place[: 4 + length]):
            continue
        try:
            found.append(KeySet.from_bytes(place[4 : 4 + length]))
        except KeySetFormatError:
            continue
    return tuple(sorted(found, key=lambda keyset: -keyset.content.version))


def _records(raw: bytes) -> tuple[tuple[BootRecord, ...], int]:
    """The valid records up to the first blank place, and where the next one goes."""
    found = []
    last_used = -1
    reading = True
    for place in range(RECORD_PLACES):
        at = RECORDS_AT + RECORD_SIZE * place
        body = raw[at : at + RECORD_SIZE]
        if body == _BLANK_RECORD:
            reading = False
            continue
        last_used = place
        if reading:
            try:
                found.append(BootRecord.from_bytes(body))
            except BootLogError:
                continue
    return tuple(found), last_used + 1
