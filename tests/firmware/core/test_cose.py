# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.firmware.core.machine import Machine
from tests.vectors.reading import Case, case, cases

GOOD = case("image/cose.json", "manifest")


def key(name: str) -> bytes:
    return bytes.fromhex(case("image/keys.json", name)["public_key"])


def verify(machine: Machine, sign1: bytes, public_key: bytes, aad: str, payload: str) -> int:
    aad_span, payload_span = machine.span(bytes.fromhex(aad)), machine.span(bytes.fromhex(payload))
    status: int = machine.lib.ota_cose_sign1_verify(sign1, public_key, aad_span[0], payload_span[0])
    return status


@pytest.mark.parametrize("vector", cases("image/cose.json"), ids=lambda vector: vector["name"])
def test_golden_signatures(machine: Machine, vector: Case) -> None:
    status = verify(
        machine, bytes.fromhex(vector["sign1"]), key(vector["key"]), vector["external_aad"], vector["payload"]
    )
    assert status == vector["status"]


@pytest.mark.parametrize("vector", cases("image/keys.json"), ids=lambda vector: vector["name"])
def test_golden_key_ids(machine: Machine, vector: Case) -> None:
    public_key = bytes.fromhex(vector["public_key"])
    assert machine.bytes_out(8, lambda out: machine.lib.ota_key_id(public_key, out)).hex() == vector["key_id"]


@pytest.mark.parametrize("at", [at for at in range(19) if not 7 <= at < 15])
def test_every_other_byte_of_the_form_has_one_value(machine: Machine, at: int) -> None:
    sign1 = bytearray.fromhex(GOOD["sign1"])
    assert machine.lib.ota_cose_sign1_has_form(bytes(sign1))
    sign1[at] ^= 1
    assert not machine.lib.ota_cose_sign1_has_form(bytes(sign1))
    assert verify(machine, bytes(sign1), key(GOOD["key"]), GOOD["external_aad"], GOOD["payload"]) == -21


def test_key_id_of_another_key_is_refused(machine: Machine) -> None:
    """The signature itself holds; only the name in front of it does not."""
    sign1 = bytearray.fromhex(GOOD["sign1"])
    sign1[7] ^= 1
    assert verify(machine, bytes(sign1), key(GOOD["key"]), GOOD["external_aad"], GOOD["payload"]) == -21


def test_context_too_long_for_its_form_is_an_error(machine: Machine) -> None:
    assert verify(machine, bytes.fromhex(GOOD["sign1"]), key(GOOD["key"]), "00" * 24, GOOD["payload"]) == -43


def test_key_is_found_by_its_id(machine: Machine) -> None:
    keys = machine.buffer(key("root-1") + key("release-1") + key("root-2"))
    sign1 = bytes.fromhex(GOOD["sign1"])  # by release-1
    assert machine.lib.ota_cose_sign1_find_key(sign1, keys, 3) == keys + 32
    assert machine.lib.ota_cose_sign1_find_key(sign1, keys, 1) == machine.ffi.NULL
    assert machine.lib.ota_cose_sign1_find_key(sign1, keys, 0) == machine.ffi.NULL


def test_key_ids_rise_strictly(machine: Machine) -> None:
    lower = bytearray.fromhex(GOOD["sign1"])
    higher = bytearray(lower)
    higher[14] += 1
    assert machine.lib.ota_cose_key_ids_rise(bytes(lower), bytes(higher))
    assert not machine.lib.ota_cose_key_ids_rise(bytes(higher), bytes(lower))
    assert not machine.lib.ota_cose_key_ids_rise(bytes(lower), bytes(lower))
