# SPDX-License-Identifier: Apache-2.0
"""The code of a product puts an update off on the real firmware, and gets it when its time is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from muster.keystore import KeyStore
from tests.e2e.board import NEWER, Victim
from tests.e2e.served import boards_of, installed, settings_of
from tests.e2e.test_calls import asked


def test_product_puts_an_update_off_once_and_is_then_updated(
    tmp_path: Path, victim: Victim, key_store: KeyStore
) -> None:
    # Time is virtual for the board only.
    settings = replace(settings_of(tmp_path, key_store), call_timeout_s=300.0, hold_max_s=0.5)
    with boards_of(victim, key_store) as fleet, installed(settings, fleet) as installation:
        board = installation.board_in_session()
        assert asked(installation, board, "POST", "put_off", json={"arg": "30"})["return_value"] == 0
        rollout = installation.rollout(NEWER, schedule={"consent": {"postpone_max_s": 3600}})

        def attempt() -> dict[str, object]:
            found: dict[str, object] = (installation.seen(board)["attempts"] or [{}])[0]
            return found

        installation.wait(lambda: attempt().get("postponed_until") is not None)
        fleet.run(20.0)
        assert (attempt()["status"], attempt()["received"]) == ("offered", 0)
        installation.wait_for_outcome(board, "confirmed")
        board.assert_confirmed(installation.image(NEWER))
        assert installation.counters(rollout) == {"offered": 1, "confirmed": 1}
        assert any("update: put off for 30 s" in line for line in board.lines)
