# SPDX-License-Identifier: Apache-2.0
"""One update of the example thermostat over the serial link, on each platform: the way that everything else varies."""

from __future__ import annotations

import pytest

from muster.delta import encode
from muster.emulator import ResetCause
from muster.image.image import Image
from muster.layout import Slot
from muster.serial import BootState
from tests.conftest import BuildFirmware
from tests.e2e.board import Board

PLATFORM_IDS = {"photon": 6, "p1": 8, "electron": 10}
LED = "PA13"


@pytest.mark.parametrize("platform", PLATFORM_IDS)
def test_thermostat_is_updated_and_keeps_its_settings(built: BuildFirmware, platform: str) -> None:
    old, new = built("thermostat", platform, 1), built("thermostat", platform, 2)
    base, target = (Image.from_bytes(made.image_path.read_bytes()) for made in (old, new))
    with Board(old.folder / f"{old.product}.hex") as board:
        first = board.boot()
        assert (first.product_id, first.version, first.platform_id) == (old.product_id, 1, PLATFORM_IDS[platform])
        assert (first.identity, first.slot, first.boot_state) == (base.identity, Slot.A, BootState.CONFIRMED)
        assert first.device_id == board.device.unique_id
        assert board.link.call("set_point", "22.25") == 2225
        assert board.link.call("schedule", "mo 00:00 23, fr 18:00 17.5") == 2
        assert board.link.call("set_point", "hot") == -1

        patch = encode(base.raw, target.raw)
        assert len(patch.raw) < len(target.raw) // 10
        info = board.install(target, patch)
        assert (info.version, info.slot, info.attempt) == (2, Slot.B, 1)
        assert board.installed(Slot.B).raw == target.raw

        board.power_cycle()
        assert board.link.call("get_set") == 2225
        assert board.link.call("get_target") == 2300
        # Only version 2 knows the away mode.
        assert board.link.call("away", "on") == 1
        board.device.run(2.0)
        assert board.link.call("get_target") == 1200

        assert board.device.violations == []
        assert board.device.counters.overruns == 0
        assert board.device.faults == []
        assert board.device.counters.resets[ResetCause.IWDG] == 0


def test_thermostat_heats_and_tells_so(built: BuildFirmware) -> None:
    made = built("thermostat", "photon", 2)
    with Board(made.folder / f"{made.product}.hex") as board:
        board.boot()
        assert board.link.call("set_point", "30") == 3000
        board.device.uart(1).read()
        board.device.run(11.0)
        assert b"target 30.00 C, heating on" in board.device.uart(1).read()
        assert board.device.pin(LED).level
        board.link.call("set_point", "5")
        board.device.run(30.0)
        assert not board.device.pin(LED).level
