# SPDX-License-Identifier: Apache-2.0
"""The code around the libraries of a training image, and known small changes."""

from __future__ import annotations

import pytest

from delta_training.glue import application_source, kept, stub_source
from delta_training.objects import apply_edit
from delta_training.recipe import Edit, RecipeError

NAMES = [f"function_{number}" for number in range(200)]


def test_a_function_more_changes_no_use_of_the_others() -> None:
    before = set(application_source(NAMES, "1.0.0").splitlines())
    after = set(application_source([*NAMES, "another"], "1.0.0").splitlines())
    assert len(before - after) <= 1  # the call of the last task may be another


def test_the_version_is_one_line() -> None:
    first = application_source(NAMES, "1.0.0").splitlines()
    second = application_source(NAMES, "1.0.1").splitlines()
    assert len([1 for a, b in zip(first, second, strict=True) if a != b]) == 1


def test_an_image_keeps_about_the_share_that_is_asked_for() -> None:
    assert kept(NAMES, 100) == NAMES
    assert 80 <= len(kept(NAMES, 50)) <= 120


def test_link_names_that_c_does_not_allow_get_other_names() -> None:
    assert '__asm__("_ZN3foo3barEv.part.0")' in stub_source(["_ZN3foo3barEv.part.0"])
    assert "int f__ZN3foo3barEv_part_0(" in stub_source(["_ZN3foo3barEv.part.0"])


def test_an_edit_must_fit_exactly_once() -> None:
    edit = Edit("lib", "a.c", "one", "two")
    assert apply_edit("one line", edit) == "two line"
    for text in ("no such line", "one and one"):
        with pytest.raises(RecipeError):
            apply_edit(text, edit)
