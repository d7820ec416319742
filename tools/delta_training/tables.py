# SPDX-License-Identifier: Apache-2.0
"""The coder's tables: as the trainer's bytes (native/tables.h) and as C."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

_SQUASHES = 512
_STRETCHES = 2048
_RATES = tuple(4 + rate for rate in (1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 6))
"""By how many bits the error, in 65,536ths, is shifted to move a chance of 4,096ths, by how much a counter has seen."""
_KNOWN_HITS = 256 + 16 * 4
_KNOWN_BITS = 2 * 2 * 8 * 32
_BYTE_TABLES = 8
_GROUPS, _LOWER_GROUPS = 16, 32
_LINE_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Layout:
    """How long the tables are that the model's names decide, as the trainer says it."""

    initials: int
    hit_sets: int
    weight_sets: int
    mix_inputs: int

    def parts(self) -> list[tuple[str, str, int]]:
        """(name, struct format, count) in the order of struct train_tables."""
        table = [("groups", "B", 256), ("lower_groups", "B", 16 * _GROUPS)]
        table += [("upper", "b", 16 * _GROUPS), ("lower", "b", 16 * _LOWER_GROUPS)]
        return [
            ("squashes", "H", _SQUASHES),
            ("stretches", "b", _STRETCHES),
            ("rates", "B", len(_RATES)),
            ("initials", "B", self.initials),
            ("weights", "b", self.weight_sets * self.mix_inputs),
            ("known_hits", "b", _KNOWN_HITS),
            ("known_bits", "b", _KNOWN_BITS),
            *((f"{name} {number}", code, count) for number in range(_BYTE_TABLES) for name, code, count in table),
        ]

    def format(self) -> str:
        text = "<" + "".join(f"{count}{code}" for _, code, count in self.parts())
        return text + "x" * (struct.calcsize(text) % 2)


def untrained(layout: Layout) -> bytes:
    """Tables that know nothing: where training begins."""
    values = {name: [0] * count for name, _, count in layout.parts()}
    squash = [int(65536 / (1 + math.exp(-(8 * i + 4 - 2048) / 256)) + 0.5) for i in range(_SQUASHES)]
    values["squashes"] = squash
    values["stretches"] = [_stretch((i + 0.5) / _STRETCHES) for i in range(_STRETCHES)]
    values["rates"] = list(_RATES)
    values["initials"] = [31 << 2 | 1] * layout.initials
    sets = [20] * layout.hit_sets + [22] * (layout.weight_sets - layout.hit_sets)
    values["weights"] = [weight for weight in sets for _ in range(layout.mix_inputs)]
    values["known_hits"] = [40] * _KNOWN_HITS
    return struct.pack(layout.format(), *(number for name, _, _ in layout.parts() for number in values[name]))


def _stretch(chance: float) -> int:
    """`distance` from one half, in 4096ths, in the logistic domain."""
    return max(-127, min(127, round(16 * math.log(chance / (1 - chance)))))


def as_c(layout: Layout, tables: bytes, digest: str) -> dict[str, str]:
    """The sources in firmware/core/src that hold the tables, by name. `digest` names the corpus."""
    numbers = struct.unpack(layout.format(), tables)
    values: dict[str, tuple[int, ...]] = {}
    at = 0
    for name, _, count in layout.parts():
        values[name] = numbers[at : at + count]
        at += count
    weights = "[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS]"
    plain = [
        *_array("uint16_t", "squashes", f"[{_SQUASHES}]", values["squashes"]),
        *_array("int8_t", "stretches", f"[{_STRETCHES}]", values["stretches"]),
        *_array("uint8_t", "rates", f"[{len(_RATES)}]", values["rates"]),
        *_array("uint8_t", "initials", "[OTA_DELTA_INITIALS]", values["initials"]),
        *_array("int8_t", "weights", weights, values["weights"], (layout.mix_inputs,)),
        *_array("int8_t", "known_hits", f"[{_KNOWN_HITS}]", values["known_hits"]),
        *_array("int8_t", "known_bits", "[2][2][8][32]", values["known_bits"], (2 * 8 * 32, 8 * 32, 32)),
    ]
    by_context = [
        f"const struct ota_delta_byte_table ota_delta_byte_tables[{_BYTE_TABLES}] = {{",
    ]
    for number in range(_BYTE_TABLES):
        by_context.append("    {")
        for name, rows in (("groups", ()), ("lower_groups", ()), ("upper", (16,)), ("lower", (16,))):
            by_context += [f"        .{name} = {{", *_rows(values[f"{name} {number}"], rows, 12), "        },"]
        by_context.append("    },")
    by_context += ["};", ""]
    return {"delta_tables.c": _source(plain, digest), "delta_byte_tables.c": _source(by_context, digest)}


def _source(arrays: list[str], digest: str) -> str:
    head = [
        "/* SPDX-License-Identifier: Apache-2.0 */",
        '#include "delta_tables.h"',
        "",
        "/* Written by tools/delta_training from the corpus whose list has the SHA-256",
        f" * {digest}. */",
        "",
        "/* clang-format off */",
    ]
    return "\n".join([*head, *arrays[:-1], "/* clang-format on */", ""])


def _array(kind: str, name: str, size: str, values: tuple[int, ...], rows: tuple[int, ...] = ()) -> list[str]:
    return [f"const {kind} ota_delta_{name}{size} = {{", *_rows(values, rows, 4), "};", ""]


def _rows(values: tuple[int, ...], rows: tuple[int, ...], indent: int) -> list[str]:
    """Numbers in lines; `rows`: how many each inner brace holds, the outermost first."""
    if not rows:
        return _filled([str(value) for value in values], indent)
    parts = [values[first : first + rows[0]] for first in range(0, len(values), rows[0])]
    if len(rows) == 1:
        braced = ["{" + ",".join(map(str, part)) + "}" for part in parts]
        if max(map(len, braced)) + indent + 1 <= _LINE_LENGTH:
            return _filled(braced, indent)
    margin = " " * indent
    return [line for part in parts for line in (f"{margin}{{", *_rows(part, rows[1:], indent + 4), f"{margin}}},")]


def _filled(items: list[str], indent: int) -> list[str]:
    """As many in each line as fit."""
    margin = " " * indent
    lines, line = [], margin
    for item in items:
        text = f"{item}, "
        if len(line) + len(text) - 1 > _LINE_LENGTH:
            lines.append(line.rstrip())
            line = margin
        line += text
    return [*lines, line.rstrip()]
