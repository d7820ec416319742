# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from muster.keystore import KeyStore
from tests.scons.checkout import Checkout


@pytest.fixture(scope="package")
def checkout(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Checkout:
    """A built copy of the tree. Tests that change it put it back."""
    checkout = Checkout.make(tmp_path_factory.mktemp("first"), key_store)
    checkout.build()
    return checkout


@pytest.fixture
def broken(checkout: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the built tree, for tests that spoil it."""
    return checkout.copy(tmp_path)
