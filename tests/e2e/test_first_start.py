# SPDX-License-Identifier: Apache-2.0
"""A board from the factory makes its key at its first start, with the real bootloader and agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.device.hexfile import factory_hex
from muster.device.identity_page import IdentityPage
from muster.device.identity_stub import IdentityStub
from muster.emulator import CutMode, RunReason
from muster.keystore import RELEASE, KeyStore
from muster.layout import IDENTITY_ADDR, IDENTITY_PAGE_SIZE, Lifecycle
from muster.signing.signer import sign_image
from tests.e2e.board import SOUND, Board, Victim
from tests.e2e.served import boards_of, installed, settings_of

FIRST_START_S = 5.0


@pytest.fixture(scope="module")
def hex_path(victim: Victim, key_store: KeyStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = sign_image(victim.image(SOUND), key_store.signer(RELEASE))
    text = victim.hex_path(SOUND).read_text()
    path = tmp_path_factory.mktemp("factory") / "victim.hex"
    path.write_text(factory_hex(text, image, key_store.keyset()))
    return path


def page_of(board: Board) -> IdentityPage:
    raw = board.device.flash_bytes(IDENTITY_ADDR, IDENTITY_PAGE_SIZE)
    return IdentityPage.from_bytes(raw, board.device.unique_id)


def test_board_makes_its_own_key_once(hex_path: Path, key_store: KeyStore) -> None:
    keys = set()
    for seed in (1, 2):
        with Board(hex_path, seed) as board:
            info = board.boot()
            page = page_of(board)
            assert page.device_key.public_key.raw == info.device_key
            assert (page.device_id, page.roots) == (board.device.unique_id, key_store.roots)
            assert info.lifecycle == Lifecycle.PRODUCTION
            assert board.power_cycle().device_key == info.device_key
            assert board.device.violations == []
            keys.add(info.device_key)
    assert len(keys) == 2


@pytest.mark.parametrize("mode", list(CutMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("operation", [1, 4, 19, 20, 21, 40])
def test_power_cut_while_the_key_is_written_costs_nothing(hex_path: Path, operation: int, mode: CutMode) -> None:
    """A copy takes 21 words: three of the id, sixteen of the keys, CRC and COMMIT."""
    with Board(hex_path) as board:
        board.device.cut_power_at_flash_operation(operation, mode)
        board.device.power_on()
        assert board.device.run(FIRST_START_S).reason is RunReason.POWER_CUT
        info = board.boot()
        assert page_of(board).device_key.public_key.raw == info.device_key
        assert board.device.violations == []


def test_board_whose_stub_is_spoiled_says_that_it_has_no_key(hex_path: Path) -> None:
    with Board(hex_path) as board:
        for copy in (0, 512):
            board.flip(IDENTITY_ADDR + copy + 12)
        info = board.boot()
        assert info.device_key == b""
        assert info.lifecycle == 0


def test_board_that_was_registered_with_its_own_key_is_trusted_at_its_first_check_in(
    victim: Victim, key_store: KeyStore, tmp_path: Path
) -> None:
    with (
        boards_of(victim, key_store) as fleet,
        installed(settings_of(tmp_path / "server", key_store), fleet, auto_approve=False) as installation,
    ):
        board = installation.board()
        page = page_of(board)
        stub = IdentityStub(page.product_id, page.hardware_revision, page.lifecycle, page.roots)
        board.device.write_memory(IDENTITY_ADDR, stub.to_bytes())
        board.client = None
        fleet.run(FIRST_START_S)
        key = page_of(board).device_key.public_key
        assert key != page.device_key.public_key
        line = f"{board.id} {key.raw.hex()}".encode()
        path = f"/products/{installation.product_id}/devices"
        assert installation.server.api("POST", path, files={"file": ("units", line)})["updated"] == 1
        board.client = installation.server.client
        installation.wait(lambda: board.count("check-in") >= 2)
        seen = installation.seen(board)
        assert (seen["status"], seen["fingerprint"], seen["firmware_version"]) == ("active", key.fingerprint, SOUND)
