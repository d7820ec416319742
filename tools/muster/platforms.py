# SPDX-License-Identifier: Apache-2.0
"""Boards as data: firmware/platforms/<name>/platform.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from muster import layout
from muster.errors import ConfigError, FileFault
from muster.toml_table import TomlTable

PLATFORMS_FOLDER = Path("firmware/platforms")
"""Where the platforms are, from the root of the source tree."""

U16_MAX = 0xFFFF
U32_MAX = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of the chip: port 0 is A."""

    port: int
    number: int

    @property
    def c_initializer(self) -> str:
        """As the C compiler wants it for a `struct chip_pin`."""
        return f"{{.port = {self.port}, .pin = {self.number}}}"


@dataclass(frozen=True, slots=True)
class Console:
    """The UART of the serial link: USART number, alternate function of its pins, baud rate."""

    number: int
    function: int
    tx: Pin
    rx: Pin
    baud: int


@dataclass(frozen=True, slots=True)
class Led:
    pin: Pin
    active_low: bool


@dataclass(frozen=True, slots=True)
class RgbLed:
    red: Pin
    green: Pin
    blue: Pin
    active_low: bool


@dataclass(frozen=True, slots=True)
class Ram:
    """Address and sizes in bytes; the stack is the top of it."""

    addr: int
    size: int
    stack: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What a program may take, in bytes; the build fails above it."""

    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Platform:
    """One board.

    Attributes:
        source: where the facts come from, a path from the root of the source tree.
        hardware_revision: what a development identity says.
        bootloader_version: of the bootloader in this tree.
        minimum_bootloader_version: what images built here ask for.
        hse_hz: frequency of the crystal.
    """

    source: str
    name: str
    platform_id: int
    chip: str
    hardware_revision: int
    bootloader_version: int
    minimum_bootloader_version: int
    hse_hz: int
    console: Console
    led: Led
    rgb: RgbLed
    button: Pin
    ram: Ram
    bootloader_budget: Budget
    firmware_budget: Budget

    @classmethod
    def from_toml(cls, text: str, source: str) -> Platform:
        """Parses a platform.toml.

        Raises:
            ConfigError: it is not valid, or contradicts the flash map of docs/spec/boot.md.
        """
        top = TomlTable.from_text(source, text)
        platform_name = top.text("name")
        known = {name.value: number for name, number in layout.PLATFORM_IDS.items()}
        if platform_name not in known:
            raise top.error("name", f"must be one of {', '.join(known)}, not {platform_name}")
        platform_id = top.integer("platform_id", 0, U16_MAX)
        if platform_id != known[platform_name]:
            raise top.error("platform_id", f"{platform_name} has {known[platform_name]}, not {platform_id}")
        bootloader_version = top.integer("bootloader_version", 1, U16_MAX)
        clock = top.table("clock")
        hse_hz = clock.integer("hse_hz", 4_000_000, 26_000_000)
        if hse_hz % 1_000_000:
            raise clock.error("hse_hz", "must be a whole number of MHz")
        clock.finish()
        flash = top.table("flash")
        if tuple(flash.integers("sectors", 1, layout.FLASH_SIZE)) != layout.SECTOR_SIZES:
            raise flash.error("sectors", "must be those of the flash map, docs/spec/boot.md section 1")
        flash.finish()
        ram = _ram(top.table("ram"))
        budgets = top.table("budget")
        platform = cls(
            source=source,
            name=platform_name,
            platform_id=platform_id,
            chip=top.text("chip"),
            hardware_revision=top.integer("hardware_revision", 0, U16_MAX),
            bootloader_version=bootloader_version,
            minimum_bootloader_version=top.integer("minimum_bootloader_version", 1, bootloader_version),
            hse_hz=hse_hz,
            console=_console(top.table("console")),
            led=_led(top.table("led")),
            rgb=_rgb(top.table("rgb")),
            button=_button(top.table("button")),
            ram=ram,
            bootloader_budget=_budget(budgets.table("bootloader"), layout.BOOTLOADER_SIZE_MAX, ram.size - ram.stack),
            firmware_budget=_budget(budgets.table("firmware"), layout.SLOT_SIZE, ram.size - ram.stack),
        )
        budgets.finish()
        top.finish()
        return platform


def load_platform(root: Path, name: str) -> Platform:
    """Reads the platform `name` of the source tree at `root`.

    Raises:
        ConfigError: there is no such platform, or its file is not valid.
        FileFault: the file cannot be read.
    """
    if name not in platform_names(root):
        raise ConfigError(f"there is no platform {name} (known: {', '.join(platform_names(root))})")
    source = PLATFORMS_FOLDER / name / "platform.toml"
    try:
        text = (root / source).read_text(encoding="utf-8")
    except OSError as error:
        raise FileFault(f"cannot read {source}: {error.strerror}") from error
    platform = Platform.from_toml(text, source.as_posix())
    if platform.name != name:
        raise ConfigError(f"{source}: name: must be that of the folder, {name}")
    return platform


def platform_names(root: Path) -> list[str]:
    """The platforms of the source tree at `root`, in the order of their ids."""
    return [
        name.value
        for name in sorted(layout.PLATFORM_IDS, key=lambda name: layout.PLATFORM_IDS[name])
        if (root / PLATFORMS_FOLDER / name.value / "platform.toml").is_file()
    ]


def _pin(table: TomlTable, key: str) -> Pin:
    match = re.fullmatch(r"P([A-I])([0-9]|1[0-5])", text := table.text(key))
    if match is None:
        raise table.error(key, f"must be a pin such as PA13, not {text}")
    return Pin(ord(match.group(1)) - ord("A"), int(match.group(2)))


def _console(table: TomlTable) -> Console:
    number = table.integer("uart", 1, 6)
    if number in (4, 5):
        raise table.error("uart", "must be a USART: 1, 2, 3 or 6")
    console = Console(
        number=number,
        function=table.integer("function", 0, 15),
        tx=_pin(table, "tx"),
        rx=_pin(table, "rx"),
        baud=table.integer("baud", 1_200, 3_000_000),
    )
    table.finish()
    return console


def _led(table: TomlTable) -> Led:
    led = Led(_pin(table, "pin"), table.boolean("active_low"))
    table.finish()
    return led


def _rgb(table: TomlTable) -> RgbLed:
    rgb = RgbLed(_pin(table, "red"), _pin(table, "green"), _pin(table, "blue"), table.boolean("active_low"))
    table.finish()
    return rgb


def _button(table: TomlTable) -> Pin:
    pin = _pin(table, "pin")
    table.finish()
    return pin


def _ram(table: TomlTable) -> Ram:
    addr = table.integer("addr", 0, U32_MAX)
    size = table.integer("size", 4_096, 0x2_0000)
    stack = table.integer("stack", 1_024, size - 1_024)
    if addr % 8 or size % 8 or stack % 8:
        raise table.error("stack", "address and sizes must be multiples of 8: the stack is kept aligned so (AAPCS)")
    table.finish()
    return Ram(addr, size, stack)


def _budget(table: TomlTable, flash_max: int, ram_max: int) -> Budget:
    budget = Budget(table.integer("flash_bytes", 1, flash_max), table.integer("ram_bytes", 1, ram_max))
    table.finish()
    return budget
