# SPDX-License-Identifier: Apache-2.0
"""The size report: what each program takes, and what it may take (budgets of platform.toml)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from muster.build.decoder_size import DecoderSize
from muster.build.size_row import SizeRow
from muster.elf import Elf, Symbol
from muster.errors import ConfigError, LinkError
from muster.platforms import Platform

LARGEST_COUNT = 8
"""How many symbols a report names per row."""


@dataclass(frozen=True, slots=True)
class SizeReport:
    """What one build takes.

    Attributes:
        rows: bootloader flash and RAM, image in its slot, firmware RAM, stack.
        largest: for each row the symbols with the most bytes.
        decoder: code, tables and state of the patch decoder. Its limits are promises of the format, the same for every
            product: the project's tests hold them, no product's build fails by them.
    """

    rows: tuple[SizeRow, ...]
    largest: dict[str, tuple[Symbol, ...]]
    decoder: tuple[SizeRow, ...] = ()

    @classmethod
    def measure(cls, platform: Platform, bootloader: Elf, firmware: Elf, image_size: int) -> SizeReport:
        """Holds two linked programs and the image (its whole file, in bytes) against the platform's budgets."""
        _, bootloader_flat = bootloader.flat()
        rows = (
            SizeRow("bootloader flash", len(bootloader_flat), platform.bootloader_budget.flash_bytes),
            SizeRow("bootloader ram", bootloader.ram_bytes, platform.bootloader_budget.ram_bytes),
            SizeRow("firmware flash", image_size, platform.firmware_budget.flash_bytes),
            SizeRow("firmware ram", firmware.ram_bytes, platform.firmware_budget.ram_bytes),
        )
        largest = {}
        for name, elf in (("bootloader", bootloader), ("firmware", firmware)):
            symbols = elf.largest_symbols(len(elf.symbols))
            for memory, is_in_ram in (("flash", False), ("ram", True)):
                here = [symbol for symbol in symbols if (symbol.addr >= platform.ram.addr) == is_in_ram]
                largest[f"{name} {memory}"] = tuple(here[:LARGEST_COUNT])
        return cls(rows, largest, DecoderSize.of_elf(firmware.raw).rows)

    def check(self) -> None:
        """Raises LinkError when a budget is not kept, naming the largest symbols that it counts."""
        for row in self.rows:
            if row.over > 0:
                symbols = self.largest[row.name]
                names = ", ".join(f"{symbol.name} {symbol.size}" for symbol in symbols)
                raise LinkError(
                    f"{row.name}: {row.use} bytes, {row.over} above the budget of {row.limit}; largest: {names}"
                )

    def to_text(self) -> str:
        """The table that people read."""
        lines = [f"{'':18}{'bytes':>9}{'limit':>9}{'free':>9}"]
        lines += [f"{row.name:18}{row.use:9,}{row.limit:9,}{-row.over:9,}" for row in self.rows + self.decoder]
        for name, symbols in self.largest.items():
            lines += ["", f"largest of {name}"]
            lines += [f"{symbol.size:9,}  {symbol.name}" for symbol in symbols]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """The same facts for programs."""
        facts = {
            "rows": [_row_facts(row) for row in self.rows],
            "decoder": [_row_facts(row) for row in self.decoder],
            "largest": {
                name: [{"name": symbol.name, "size": symbol.size} for symbol in symbols]
                for name, symbols in self.largest.items()
            },
        }
        return json.dumps(facts, indent=2) + "\n"


def _row_facts(row: SizeRow) -> dict[str, str | int]:
    return {"name": row.name, "use": row.use, "limit": row.limit}


def rows_from_json(text: str) -> list[SizeRow]:
    """Reads the rows of a report back, the decoder's behind the others.

    Raises:
        ConfigError: it is not a report.
    """
    try:
        facts = json.loads(text)
        rows = [*facts["rows"], *facts["decoder"]]
        return [SizeRow(str(row["name"]), int(row["use"]), int(row["limit"])) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"not a size report: {error}") from error
