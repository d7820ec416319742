# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.firmware.core.machine import Machine
from tests.host.library import CoreLibrary, load_core


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> CoreLibrary:
    return load_core(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="session")
def machine(core: CoreLibrary) -> Machine:
    """One flash for all tests: each begins with `machine.reset()`."""
    return Machine(core)


@pytest.fixture(autouse=True)
def _blank(machine: Machine) -> None:
    machine.reset()
