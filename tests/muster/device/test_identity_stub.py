# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

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


def test_stub_for_no_product_cannot_be_made() -> None:
    with pytest.raises(ValueOutOfRange):
        IdentityStub(0, 1, Lifecycle.PRODUCTION, _ROOTS)
