# SPDX-License-Identifier: Apache-2.0
"""What turns libraries into a firmware: start-up code, an application that uses them, and stand-ins for the rest.

All of it is derived from the libraries' function names, so a function that two versions share is used alike in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_START = """\
/* Start-up code of a training image. */
#include <stdint.h>
#include <string.h>
extern uint32_t ld_stack_top, ld_data_start, ld_data_end, ld_data_load, ld_bss_start, ld_bss_end;
extern void (*ld_init_start[])(void), (*ld_init_end[])(void);
int main(void);
void fault_report(uint32_t number);
void reset_handler(void);
static void __attribute__((noinline)) halt(void) { for (;;) { __asm volatile("wfi"); } }
static void unexpected(void) {
    uint32_t number;
    __asm volatile("mrs %0, ipsr" : "=r"(number));
    fault_report(number);
    halt();
}
void reset_handler(void) {
    memcpy(&ld_data_start, &ld_data_load, (size_t)((char *)&ld_data_end - (char *)&ld_data_start));
    memset(&ld_bss_start, 0, (size_t)((char *)&ld_bss_end - (char *)&ld_bss_start));
    for (void (**init)(void) = ld_init_start; init < ld_init_end; init++) { (*init)(); }
    (void)main();
    halt();
}
__attribute__((section(".vectors"), used)) void (*const vectors[97])(void) = {
    (void (*)(void))(uintptr_t)&ld_stack_top, reset_handler, [2 ... 96] = unexpected};
"""

_MODULE_PREFIX = """\
__attribute__((section(".vectors.prefix"), used)) const uint32_t module_prefix[6] = {
    0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
"""

SCRIPT = """\
MEMORY {{ flash (rx) : ORIGIN = {base:#x}, LENGTH = 2M  ram (rwx) : ORIGIN = {ram:#x}, LENGTH = 1M }}
ENTRY(reset_handler)
SECTIONS {{
  .text : {{ KEEP(*(.vectors)) KEEP(*(.vectors.prefix)) {order} KEEP(*(.init)) KEEP(*(.fini)) . = ALIGN(4); }} > flash
  .init_array : {{
    ld_init_start = .; KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*))) KEEP(*(.init_array)) ld_init_end = .;
  }} > flash
  .ARM.extab : {{ *(.ARM.extab*) }} > flash
  .ARM.exidx : {{ __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; . = ALIGN(8); }} > flash
  .data : {{ ld_data_start = .; *(.data .data.*) . = ALIGN(8); ld_data_end = .; }} > ram AT > flash
  ld_data_load = LOADADDR(.data);
  .bss (NOLOAD) : {{ ld_bss_start = .; *(.bss .bss.* COMMON) . = ALIGN(8); ld_bss_end = .; end = .; }} > ram
  ld_stack_top = {ram:#x} + 0x1fff8;
  /DISCARD/ : {{ *(.comment) *(.ARM.attributes) *(.note*) }}
}}
"""
"""Link script: {base} and {ram} are addresses, {order} one of the two below."""

CODE_THEN_CONSTANTS = "*(.text .text.*) *(.rodata .rodata.*)"
INTERLEAVED = "*(.text .text.* .rodata .rodata.*)"

_WORDS = """
    alarm backup channel display engine filter gateway heater inverter journal keypad lock motor network outlet pump
    queue relay sensor timer update valve watchdog zone battery cloud door event flow group host input
""".split()  # noqa: SIM905 - words, not a table of strings


def start_source(module_prefix: bool) -> str:
    """C; `module_prefix` leaves room for Particle's module prefix after the vector table."""
    return _START + _MODULE_PREFIX if module_prefix else _START


def application_source(functions: Sequence[str], version: str) -> str:
    """A C program that calls some of the functions, keeps some in tables of commands, and reports its version.

    Args:
        functions: link names.
    """
    called = [name for name in functions if _dice(name, "use") < 45]
    tabled = [name for name in functions if 45 <= _dice(name, "use") < 60]
    lines = ["/* Application of a training image. */", "#include <stdint.h>", "#include <stddef.h>"]
    lines += ["typedef intptr_t any;", f'const char firmware_version[] = "{version}";']
    lines += ["static volatile any results[64];", "static uint32_t failures;", "extern int puts(const char *);"]
    for name in sorted({*called, *tabled}):
        lines.append(f'extern any {_link_name(name)}(any, any, any, any) __asm__("{name}");')
    lines.append(
        "static __attribute__((noinline)) void note(const char *what, any value)"
        " { if (value < 0) { failures++; puts(what); } results[(uintptr_t)value & 63] = value; }"
    )
    tasks: list[str] = []
    for start in range(0, len(called), 9):
        group = called[start : start + 9]
        task = f"task_{_link_name(group[0])}"
        tasks.append(task)
        lines.append(f"static __attribute__((noinline)) any {task}(any a, any b) {{")
        lines.append(f"    any r = a + {_dice(group[0], 'seed')};")
        lines += [_call(name) for name in group]
        lines.append("    return r;")
        lines.append("}")
    lines.append(
        "struct command { const char *name; any (*run)(any, any, any, any); uint16_t id; uint16_t arguments; };"
    )
    lines.append("static const struct command commands[] = {")
    for name in tabled:
        word = _WORDS[_dice(name, "word") % len(_WORDS)]
        lines.append(
            f'    {{"{word}.{name[-14:]}", {_link_name(name)}, {_dice(name, "id") * 7}, {_dice(name, "n") % 4}}},'
        )
    lines.append("    {0, 0, 0, 0}};")
    lines.append("void fault_report(uint32_t number) { results[0] = (any)number; failures++; puts(firmware_version); }")
    lines.append("int main(void) {")
    lines.append("    any r = 1;")
    lines.append("    puts(firmware_version);")
    lines += [f"    r += {task}(r, {number});" for number, task in enumerate(tasks)]
    lines.append("    for (const struct command *c = commands; c->name; c++)")
    lines.append("        if (c->arguments == (r & 3)) note(c->name, c->run(r, c->id, r >> 4, 0));")
    lines.append("    return (int)failures;")
    lines.append("}")
    return "\n".join(lines) + "\n"


def kept(functions: Sequence[str], share: int) -> list[str]:
    """The functions that an image asks for: `share` percent, the same ones every time."""
    return [name for name in functions if _dice(name, "keep") < share]


def stub_source(names: Sequence[str]) -> str:
    """Stand-ins for functions that no library of the image defines: operating system, drivers, allocator."""
    lines = ["/* Stand-ins of a training image. */", "#include <stdint.h>", "static volatile uint32_t port[128];"]
    for name in names:
        body = (
            "return -1;",
            f"port[{_dice(name, 'port')}] = (uint32_t)a; return 0;",
            f"if (a < 0) return -22; port[{_dice(name, 'port')}] = (uint32_t)b; return a;",
            f"while (port[{_dice(name, 'port')}] & 1u) {{ }} return (int)port[3];",
        )[_dice(name, "body") % 4]
        symbol = _link_name(name)
        lines.append(f'int {symbol}(int a, int b) __asm__("{name}");')
        lines.append(f"int {symbol}(int a, int b) {{ (void)a; (void)b; {body} }}")
    return "\n".join(lines) + "\n"


def _call(name: str) -> str:
    symbol = _link_name(name)
    first = ("r", "a", "b", "(any)&results[3]")[_dice(name, "first") % 4]
    second = ("b", str(_dice(name, "second")), "r", "(any)firmware_version")[_dice(name, "kind") % 4]
    if _dice(name, "style") < 60:
        return f"    r = {symbol}({first}, {second}, 0, {_dice(name, 'last') * 5}); if (r < 0) return r;"
    word = _WORDS[_dice(name, "word") % len(_WORDS)]
    return f'    note("{word} {name[:18]} failed", {symbol}({first}, {second}, r, 1));'


def _link_name(name: str) -> str:
    """A C name of our own: link names may hold what C does not allow."""
    return "f_" + "".join(c if c.isalnum() else "_" for c in name)


def _dice(name: str, purpose: str) -> int:
    """0 to 99, always the same for a name and a purpose."""
    return int.from_bytes(hashlib.sha256(f"{purpose}:{name}".encode()).digest()[:4], "big") % 100
