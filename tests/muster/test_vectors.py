# SPDX-License-Identifier: Apache-2.0
"""The committed golden vectors are what the library makes; the tests of each module then read them back."""

from __future__ import annotations

import pytest

from tests.vectors.generate import files
from tests.vectors.reading import FOLDER, cases

_FILES = files()


@pytest.mark.parametrize("path", sorted(_FILES))
def test_committed_vectors_are_what_the_library_makes(path: str) -> None:
    assert (FOLDER / path).read_text() == _FILES[path]


@pytest.mark.parametrize("path", sorted(_FILES))
def test_names_are_unique(path: str) -> None:
    names = [case["name"] for case in cases(path)]
    assert len(set(names)) == len(names)


def test_every_generated_file_is_described() -> None:
    text = (FOLDER / "README.md").read_text()
    assert [path for path in _FILES if f"`{path}`" not in text] == []
