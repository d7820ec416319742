# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.muster.emulator.machine import Bench, Compiler

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def bench(compiler: Compiler) -> Iterator[Bench]:
    bench = Bench(compiler)
    yield bench
    bench.close()
