# SPDX-License-Identifier: Apache-2.0
"""Writes the C sources of a large product: many modules of varied functions, drawn from a seed.

What it holds is what makes firmware patches hard: calls over the whole image, switch tables, tables of function
pointers and of strings, literal pools with addresses of variables, soft-float, printf and other code of newlib.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

MODULE_COUNT = 30
FUNCTIONS_PER_MODULE = 36
SEED = 20_240_607

CHANGED_MODULE = "m14.c"
"""The file that holds the line to fix: in the middle of the link."""

ORIGINAL_LINE = "    if (level > 4100u) alarm_count++;\n"
LONGER_LINE = "    if (level > 4100u && alarm_count < 250u && unit_14.kind != 3u) alarm_count++;\n"
CONSTANT_LINE = "    if (level > 4300u) alarm_count++;\n"

_WORDS = (
    "pump valve motor sensor boiler relay fan burner inlet outlet filter heater cooler panel meter probe "
    "channel buffer packet frame queue timer event session storage journal record index limit ramp"
)
WORDS = _WORDS.split()
_VERBS = "starts stops fails opens closes waits rises falls settles drifts repeats ends recovers expires"
VERBS = _VERBS.split()


@dataclass(frozen=True, slots=True)
class Function:
    """A generated function: `uint32_t name(uint32_t a, uint32_t b)`."""

    name: str
    is_static: bool


def write_sources(folder: Path, changed_line: str = ORIGINAL_LINE) -> list[str]:
    """Writes every source below `folder` and returns the names of the C files. Equal arguments, equal bytes.

    Args:
        changed_line: the line that a fix changes.
    """
    draw = random.Random(SEED)
    modules = [
        [Function(f"m{number:02}_{draw.choice(WORDS)}_{at}", draw.random() < 0.4) for at in range(FUNCTIONS_PER_MODULE)]
        for number in range(MODULE_COUNT)
    ]
    shared = [[function for function in functions if not function.is_static] for functions in modules]
    header = "/* SPDX-License-Identifier: Apache-2.0 */\n#pragma once\n#include <stdint.h>\n"
    header += (
        "struct unit { uint32_t level; uint16_t rate; uint8_t kind; uint8_t flags; int32_t trim; double gain; };\n"
    )
    header += "".join(f"uint32_t {function.name}(uint32_t a, uint32_t b);\n" for part in shared for function in part)
    header += f"enum {{ MODULE_COUNT = {MODULE_COUNT} }};\n"
    header += "".join(f"extern struct unit unit_{number:02};\n" for number in range(MODULE_COUNT))
    header += "uint32_t sensor_watch(uint32_t level);\n"
    _write(folder / "large.h", header)
    names = []
    for number, functions in enumerate(modules):
        name = f"m{number:02}.c"
        text = _module(draw, number, functions, [function for part in shared for function in part])
        if name == CHANGED_MODULE:
            # Between two halves of the module, where code follows and precedes.
            middle = text.index("\n/* ", len(text) // 2) + 1
            text = text[:middle] + _watch(changed_line) + text[middle:]
        _write(folder / name, text)
        names.append(name)
    _write(folder / "main.c", _main(shared))
    return [*names, "main.c"]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _watch(changed_line: str) -> str:
    return (
        "static uint32_t alarm_count;\n\n"
        "static uint32_t sensor_is_settled(uint32_t level, uint32_t count) { return (level ^ count) % 5u; }\n\n"
        "uint32_t sensor_watch(uint32_t level) {\n"
        "    alarm_count += sensor_is_settled(level, 7u);\n"
        f"{changed_line}"
        '    if (alarm_count == 200u) agent_log(AGENT_WARN, "watch sees %u alarms", (unsigned)alarm_count);\n'
        "    return alarm_count;\n"
        "}\n\n"
    )


def _module(draw: random.Random, number: int, functions: list[Function], shared: list[Function]) -> str:
    unit = f"unit_{number:02}"
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */"]
    lines += ['#include "large.h"', '#include "agent/agent.h"', "#include <stdio.h>", "#include <stdlib.h>"]
    lines += ["#include <string.h>", "", f"struct unit {unit} = {{{number}u, {draw.randrange(9999)}u, "]
    lines[-1] += f"{draw.randrange(9)}u, 1u, -{draw.randrange(500)}, {draw.randrange(1, 999) / 64}}};"
    lines += [f"static uint32_t state_{at};" for at in range(6)]
    lines += [f"static uint8_t ring[{draw.randrange(16, 200)}];", "static char text[64];", ""]
    words = ", ".join(f'"{draw.choice(WORDS)} {draw.choice(VERBS)}"' for _ in range(draw.randrange(6, 14)))
    lines += [f"static const char *const names[] = {{{words}}};"]
    numbers = ", ".join(f"{draw.randrange(1 << 16)}u" for _ in range(draw.randrange(20, 90)))
    lines += [f"static const uint16_t curve[] = {{{numbers}}};", "enum {"]
    lines += ["    NAMES = sizeof names / sizeof names[0],", "    CURVE = sizeof curve / sizeof curve[0],", "};"]
    lines += [
        f"static __attribute__((noinline)) uint32_t {function.name}(uint32_t a, uint32_t b);"
        for function in functions
        if function.is_static
    ]
    lines += [""]
    for at, function in enumerate(functions):
        callees = functions[at + 1 :] + [other for other in shared if _module_of(other) > number]
        lines += _function(draw, function, unit, callees), ""
    local = ", ".join(function.name for function in functions)
    lines += [f"/* Every function of this module: calls through a table. */\nuint32_t m{number:02}_run(uint32_t a);"]
    lines += [f"static uint32_t (*const table[])(uint32_t, uint32_t) = {{{local}}};"]
    lines += [f"uint32_t m{number:02}_run(uint32_t a) {{"]
    lines += ["    return table[a % (sizeof table / sizeof table[0])](a, state_0) ^ (uint32_t)sizeof ring;", "}", ""]
    return "\n".join(lines)


def _module_of(function: Function) -> int:
    return int(function.name[1:3])


def _function(draw: random.Random, function: Function, unit: str, callees: list[Function]) -> str:
    kind = "static __attribute__((noinline)) " if function.is_static else ""
    lines = [f"/* {draw.choice(WORDS).capitalize()} {draw.choice(VERBS)}. */"]
    lines += [f"{kind}uint32_t {function.name}(uint32_t a, uint32_t b) {{", "    uint32_t sum = a ^ (b << 3);"]
    for _ in range(draw.randrange(3, 8)):
        lines += draw.choice(_STATEMENTS)(draw, unit, callees)
    return "\n".join([*lines, "    return sum;", "}"])


def _call(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    if not callees:
        return [f"    sum += {unit}.level;"]
    # Mostly neighbours, sometimes far away, as in any program.
    near = callees[: max(1, len(callees) // 20)]
    callee = draw.choice(near if draw.random() < 0.7 else callees)
    guard = f"    if (((sum >> {draw.randrange(1, 24)}) & {draw.choice([3, 7, 31])}u) == {draw.randrange(3)}u) "
    return [guard + f"sum += {callee.name}(sum >> {draw.randrange(1, 9)}, b + {draw.randrange(300)}u);"]


def _switch(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    count = draw.randrange(5, 14)
    lines = [f"    switch ((sum >> {draw.randrange(12)}) % {count + draw.randrange(4)}u) {{"]
    for at in range(count):
        action = draw.choice(
            [
                f"sum = sum * {draw.randrange(3, 999)}u + b;",
                f"{unit}.flags = (uint8_t)(sum >> {draw.randrange(8)});",
                f"state_{draw.randrange(6)} += sum ^ {draw.randrange(1 << 20)}u;",
                f"sum ^= curve[b % CURVE] << {draw.randrange(9)};",
                f"{unit}.trim -= (int32_t)(sum & {draw.randrange(1, 255)}u);",
            ]
        )
        lines.append(f"        case {at}: {action} break;")
    return [*lines, "        default: sum++; break;", "    }"]


def _loop(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    step = draw.choice(
        [
            "sum = (sum << 5) ^ (sum >> 27) ^ curve[at];",
            "ring[at % sizeof ring] = (uint8_t)(sum + at);",
            f"if (ring[at % sizeof ring] > {draw.randrange(200)}u) sum += at * {draw.randrange(2, 77)}u;",
            f"state_{draw.randrange(6)} ^= curve[at] + sum;",
        ]
    )
    return [
        f"    for (uint32_t at = b % {draw.randrange(2, 9)}u; at < CURVE; at += {draw.randrange(1, 5)}u) {{ {step} }}"
    ]


def _log(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    level = draw.choice(["AGENT_DEBUG", "AGENT_INFO", "AGENT_WARN"])
    words = f"{draw.choice(WORDS)} {draw.choice(WORDS)} {draw.choice(VERBS)}"
    call = f'agent_log({level}, "{words} at %u of %u", (unsigned)sum, (unsigned){unit}.rate);'
    return [f"    if (sum > {draw.randrange(1 << 31)}u) {call}"]


def _print(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    line = f'"{draw.choice(WORDS)} %s is %u", names[sum % NAMES], (unsigned)(sum & {draw.choice([255, 1023, 4095])}u)'
    return [f"    sum += (uint32_t)snprintf(text, sizeof text, {line});"]


def _text(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    return [
        draw.choice(
            [
                f'    if (strcmp(text, "{draw.choice(WORDS)}") == 0) sum += {draw.randrange(1 << 12)}u;',
                "    memmove(ring, ring + 3, sizeof ring - 3);",
                f'    if (strstr(text, "{draw.choice(VERBS)}") != NULL) {unit}.kind++;',
                "    sum += (uint32_t)strtoul(text, NULL, 10);",
                f"    memset(text, (int)(sum & 31u) + 64, {draw.randrange(4, 60)}u);",
            ]
        )
    ]


def _float(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    factor = draw.randrange(1, 4000) / 256
    return [
        draw.choice(
            [
                f"    {unit}.gain = {unit}.gain * {factor} + (double)sum;",
                f"    sum += (uint32_t)({unit}.gain / {factor});",
                f"    if ({unit}.gain > {factor}) {unit}.gain -= (double){unit}.trim;",
                f"    {unit}.trim = (int32_t)({unit}.gain - {factor});",
            ]
        )
    ]


def _fields(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    other = f"unit_{draw.randrange(MODULE_COUNT):02}"
    return [
        f"    {other}.rate = (uint16_t)({unit}.rate + sum);",
        f"    if ({other}.kind == {draw.randrange(9)}u && {unit}.flags != {draw.randrange(9)}u)"
        f" sum += {other}.level - {draw.randrange(1 << 16)}u;",
    ]


def _bits(draw: random.Random, unit: str, callees: list[Function]) -> list[str]:
    return [
        f"    sum ^= (sum >> {draw.randrange(1, 31)}) * {draw.randrange(1 << 32)}u;",
        f"    state_{draw.randrange(6)} = sum - (state_{draw.randrange(6)} << {draw.randrange(1, 12)});",
    ]


_STATEMENTS = (_call, _call, _call, _switch, _loop, _log, _log, _print, _text, _float, _fields, _fields, _bits)


def _main(shared: list[list[Function]]) -> str:
    runs = [f"m{number:02}_run" for number in range(len(shared))]
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */", '#include "large.h"', '#include "agent/agent.h"']
    lines += ["#include <stddef.h>", ""]
    lines += [f"uint32_t {name}(uint32_t a);" for name in runs]
    lines += [f"static uint32_t (*const runs[])(uint32_t) = {{{', '.join(runs)}}};", "static uint32_t turn;", ""]
    lines += ["/* newlib's printf refers to malloc, which is never called: there is no heap. */"]
    lines += ["void *_sbrk(ptrdiff_t size);", "void *_sbrk(ptrdiff_t size) { (void)size; return (void *)-1; }", ""]
    lines += ['void product_setup(void) { agent_log(AGENT_INFO, "large"); }', ""]
    lines += ["void product_loop(void) {", "    turn++;", "    (void)sensor_watch(runs[turn % MODULE_COUNT](turn));"]
    return "\n".join([*lines, "}", ""])
