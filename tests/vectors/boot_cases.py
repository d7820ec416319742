# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of docs/spec/boot.md."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cbor2

from muster.device import bootlog, record_store
from muster.device.bootlog import BootFacts, BootLog, BootRecord, RecordType
from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.device.record_store import RecordStore, StoreRecord
from muster.errors import BootLogError, RecordStoreError
from muster.layout import COMMIT, LOG_SECTORS, SECTOR_SIZES, STORE_SECTORS, Lifecycle, Slot
from muster.signing.cose import AAD_KEYSET, CoseSign1
from muster.signing.keys import PublicKey
from muster.signing.keyset import KeySet, KeySetContent, RootKeys
from muster.signing.signer import sign_detached
from muster.status import OtaStatus
from tests.vectors import fixed
from tests.vectors.reading import Case

CHIP_ID = bytes.fromhex("3a0021000d51343438363235")
OTHER_CHIP_ID = bytes.fromhex("3a0021000d51343438363236")
OLD = bytes(range(0x10, 0x20))
NEW = bytes(range(0x20, 0x30))


def boot_files() -> dict[str, tuple[str, list[Case]]]:
    return {
        "boot/identity_pages.json": ("Identity pages, good and bad.", _identity_pages()),
        "boot/identity_stubs.json": (
            "What a device makes of its identity stubs at its first start.",
            _identity_stubs(),
        ),
        "boot/keysets.json": ("Key sets by their form, good and bad.", _keysets()),
        "boot/keyset_chains.json": ("Whether a key set follows the current one.", _keyset_chains()),
        "boot/boot_logs.json": ("Boot logs and their facts.", _boot_logs()),
        "boot/record_stores.json": ("Record stores and what is live in them.", _record_stores()),
    }


def _identity_stubs() -> list[Case]:
    """Completed with the fixed key `device-1`; `page` is what is read then, null where nothing was made."""
    roots = RootKeys(2, fixed.public("root-1", "root-2", "root-3"))
    key = fixed.key("device-1")
    made: list[Case] = []

    def add(name: str, raw: bytes, page: bytes | None) -> None:
        made.append(
            {
                "name": name,
                "stub": raw.hex(),
                "chip_id": CHIP_ID.hex(),
                "seed": key.seed.hex(),
                "status": 0 if page is not None else int(OtaStatus.ERR_IDENTITY_PAGE),
                "page": None if page is None else page.hex(),
            }
        )

    for lifecycle in Lifecycle:
        stub = IdentityStub(1234, 2, lifecycle, roots)
        add(lifecycle.name.lower(), stub.to_bytes(), stub.completed(CHIP_ID, key).to_bytes())
    copy, page = stub.to_bytes()[:512], stub.completed(CHIP_ID, key).to_bytes()[:512]
    spoiled = copy[:12] + CHIP_ID + copy[24:]
    add("first copy was cut", spoiled + copy, spoiled + page)
    add("second copy was cut", copy + spoiled, page + spoiled)
    add("both copies were cut", 2 * spoiled, None)
    add("blank", b"\xff" * 1024, None)
    for at, what in ((0, "magic"), (4, "format"), (10, "lifecycle"), (11, "root threshold"), (24, "root count")):
        add(f"without {what}", 2 * (copy[:at] + b"\x00" + copy[at + 1 :]), None)
    for at, what in ((23, "device id"), (124, "private key"), (187, "public key"), (504, "CRC"), (511, "COMMIT")):
        add(f"a bit of the {what} is written", 2 * (copy[:at] + b"\xfe" + copy[at + 1 :]), None)
    return made


def _identity_pages() -> list[Case]:
    roots = RootKeys(2, fixed.public("root-1", "root-2", "root-3"))
    development = IdentityPage(1234, 2, Lifecycle.DEVELOPMENT, roots, bytes(12), fixed.key("device-1"))
    production = IdentityPage(1234, 2, Lifecycle.PRODUCTION, roots, CHIP_ID, fixed.key("device-1"))
    one_root = IdentityPage(
        65_534, 0, Lifecycle.PRODUCTION, RootKeys(1, fixed.public("root-1")), CHIP_ID, fixed.key("device-1")
    )
    copy = production.to_bytes()[:512]
    blank = b"\xff" * 512

    def twice(at: int, content: bytes) -> bytes:
        return 2 * _recommitted(copy, at, content)

    good = [
        ("development_for_any_chip", development.to_bytes(), development),
        ("production", production.to_bytes(), production),
        ("one_root", one_root.to_bytes(), one_root),
        ("second_copy_only", blank + copy, production),
        ("first_copy_torn", copy[:300] + b"\xff" * 212 + copy, production),
        ("first_copy_rules", development.to_bytes()[:512] + copy, development),
    ]
    bad = {
        "blank": 2 * blank,
        "zeros": bytes(1024),
        "not_committed": 2 * (copy[:508] + b"\xff" * 4),
        "crc_differs": 2 * (copy[:40] + bytes([copy[40] ^ 1]) + copy[41:]),
        "other_magic": twice(0, b"\x00"),
        "format_2": twice(4, b"\x02"),
        "product_id_0": twice(6, b"\x00\x00"),
        "product_id_65535": twice(6, b"\xff\xff"),
        "lifecycle_0": twice(10, b"\x00"),
        "lifecycle_3": twice(10, b"\x03"),
        "root_threshold_0": twice(11, b"\x00"),
        "root_threshold_above_count": twice(11, b"\x04"),
        "root_count_0": twice(24, b"\x00"),
        "root_count_4": twice(24, b"\x04"),
        "any_chip_in_production": twice(12, bytes(12)),
        "other_chip": twice(12, OTHER_CHIP_ID),
    }
    made: list[Case] = [
        {
            "name": name,
            "page": page.hex(),
            "chip_id": CHIP_ID.hex(),
            "status": 0,
            "fields": {
                "product_id": identity.product_id,
                "hardware_revision": identity.hardware_revision,
                "lifecycle": int(identity.lifecycle),
                "root_threshold": identity.roots.threshold,
                "roots": [key.raw.hex() for key in identity.roots.keys],
                "device_id": identity.device_id.hex(),
                "device_seed": identity.device_key.seed.hex(),
                "device_public_key": identity.device_key.public_key.raw.hex(),
            },
        }
        for name, page, identity in good
    ]
    status = int(OtaStatus.ERR_IDENTITY_PAGE)
    return made + [
        {"name": name, "page": page.hex(), "chip_id": CHIP_ID.hex(), "status": status} for name, page in bad.items()
    ]


def _recommitted(copy: bytes, at: int, content: bytes) -> bytes:
    """A copy with other content whose CRC holds."""
    body = copy[:at] + content + copy[at + len(content) : 504]
    return body + struct.pack("<II", zlib.crc32(body), COMMIT)


def _keysets() -> list[Case]:
    v1, v2 = fixed.keyset_v1(), fixed.keyset_v2()
    fullest = KeySet.signed(
        KeySetContent(
            version=2**32 - 1,
            release_threshold=8,
            release_keys=fixed.public(
                "release-1", "release-2", "release-3", "release-4", "root-1", "root-2", "root-3", "root-4"
            ),
            online_keys=fixed.public("online-1", "stranger-1"),
            development_keys=fixed.public("development-1", "device-1", "stranger-1", "root-5"),
            roots=RootKeys(3, fixed.public("root-1", "root-2", "root-3")),
        ),
        [fixed.signer("root-1"), fixed.signer("root-2"), fixed.signer("root-3")],
    )
    good = {"v1": v1, "v2": v2, "fullest": fullest}
    made: list[Case] = [
        {
            "name": name,
            "keyset": keyset.to_bytes().hex(),
            "status": 0,
            "fields": {
                "version": keyset.content.version,
                "release_threshold": keyset.content.release_threshold,
                "release_keys": _hex_keys(keyset.content.release_keys),
                "online_keys": _hex_keys(keyset.content.online_keys),
                "development_keys": _hex_keys(keyset.content.development_keys),
                "root_threshold": keyset.content.roots.threshold,
                "root_keys": _hex_keys(keyset.content.roots.keys),
                "signers": [signature.key_id.hex() for signature in keyset.signatures],
            },
        }
        for name, keyset in good.items()
    ]
    status = int(OtaStatus.ERR_KEYSET)
    return made + [{"name": name, "keyset": raw.hex(), "status": status} for name, raw in _bad_keysets(v1).items()]


def _hex_keys(keys: tuple[PublicKey, ...]) -> list[str]:
    return [key.raw.hex() for key in keys]


def _bad_keysets(v1: KeySet) -> dict[str, bytes]:
    raw = v1.to_bytes()
    payload = cbor2.loads(v1.content.to_bytes())
    signatures = [signature.to_value() for signature in v1.signatures]

    def resigned(content: bytes) -> bytes:
        """By the same roots, so that only the form is wrong."""
        signed = sorted(
            (sign_detached(fixed.signer(name), AAD_KEYSET, content) for name in ("root-1", "root-3")),
            key=lambda signature: signature.key_id,
        )
        return cbor2.dumps([content, [signature.to_value() for signature in signed]], canonical=True)

    def changed(key: int, value: object) -> bytes:
        return resigned(cbor2.dumps({**payload, key: value}, canonical=True))

    keys = payload[4]
    return {
        "empty": b"",
        "truncated": raw[:-1],
        "trailing_byte": raw + b"\0",
        "format_2": changed(1, 2),
        "version_0": changed(2, 0),
        "version_too_large": changed(2, 2**32),
        "release_threshold_0": changed(3, 0),
        "release_threshold_above_count": changed(3, 4),
        "no_release_keys": changed(4, []),
        "nine_release_keys": changed(4, sorted([*keys, *(bytes([number]) * 32 for number in range(6))])),
        "release_keys_fall": changed(4, list(reversed(keys))),
        "release_key_twice": changed(4, [keys[0], keys[0], keys[1]]),
        "release_key_of_31": changed(4, [keys[0], keys[1][:31], keys[2]]),
        "release_key_text": changed(4, ["x" * 32]),
        "three_online_keys": changed(5, keys),
        "five_development_keys": changed(6, sorted(bytes([number]) * 32 for number in range(5))),
        "root_threshold_0": changed(7, 0),
        "root_threshold_above_count": changed(7, 4),
        "no_root_keys": changed(8, []),
        "four_root_keys": changed(8, sorted([*payload[8], b"\xff" * 32])),
        "root_keys_fall": changed(8, list(reversed(payload[8]))),
        "key_missing": resigned(cbor2.dumps({number: payload[number] for number in range(1, 8)}, canonical=True)),
        "key_more": changed(9, 0),
        "keys_not_in_order": resigned(cbor2.dumps(dict(reversed(payload.items())))),
        "payload_not_shortest": resigned(b"\xb8\x08" + v1.content.to_bytes()[1:]),
        "payload_not_bytes": cbor2.dumps([payload, signatures], canonical=True),
        "no_signatures": cbor2.dumps([v1.content.to_bytes(), []], canonical=True),
        "four_signatures": cbor2.dumps([v1.content.to_bytes(), _four_signatures(v1)], canonical=True),
        "signatures_fall": cbor2.dumps([v1.content.to_bytes(), list(reversed(signatures))], canonical=True),
        "signature_twice": cbor2.dumps([v1.content.to_bytes(), [signatures[0], signatures[0]]], canonical=True),
        "signature_of_other_form": cbor2.dumps(
            [v1.content.to_bytes(), [[*signatures[0][:2], b"", signatures[0][3]]]], canonical=True
        ),
        "array_of_three": cbor2.dumps([v1.content.to_bytes(), signatures, 0], canonical=True),
        "array_length_not_shortest": b"\x98\x02" + raw[1:],
    }


def _four_signatures(v1: KeySet) -> list[object]:
    made = [
        sign_detached(fixed.signer(name), AAD_KEYSET, v1.content.to_bytes())
        for name in ("root-1", "root-2", "root-3", "root-4")
    ]
    return [signature.to_value() for signature in sorted(made, key=lambda signature: signature.key_id)]


def _keyset_chains() -> list[Case]:
    v1, v2 = fixed.keyset_v1(), fixed.keyset_v2()
    first_roots = RootKeys(2, fixed.public("root-1", "root-2", "root-3"))

    def signed(*names: str) -> KeySet:
        return KeySet.signed(v1.content, [fixed.signer(name) for name in names])

    def with_bad(*names: str) -> KeySet:
        """Signed by the names, the first of these signatures broken."""
        whole = signed(*names)
        broken = fixed.key(names[0]).public_key.key_id
        return KeySet(
            v1.content,
            tuple(
                CoseSign1(item.key_id, bytes([item.signature[0] ^ 1]) + item.signature[1:])
                if item.key_id == broken
                else item
                for item in whole.signatures
            ),
        )

    rows: list[tuple[str, int, RootKeys, KeySet, OtaStatus]] = [
        ("first_by_identity_roots", 0, first_roots, v1, OtaStatus.OK),
        ("rotation_by_old_roots", 1, v1.content.roots, v2, OtaStatus.OK),
        ("first_may_have_any_version", 0, first_roots, v2, OtaStatus.OK),
        ("same_version", 1, v1.content.roots, v1, OtaStatus.ERR_KEYSET_OLD),
        ("older_version", 2, v2.content.roots, v1, OtaStatus.ERR_KEYSET_OLD),
        ("by_new_roots_only", 0, v2.content.roots, v1, OtaStatus.ERR_SIGNERS),
        ("one_root_of_two", 0, first_roots, signed("root-2"), OtaStatus.ERR_SIGNERS),
        ("root_and_stranger", 0, first_roots, signed("root-2", "stranger-1"), OtaStatus.ERR_SIGNERS),
        ("two_roots_and_stranger", 0, first_roots, signed("root-1", "root-2", "stranger-1"), OtaStatus.OK),
        ("release_keys_are_no_roots", 0, first_roots, signed("release-1", "release-2"), OtaStatus.ERR_SIGNERS),
        ("bad_root_beside_enough", 0, first_roots, with_bad("root-1", "root-2", "root-3"), OtaStatus.ERR_SIGNATURE),
        ("bad_stranger_beside_enough", 0, first_roots, with_bad("stranger-1", "root-2", "root-3"), OtaStatus.OK),
        ("one_root_is_enough_for_one", 0, RootKeys(1, fixed.public("root-2")), signed("root-2"), OtaStatus.OK),
    ]
    return [
        {
            "name": name,
            "current_version": version,
            "roots": {"threshold": roots.threshold, "keys": _hex_keys(roots.keys)},
            "keyset": keyset.to_bytes().hex(),
            "status": int(status),
        }
        for name, version, roots, keyset, status in rows
    ]


class _History:
    """Records in the order they were appended."""

    def __init__(self) -> None:
        self.records: list[BootRecord] = []

    def add(
        self,
        kind: RecordType,
        attempt: int,
        slot: Slot = Slot.B,
        reason: int = 0,
        identity: bytes = NEW,
        counter: int = 2,
    ) -> _History:
        sequence = len(self.records) + 1
        self.records.append(BootRecord(sequence, kind, slot, reason, attempt, identity, counter))
        return self


def _factory() -> _History:
    return _History().add(RecordType.CONFIRMED, 0, Slot.A, identity=OLD, counter=1)


def _histories() -> dict[str, list[BootRecord]]:
    staged = _factory().add(RecordType.REPORTED, 0, Slot.A, identity=OLD, counter=1).add(RecordType.STAGED, 7)
    abandoned = BootRecord(4, RecordType.ABANDONED, Slot.B, 0, 7, NEW, 2)
    one_trial = _History()
    one_trial.records = list(staged.records)
    one_trial.add(RecordType.TRIAL, 7)

    def after_trial(change: Callable[[_History], _History]) -> list[BootRecord]:
        history = _History()
        history.records = list(one_trial.records)
        return change(history).records

    return {
        "factory": _factory().records,
        "reported": staged.records[:2],
        "staged": staged.records,
        "trial": one_trial.records,
        "three_trials": after_trial(lambda history: history.add(RecordType.TRIAL, 7).add(RecordType.TRIAL, 7)),
        "confirmed": after_trial(lambda history: history.add(RecordType.CONFIRMED, 7)),
        "rejected_by_watchdog": after_trial(lambda history: history.add(RecordType.REJECTED, 7, reason=1)),
        "rejected_by_hash": _factory().add(RecordType.STAGED, 7).add(RecordType.REJECTED, 7, reason=256 + 15).records,
        "rejected_and_reported": after_trial(
            lambda history: history.add(RecordType.REJECTED, 7, reason=4).add(RecordType.REPORTED, 7)
        ),
        "interrupted": after_trial(lambda history: history.add(RecordType.INTERRUPTED, 7, reason=5)),
        "interrupted_and_offered_again": after_trial(
            lambda history: history.add(RecordType.INTERRUPTED, 7, reason=5).add(RecordType.STAGED, 8)
        ),
        "abandoned": [*staged.records, abandoned],
        "abandoned_and_staged_again": [
            *staged.records,
            abandoned,
            BootRecord(5, RecordType.STAGED, Slot.B, 0, 8, OLD, 2),
        ],
        "report_behind_staged": _factory().add(RecordType.STAGED, 7).add(RecordType.REPORTED, 0, Slot.A).records,
        "trials_of_an_older_attempt_do_not_count": after_trial(
            lambda history: (
                history.add(RecordType.TRIAL, 7)
                .add(RecordType.INTERRUPTED, 7, reason=5)
                .add(RecordType.STAGED, 8)
                .add(RecordType.TRIAL, 8)
            )
        ),
        "fallback": _factory().add(RecordType.CONFIRMED, 0, reason=6).records,
        "no_confirmed": _History().add(RecordType.STAGED, 7).records,
        "no_records": [],
    }


def _boot_logs() -> list[Case]:
    v1, v2 = fixed.keyset_v1(), fixed.keyset_v2()
    blank = b"\xff" * bootlog.SECTOR_SIZE
    made = [_boot_log(name, bootlog.new_sector(1, [v1], records), blank) for name, records in _histories().items()]
    factory = _factory().records
    trial = _histories()["trial"]
    first = bootlog.new_sector(1, [v1], factory)
    newer = bootlog.new_sector(2, [v1, v2], trial)
    records_at = bootlog.RECORDS_AT
    last = records_at + 64 * (len(trial) - 1)
    full = [
        BootRecord(number + 1, RecordType.CONFIRMED if number == 0 else RecordType.REPORTED, Slot.A, 0, 0, OLD, 1)
        for number in range(bootlog.RECORD_PLACES)
    ]
    gap = bytearray(bootlog.new_sector(1, [v1], trial))
    gap[records_at + 64 : records_at + 128] = b"\xff" * 64
    rows = {
        "both_blank": (blank, blank),
        "second_rules": (first, newer),
        "first_rules": (newer, first),
        "two_keysets": (blank, newer),
        "newer_keyset_in_first_place": (bootlog.new_sector(3, [v2, v1], factory), blank),
        "no_keyset": (bootlog.new_sector(1, [], factory), blank),
        "newer_not_committed": (first, _set(newer, 60, b"\xff" * 4)),
        "newer_header_crc": (first, _set(newer, 56, b"\0\0\0\0")),
        "newer_other_magic": (first, _recommitted_header(newer, 0, b"\0")),
        "other_sector_half_erased": (newer, bytes(64) + b"\xff" * 100 + first[164:]),
        "record_not_committed": (_set(newer, last + 60, b"\xff" * 4), blank),
        "record_commit_torn": (_set(newer, last + 60, b"\x0c\x71\xff\xff"), blank),
        "record_crc": (_set(newer, last + 28, b"\x03"), blank),
        "torn_record_between": (_set(newer, records_at + 64 + 60, b"\xff" * 4), blank),
        "blank_place_between": (bytes(gap), blank),
        "newer_keyset_not_committed": (_set(newer, 2112 + 2044, b"\xff" * 4), blank),
        "newer_keyset_crc": (_set(newer, 2112 + 10, b"\0"), blank),
        "newer_keyset_too_long": (_set(newer, 2112, (2029).to_bytes(4, "little")), blank),
        "full": (bootlog.new_sector(9, [v1], full), blank),
    }
    return made + [_boot_log(name, *sectors) for name, sectors in rows.items()]


def _boot_log(name: str, first: bytes, second: bytes) -> Case:
    sectors = dict(zip(LOG_SECTORS, (first, second), strict=True))
    case: Case = {"name": name, "sectors": {str(number): _segments(raw) for number, raw in sectors.items()}}
    try:
        log = BootLog.from_sectors(first, second)
    except BootLogError:
        return {**case, "ruling": None}
    case |= {
        "ruling": log.sector,
        "generation": log.generation,
        "keyset_versions": [keyset.content.version for keyset in log.keysets],
        "next_place": log.next_place,
    }
    if log.records:
        case["next_sequence"] = log.next_sequence
    return {**case, "facts": _facts(log.facts)}


def _facts(facts: BootFacts) -> Case:
    case: Case = {"confirmed": _record(facts.confirmed), "outcome": _record(facts.outcome)}
    if facts.confirmed is not None:
        is_open = facts.state != "IDLE"
        case["attempt_state"] = facts.state.value
        case["trial_count"] = facts.trial_count if is_open else 0
        case["attempt"] = _record(facts.attempt) if is_open else None
    return case


def _record(record: BootRecord | None) -> Case | None:
    if record is None:
        return None
    return {
        "sequence": record.sequence,
        "type": int(record.type),
        "slot": int(record.slot),
        "reason": record.reason,
        "attempt": record.attempt,
        "identity": record.identity.hex(),
        "security_counter": record.security_counter,
    }


def _record_stores() -> list[Case]:
    small, large = (SECTOR_SIZES[sector] for sector in STORE_SECTORS)
    blank = {4: b"\xff" * small, 11: b"\xff" * large}

    def store(sector: int, generation: int, *records: StoreRecord) -> bytes:
        return record_store.new_sector(sector, generation, records)

    def record(key: int, value: str, owner: int = 2) -> StoreRecord:
        return StoreRecord(owner, key, value.encode())

    two = store(4, 1, record(1, "21.5"), record(2, "hello"))
    second_at = 64 + 16 + 4
    end = second_at + 16 + 8
    rows: dict[str, tuple[bytes, bytes]] = {
        "both_blank": (blank[4], blank[11]),
        "empty": (store(4, 1), blank[11]),
        "two_records": (two, blank[11]),
        "overwritten": (store(4, 1, record(1, "old"), record(2, "x"), record(1, "newer")), blank[11]),
        "removed": (store(4, 1, record(1, "old"), record(2, "x"), record(1, "")), blank[11]),
        "owners_are_apart": (store(4, 1, record(1, "p"), record(1, "s", 1), record(1, "d", 4)), blank[11]),
        "large_sector_rules": (two, store(11, 2, record(1, "22"), record(3, "x" * 1000))),
        "small_sector_rules": (store(4, 3, record(1, "23")), store(11, 2, record(1, "22"))),
        "newer_not_committed": (two, _set(store(11, 2, record(1, "22")), 60, b"\xff" * 4)),
        "newer_header_crc": (two, _set(store(11, 2, record(1, "22")), 4, b"\x03")),
        "last_not_committed": (_set(two, second_at + 12, b"\xff" * 4), blank[11]),
        "last_value_torn": (_set(two, second_at + 16, b"\xff" * 8), blank[11]),
        "torn_between": (
            _set(store(4, 1, record(1, "first"), record(1, "torn"), record(2, "last")), 64 + 24 + 12, b"\xff" * 4),
            blank[11],
        ),
        "removal_not_committed": (
            _set(store(4, 1, record(1, "kept"), record(1, "")), 64 + 20 + 12, b"\xff" * 4),
            blank[11],
        ),
        "head_torn_after_first_word": (_set(two, end, b"\x02\x01\x04\x00"), blank[11]),
        "head_torn_in_second_word": (_set(two, end, b"\x02\x01\x04\x00\xfd\xfe\xff\xff"), blank[11]),
        "head_beyond_the_end": (_set(two, end, struct.pack("<II", 0xFFFF0102, 0x0000FEFD)), blank[11]),
    }
    return [_record_store(name, *sectors) for name, sectors in rows.items()]


def _record_store(name: str, first: bytes, second: bytes) -> Case:
    sectors = dict(zip(STORE_SECTORS, (first, second), strict=True))
    case: Case = {"name": name, "sectors": {str(number): _segments(raw) for number, raw in sectors.items()}}
    try:
        store = RecordStore.from_sectors(first, second)
    except RecordStoreError:
        return {**case, "ruling": None}
    case |= {
        "ruling": store.sector,
        "generation": store.generation,
        "records": [
            {"owner": record.owner, "key": record.key, "value": record.value.hex()} for record in store.records
        ],
        "must_compact": store.is_torn,
    }
    return case if store.is_torn else {**case, "end": store.end}


def _set(raw: bytes, at: int, content: bytes) -> bytes:
    return raw[:at] + content + raw[at + len(content) :]


def _recommitted_header(raw: bytes, at: int, content: bytes) -> bytes:
    head = _set(raw, at, content)[:56]
    return head + struct.pack("<II", zlib.crc32(head), COMMIT) + raw[64:]


def _segments(raw: bytes) -> list[Case]:
    """The parts of a sector that are not erased: split at 16 erased bytes or more."""
    segments: list[Case] = []
    begin: int | None = None
    blank = b"\xff" * 16
    for at in range(0, len(raw), 16):
        if raw[at : at + 16] != blank:
            begin = at if begin is None else begin
        elif begin is not None:
            segments.append({"at": begin, "bytes": raw[begin:at].hex()})
            begin = None
    if begin is not None:
        segments.append({"at": begin, "bytes": raw[begin:].hex()})
    return segments
