# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from tests.foreign.reader import ForeignReader, installed_reader


@pytest.fixture(scope="session")
def foreign_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ForeignReader:
    """Particle's binary-version-reader; `read(paths)` parses any list of images."""
    cache = request.config.cache
    assert cache is not None
    return installed_reader(cache.mkdir("node"), tmp_path_factory.mktemp("node"))
