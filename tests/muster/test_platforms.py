# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster import layout
from muster.build.driver import source_root
from muster.errors import ConfigError
from muster.platforms import PLATFORMS_FOLDER, Pin, Platform, load_platform, platform_names

PHOTON = (source_root() / PLATFORMS_FOLDER / "photon" / "platform.toml").read_text()


def test_every_platform_is_there() -> None:
    assert platform_names(source_root()) == ["photon", "p1", "electron"]


@pytest.mark.parametrize(("name", "platform_id"), [("photon", 6), ("p1", 8), ("electron", 10)])
def test_boards_are_what_particle_says(name: str, platform_id: int) -> None:
    """Sources: the comments of each platform.toml."""
    platform = load_platform(source_root(), name)
    assert platform.platform_id == platform_id
    assert platform.hse_hz == 26_000_000
    assert (platform.console.tx, platform.console.rx, platform.console.function) == (Pin(0, 9), Pin(0, 10), 7)
    assert platform.led.pin == Pin(0, 13)
    assert (platform.rgb.red, platform.rgb.green, platform.rgb.blue) == (Pin(0, 1), Pin(0, 2), Pin(0, 3))
    assert platform.button == Pin(2, 7)


@pytest.mark.parametrize("name", ["photon", "p1", "electron"])
def test_budgets_fit_the_flash_map(name: str) -> None:
    platform = load_platform(source_root(), name)
    assert platform.bootloader_budget.flash_bytes == layout.BOOTLOADER_SIZE_MAX
    assert platform.firmware_budget.flash_bytes == layout.SLOT_SIZE
    assert platform.firmware_budget.ram_bytes == platform.ram.size - platform.ram.stack


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "photon"', 'name = "core"', "name: must be one of photon, p1, electron"),
        ("platform_id = 6", "platform_id = 8", "platform_id: photon has 6, not 8"),
        ("hse_hz = 26_000_000", "hse_hz = 25_500_000", "clock: hse_hz: must be a whole number of MHz"),
        ("hse_hz = 26_000_000", "hse_hz = 50_000_000", "clock: hse_hz: must be from 4000000 to 26000000"),
        ('tx = "PA9"', 'tx = "PA16"', "console: tx: must be a pin such as PA13, not PA16"),
        ('tx = "PA9"', 'tx = "A9"', "console: tx: must be a pin such as PA13, not A9"),
        ("uart = 1", "uart = 4", "console: uart: must be a USART: 1, 2, 3 or 6"),
        ("stack = 8_192", "stack = 8_190", "ram: stack: address and sizes must be multiples of 8"),
        ("flash_bytes = 31_744", "flash_bytes = 31_745", "budget: bootloader: flash_bytes: must be from 1 to 31744"),
        ("ram_bytes = 122_880", "ram_bytes = 122_881", "budget: firmware: ram_bytes: must be from 1 to 122880"),
        ("sectors = [16_384,", "sectors = [32_768,", "flash: sectors: must be those of the flash map"),
        ("minimum_bootloader_version = 1", "minimum_bootloader_version = 2", "must be from 1 to 1, not 2"),
        ("active_low = false", "active_low = 0", "led: active_low: must be true or false"),
        ('chip = "stm32f205"', "", "chip: is missing"),
        ('chip = "stm32f205"', 'chip = "stm32f205"\nchipset = 1', "chipset: is not a key that is known here"),
        ('pin = "PC7"', 'pin = "PC7"\npull = "up"', "button: pull: is not a key that is known here"),
        ("platform_id = 6", "platform_id = ", "platform.toml: Invalid value"),
    ],
)
def test_mistake_is_one_error_that_names_file_and_key(old: str, new: str, told: str) -> None:
    assert PHOTON.count(old) >= 1
    with pytest.raises(ConfigError) as error:
        Platform.from_toml(PHOTON.replace(old, new, 1), "x/platform.toml")
    assert str(error.value).startswith("x/platform.toml: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_platform_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no platform argon \(known: photon, p1, electron\)"):
        load_platform(source_root(), "argon")
