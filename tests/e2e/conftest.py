# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from muster.delta import encode
from muster.emulator import Snapshot
from muster.keystore import KeyStore
from muster.serial import UpdateState
from tests.conftest import BuildFirmware
from tests.e2e.board import NEWER, SOUND, Board, Victim
from tests.e2e.refusals import Bench


@pytest.fixture(scope="module")
def victim(built: BuildFirmware) -> Victim:
    return Victim(built)


@pytest.fixture(scope="module")
def prepared(victim: Victim, key_store: KeyStore) -> Iterator[Bench]:
    """What `bench` goes back to before each test."""
    base, target = victim.image(SOUND), victim.image(NEWER)
    patch = encode(base.raw, target.raw)
    with Board(victim.hex_path(SOUND)) as board:
        board.boot()
        booted = board.snapshot()
        taken: list[Snapshot] = []
        host = board.update(
            board.offer(target, patch),
            patch,
            on_progress=lambda progress: (
                taken.append(board.snapshot()) if progress.state is UpdateState.STAGED else None
            ),
        )
        assert host.state is UpdateState.CONFIRMED
        yield Bench(board, booted, taken[0], base, target, patch, key_store)


@pytest.fixture
def bench(prepared: Bench) -> Bench:
    """The board runs version 1 from slot A."""
    prepared.board.restore(prepared.booted)
    return prepared
