# SPDX-License-Identifier: Apache-2.0
"""Functions and variables of the real firmware, used through the real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from muster.keystore import KeyStore
from tests.e2e.board import Victim
from tests.e2e.served import Installation, ServedBoard, boards_of, installed, settings_of

LED = "PA13"


def asked(installation: Installation, board: ServedBoard, method: str, name: str, **arguments: Any) -> Any:
    """Makes a request about the board, which meanwhile goes on."""
    path = f"/products/{installation.product_id}/devices/{board.id}/{name}".removesuffix("/")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(installation.server.api, method, path, **arguments)
        installation.wait(answer.done)
        return answer.result()


def test_functions_and_variables_of_an_emulated_board(tmp_path: Path, victim: Victim, key_store: KeyStore) -> None:
    # Time is virtual for the board only.
    settings = replace(settings_of(tmp_path, key_store), call_timeout_s=300.0, hold_max_s=0.5)
    with boards_of(victim, key_store) as fleet, installed(settings, fleet) as installation:
        board = installation.board_in_session()
        assert installation.seen(board)["functions"] == ["fail", "say", "say_later", "put_off"]
        said = asked(installation, board, "POST", "say", json={"arg": "gr\u00fc\u00df dich!"})
        assert said["return_value"] == 0
        values = {name: asked(installation, board, "GET", name)["result"] for name in ("said", "half", "last", "loud")}
        assert values == {"said": 1, "half": 0.5, "last": "gr\u00fc\u00df dich!", "loud": True}
        assert installation.seen(board)["variables"] == {
            "said": "int32",
            "half": "double",
            "last": "string",
            "loud": "bool",
        }
        told = [(event["name"], event["data"]) for event in installation.seen(board)["events"]]
        assert ("said", "gr\u00fc\u00df dich!") in told
        assert ("spark/status", "online") in told


def test_emulated_board_flashes_its_light_to_be_found(tmp_path: Path, victim: Victim, key_store: KeyStore) -> None:
    settings = replace(settings_of(tmp_path, key_store), call_timeout_s=300.0, hold_max_s=0.5)
    with boards_of(victim, key_store) as fleet, installed(settings, fleet) as installation:
        board = installation.board_in_session()
        changes: list[float] = []
        board.device.pin(LED).on_change(lambda _level, time: changes.append(time))
        fleet.run(2.0)
        assert changes == []
        assert asked(installation, board, "PUT", "", json={"signal": "1"})["signaling"] is True
        changes.clear()
        fleet.run(2.0)
        assert len(changes) in range(18, 23)
        assert asked(installation, board, "PUT", "", json={"signal": "0"})["signaling"] is False
        changes.clear()
        fleet.run(2.0)
        assert changes == []
        assert not board.device.pin(LED).level
