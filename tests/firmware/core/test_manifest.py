# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.core.machine import Machine
from tests.vectors.reading import Case, cases

FIELDS = {
    "product_id": "product_id",
    "product_version": "product_version",
    "platform_id": "platform_id",
    "hardware_lowest": "hw_rev_lowest",
    "hardware_highest": "hw_rev_highest",
    "security_counter": "security_counter",
    "reloc_start": "reloc_start",
    "ext_start": "ext_start",
    "min_bootloader": "min_bootloader_version",
}
UINT16 = st.integers(0, 65535)
UINT32 = st.integers(0, 2**32 - 1)


def parse(machine: Machine, raw: bytes) -> tuple[int, Any]:
    manifest = machine.new("struct ota_manifest *")
    return machine.lib.ota_manifest_parse(machine.buffer(raw), len(raw), manifest), manifest


@pytest.mark.parametrize("vector", cases("image/manifests.json"), ids=lambda vector: vector["name"])
def test_golden_manifests(machine: Machine, vector: Case) -> None:
    raw = bytes.fromhex(vector["manifest"])
    status, manifest = parse(machine, raw)
    assert status == vector["status"]
    if status == 0:
        for name, field in FIELDS.items():
            assert getattr(manifest, field) == vector["fields"][name], name
        assert bytes(manifest.body_hash).hex() == vector["fields"]["body_hash"]
        identity = machine.bytes_out(32, lambda out: machine.lib.ota_manifest_identity(raw, len(raw), out))
        assert identity.hex() == vector["identity"]


@given(
    product=st.integers(1, 65534),
    version=st.integers(1, 65534),
    platform=UINT16,
    hw_revs=st.tuples(UINT16, UINT16).map(sorted),
    counter=UINT32,
    starts=st.tuples(UINT32, UINT32),
    body_hash=st.binary(min_size=32, max_size=32),
    bootloader=UINT16,
    damage=st.tuples(st.integers(0, 95), st.integers(1, 255)),
)
def test_one_encoding_is_accepted(
    machine: Machine,
    product: int,
    version: int,
    platform: int,
    hw_revs: list[int],
    counter: int,
    starts: tuple[int, int],
    body_hash: bytes,
    bootloader: int,
    damage: tuple[int, int],
) -> None:
    content = {
        1: 1, 2: product, 3: version, 4: platform, 5: hw_revs, 6: counter, 7: starts[0], 8: starts[1], 9: body_hash,
        10: bootloader,
    }  # fmt: skip
    raw = cbor2.dumps(content, canonical=True)
    status, manifest = parse(machine, raw)
    assert status == 0
    assert (manifest.product_id, manifest.security_counter, manifest.ext_start) == (product, counter, starts[1])
    identity = machine.bytes_out(32, lambda out: machine.lib.ota_manifest_identity(raw, len(raw), out))
    assert identity == hashlib.sha256(raw).digest()

    # Any other bytes that are accepted mean something else, and are the one encoding of it.
    at, change = damage
    other = bytearray(raw)
    other[at % len(raw)] ^= change
    if parse(machine, bytes(other))[0] == 0:
        meaning = cbor2.loads(bytes(other))
        assert meaning != content
        assert cbor2.dumps(meaning, canonical=True) == bytes(other)


@given(raw=st.binary(max_size=120))
def test_garbage_is_refused(machine: Machine, raw: bytes) -> None:
    assert parse(machine, raw)[0] == -12
