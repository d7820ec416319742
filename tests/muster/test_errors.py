# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import re

from muster import errors
from muster.status import OtaStatus


def test_docstring_draws_the_whole_tree() -> None:
    drawn: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ((?:[|+ ]|--)*?)([A-Z]\w+)", line)
        if match:
            drawn.append((len(match.group(1)), match.group(2)))
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for depth, name in drawn:
        while above and above[-1][0] >= depth:
            above.pop()
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    classes = {
        name: kind.__mro__[1].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    }
    assert {name: parent or "Exception" for name, parent in parents.items()} == classes


def test_status_of_an_error_is_its_classs_unless_given() -> None:
    assert errors.ManifestError("x").status is OtaStatus.ERR_MANIFEST
    assert errors.ImageFormatError("x", OtaStatus.ERR_HASH).status is OtaStatus.ERR_HASH
    assert errors.FileFault("x").status is None
