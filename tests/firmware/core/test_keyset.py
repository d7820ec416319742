# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.signing.keyset import KeySet
from tests.firmware.core.machine import Machine
from tests.vectors import fixed
from tests.vectors.reading import Case, cases

ERR_KEYSET = -30


def parse(machine: Machine, raw: bytes) -> tuple[int, Any]:
    keyset = machine.new("struct ota_keyset *")
    return machine.lib.ota_keyset_parse(machine.buffer(raw), len(raw), keyset), keyset


def roots(machine: Machine, threshold: int, keys: list[bytes]) -> Any:
    made = machine.new("struct ota_roots *", {"threshold": threshold, "count": len(keys)})
    for index, key in enumerate(keys):
        machine.ffi.memmove(made.keys[index], key, 32)
    return made


def hex_keys(keys: Any, count: int) -> list[str]:
    return [bytes(keys[index]).hex() for index in range(count)]


@pytest.mark.parametrize("vector", cases("boot/keysets.json"), ids=lambda vector: vector["name"])
def test_golden_forms(machine: Machine, vector: Case) -> None:
    status, keyset = parse(machine, bytes.fromhex(vector["keyset"]))
    assert status == vector["status"]
    if status == 0:
        fields = vector["fields"]
        assert keyset.version == fields["version"]
        assert keyset.release_threshold == fields["release_threshold"]
        assert hex_keys(keyset.release, keyset.release_count) == fields["release_keys"]
        assert hex_keys(keyset.online, keyset.online_count) == fields["online_keys"]
        assert hex_keys(keyset.development, keyset.development_count) == fields["development_keys"]
        assert keyset.next_roots.threshold == fields["root_threshold"]
        assert hex_keys(keyset.next_roots.keys, keyset.next_roots.count) == fields["root_keys"]


@pytest.mark.parametrize("vector", cases("boot/keyset_chains.json"), ids=lambda vector: vector["name"])
def test_golden_chains(machine: Machine, vector: Case) -> None:
    raw = bytes.fromhex(vector["keyset"])
    trusted = roots(machine, vector["roots"]["threshold"], [bytes.fromhex(key) for key in vector["roots"]["keys"]])
    keyset = machine.new("struct ota_keyset *")
    keyset.version = 77
    status = machine.lib.ota_keyset_accept(machine.buffer(raw), len(raw), vector["current_version"], trusted, keyset)
    assert status == vector["status"]
    assert keyset.version == (KeySet.from_bytes(raw).content.version if status == 0 else 77)


def test_the_next_set_is_checked_with_the_roots_of_the_one_it_replaces(machine: Machine) -> None:
    """`roots` may lie inside the key set that is overwritten."""
    keyset = parse(machine, fixed.keyset_v1().to_bytes())[1]
    raw = fixed.keyset_v2().to_bytes()
    trusted = machine.ffi.addressof(keyset, "next_roots")
    assert machine.lib.ota_keyset_accept(machine.buffer(raw), len(raw), 1, trusted, keyset) == 0
    assert keyset.version == 2


def test_fullest_key_set_is_as_long_as_the_limit(machine: Machine) -> None:
    fullest = next(vector for vector in cases("boot/keysets.json") if vector["name"] == "fullest")
    assert len(bytes.fromhex(fullest["keyset"])) == machine.lib.OTA_KEYSET_MAX_LEN


@given(at=st.integers(0, 10_000), change=st.integers(1, 255))
def test_changed_byte_is_refused_or_breaks_a_signature(machine: Machine, at: int, change: int) -> None:
    raw = bytearray(fixed.keyset_v1().to_bytes())
    raw[at % len(raw)] ^= change
    trusted = roots(machine, 2, [key.raw for key in fixed.public("root-1", "root-2", "root-3")])
    keyset = machine.new("struct ota_keyset *")
    status = machine.lib.ota_keyset_accept(machine.buffer(bytes(raw)), len(raw), 0, trusted, keyset)
    assert status in (ERR_KEYSET, -21, -22)


@given(raw=st.binary(max_size=900))
def test_garbage_is_refused(machine: Machine, raw: bytes) -> None:
    assert parse(machine, raw)[0] == ERR_KEYSET
