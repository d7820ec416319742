# SPDX-License-Identifier: Apache-2.0
"""One signed image, two homes: it is installed in either slot and boots from both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from muster.delta import Patch, encode, encode_full
from muster.emulator import Snapshot
from muster.image.image import Image
from muster.layout import SLOT_OFFSET, Slot
from tests.e2e.board import NEWER, NEWEST, SOUND, Board, Victim


@pytest.fixture(scope="module")
def booted(victim: Victim) -> Iterator[tuple[Board, Snapshot]]:
    with Board(victim.hex_path(SOUND)) as board:
        board.boot()
        yield board, board.snapshot()


@pytest.fixture
def board(booted: tuple[Board, Snapshot]) -> Board:
    """Runs version 1 from slot A."""
    board, snapshot = booted
    board.restore(snapshot)
    return board


def update(board: Board, base: Image, target: Image) -> Slot:
    """Updates by a patch; the slot that holds the target then, byte for byte."""
    slot = Slot(board.install(target, encode(base.raw, target.raw)).slot)
    assert board.installed(slot).raw == target.raw
    assert board.assert_runs(target).slot == slot
    return slot


def assert_no_rule_broken(board: Board) -> None:
    assert board.device.violations == []
    assert board.device.counters.overruns == 0
    info = board.link.info()
    assert (info.link_errors, info.flash_errors) == (0, 0)


def test_same_image_boots_from_slot_b_and_from_slot_a(board: Board, victim: Victim) -> None:
    first, second, third = victim.image(SOUND), victim.image(NEWER), victim.image(NEWEST)
    assert board.link.info().slot == Slot.A
    assert update(board, first, second) is Slot.B
    in_slot_b = board.device.flash_bytes(Slot.B.addr, len(second.raw))
    # Functions are found through pointers: they only work when the image was relocated.
    assert board.link.call("fail", "sound") == 0
    assert update(board, second, third) is Slot.A
    assert update(board, third, first) is Slot.B
    assert update(board, first, second) is Slot.A
    in_slot_a = board.device.flash_bytes(Slot.A.addr, len(second.raw))
    assert board.link.call("fail", "sound") == 0
    assert_no_rule_broken(board)

    assert in_slot_a == second.raw
    raised = [at for at in range(0, len(in_slot_a), 4) if in_slot_a[at : at + 4] != in_slot_b[at : at + 4]]
    assert tuple(raised) == second.reloc.words
    for at in raised:
        words = [int.from_bytes(raw[at : at + 4], "little") for raw in (in_slot_a, in_slot_b)]
        assert (words[1] - words[0]) % 2**32 == SLOT_OFFSET


def test_development_hex_boots_the_same_image_from_slot_a(victim: Victim) -> None:
    with Board(victim.hex_path(NEWER)) as board:
        assert board.boot().slot == Slot.A
        assert board.installed(Slot.A).raw == victim.image(NEWER).raw
        board.assert_runs(victim.image(NEWER))
        assert_no_rule_broken(board)


def test_update_and_its_reverse_end_on_the_first_image(board: Board, victim: Victim) -> None:
    first, second = victim.image(SOUND), victim.image(NEWER)
    assert update(board, first, second) is Slot.B
    assert update(board, second, first) is Slot.A
    assert_no_rule_broken(board)


@pytest.mark.parametrize("make", [encode, lambda _, target: encode_full(target)], ids=["patch", "full image"])
def test_patch_and_full_image_make_the_same_bytes(
    board: Board, victim: Victim, make: Callable[[bytes, bytes], Patch]
) -> None:
    target = victim.image(NEWER)
    patch = make(victim.image(SOUND).raw, target.raw)
    assert board.install(target, patch).slot == Slot.B
    assert board.installed(Slot.B).raw == target.raw
    assert_no_rule_broken(board)
