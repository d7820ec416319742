# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.build.size import SizeReport, rows_from_json
from muster.build.size_row import SizeRow
from muster.elf import Symbol
from muster.errors import ConfigError, LinkError


def report(use: int) -> SizeReport:
    rows = (SizeRow("bootloader flash", 900, 1_000), SizeRow("firmware ram", use, 2_000))
    largest = {
        "bootloader flash": (Symbol("verify", 0x0800_0100, 400, "ed25519.c"),),
        "firmware ram": (Symbol("buffer", 0x2000_0000, 1_500, "link.c"), Symbol("ring", 0x2000_1000, 256, "uart.c")),
    }
    return SizeReport(rows, largest, (SizeRow("decoder code", 8_200, 8_192),))


@pytest.mark.parametrize("use", [0, 1_999, 2_000])
def test_use_up_to_the_limit_is_kept(use: int) -> None:
    report(use).check()


def test_use_above_the_limit_is_refused_with_the_symbols_that_it_counts() -> None:
    with pytest.raises(LinkError) as error:
        report(2_001).check()
    assert str(error.value) == ("firmware ram: 2001 bytes, 1 above the budget of 2000; largest: buffer 1500, ring 256")


def test_text_shows_use_limit_and_what_is_free() -> None:
    lines = report(1_756).to_text().splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["bytes", "limit", "free"],
        ["bootloader", "flash", "900", "1,000", "100"],
        ["firmware", "ram", "1,756", "2,000", "244"],
    ]
    assert lines[3].split() == ["decoder", "code", "8,200", "8,192", "-8"]
    assert "    1,500  buffer" in lines


def test_json_reads_back() -> None:
    assert rows_from_json(report(5).to_json()) == [*report(5).rows, *report(5).decoder]


@pytest.mark.parametrize("text", ["", "{}", '{"rows": [{"name": "x"}]}', "[]"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a size report"):
        rows_from_json(text)
