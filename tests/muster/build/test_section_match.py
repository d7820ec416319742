# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

import pytest

from muster.build.section_match import match_sections


@dataclass(frozen=True)
class Named:
    object_file: str
    name: str


MAIN = "build/lamp/photon/product/main.o"


def found(new: list[tuple[str, str]], old: list[tuple[str, str]]) -> dict[int, int]:
    return match_sections([Named(*one) for one in new], [Named(*one) for one in old])


def test_other_version_has_its_own_build_folder() -> None:
    assert found([(MAIN, ".text.f")], [("build/lamp-1/photon/product/main.o", ".text.f")]) == {0: 0}


def test_functions_of_one_name_are_told_apart_by_their_objects() -> None:
    objects = ["build/common/chip/agent/a.o", "build/common/chip/core/a.o"]
    new = [(name, ".text.fill") for name in objects]
    assert found(new, list(reversed(new))) == {0: 1, 1: 0}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ((MAIN, ".text.f"), ("build/lamp/photon/product/v1/main.o", ".text.f")),
        ((MAIN, ".text.f"), ("build/lamp/photon/product/other.o", ".text.f")),
        ((MAIN, ".text.f.constprop.0"), (MAIN, ".text.f")),
        ((MAIN, ".bss.body.1"), (MAIN, ".bss.body.0")),
        (("libc_nano.a(lib_a-memcpy.o)", ".text"), ("libc_nano.a(lib_a-memcpy.o)", ".text")),
    ],
    ids=["moved source", "moved function", "clone", "renumbered", "library"],
)
def test_section_is_found_again(new: tuple[str, str], old: tuple[str, str]) -> None:
    assert found([new], [old]) == {0: 0}


def test_nothing_is_guessed_where_there_is_a_choice() -> None:
    assert found([(MAIN, ".bss.body.2")], [(MAIN, ".bss.body.0"), (MAIN, ".bss.body.1")]) == {}


def test_no_old_section_is_taken_twice() -> None:
    new = [(MAIN, ".text.f"), ("build/lamp/photon/product/other.o", ".text.f")]
    assert found(new, [(MAIN, ".text.f")]) == {0: 0}
