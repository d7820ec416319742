# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.errors import IdentityPageError, ValueOutOfRange
from muster.layout import Lifecycle
from muster.signing.keyset import RootKeys
from tests.vectors import fixed
from tests.vectors.reading import Case, case, cases

_ROOTS = RootKeys(2, fixed.public("root-1", "root-2", "root-3"))


@pytest.mark.parametrize("lifecycle", list(Lifecycle))
def test_golden_stub(lifecycle: Lifecycle) -> None:
    vector = case("boot/identity_stubs.json", lifecycle.name.lower())
    stub = IdentityStub(1234, 2, lifecycle, _ROOTS)
    assert stub.to_bytes().hex() == vector["stub"]
    page = stub.completed(bytes.fromhex(vector["chip_id"]), fixed.key("device-1"))
    assert page.to_bytes().hex() == vector["page"]
    assert IdentityPage.from_bytes(bytes.fromhex(vector["page"])) == page


@pytest.mark.parametrize("vector", cases("boot/identity_stubs.json"), ids=lambda vector: vector["name"])
def test_stub_is_no_identity_page(vector: Case) -> None:
    with pytest.raises(IdentityPageError):
        IdentityPage.from_bytes(bytes.fromhex(vector["stub"]))


@pytest.mark.parametrize("vector", cases("boot/identity_stubs.json"), ids=lambda vector: vector["name"])
def test_what_a_device_completes_is_read_as_a_stub(vector: Case) -> None:
    raw = bytes.fromhex(vector["stub"])
    if vector["status"] != 0:
        with pytest.raises(IdentityPageError):
            IdentityStub.from_bytes(raw)
        return
    stub = IdentityStub.from_bytes(raw)
    assert (stub.product_id, stub.hardware_revision, stub.roots) == (1234, 2, _ROOTS)


@given(st.binary(max_size=1100) | st.binary(min_size=1024, max_size=1024))
def test_other_bytes_are_no_stub(raw: bytes) -> None:
    with pytest.raises(IdentityPageError):
        IdentityStub.from_bytes(raw)


def test_stub_for_no_product_cannot_be_made() -> None:
    with pytest.raises(ValueOutOfRange):
        IdentityStub(0, 1, Lifecycle.PRODUCTION, _ROOTS)
