# SPDX-License-Identifier: Apache-2.0
"""One test per rule of the F2 flash controller (PM0059)."""

from __future__ import annotations

import pytest

from muster.emulator import Device, RunReason
from tests.muster.emulator.machine import Bench

PGSERR, PGPERR, PGAERR, WRPERR, OPERR, EOP = 0x80, 0x40, 0x20, 0x10, 0x02, 0x01
SECTORS = [0x4000] * 4 + [0x10000] + [0x20000] * 7
STARTS = [0x08000000 + sum(SECTORS[:i]) for i in range(12)]
S11 = STARTS[11]


def word(device: Device, addr: int) -> int:
    return int.from_bytes(device.flash_bytes(addr, 4), "little")


def test_control_register_is_locked_after_reset(bench: Bench) -> None:
    m = bench.run("int main(void) { FLASH_CR = 0x201; OUT[0] = FLASH_CR; return 0; }")
    assert m.out(0) == 0x80000000


def test_two_keys_unlock_and_lock_bit_locks_again(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); OUT[0] = FLASH_CR; FLASH_CR = 1u << 31; OUT[1] = FLASH_CR;"
        " FLASH_CR = 1; OUT[2] = FLASH_CR; flash_unlock(); OUT[3] = FLASH_CR; return 0; }"
    )
    assert m.outs(4) == [0, 0x80000000, 0x80000000, 0]


@pytest.mark.parametrize("keys", [(0x12345678,), (0x45670123, 0x12345678), (0xCDEF89AB,), (0x45670123, 0x45670123)])
def test_wrong_key_is_a_bus_fault_and_locks_until_reset(bench: Bench, keys: tuple[int, ...]) -> None:
    writes = "".join(f"FLASH_KEYR = {key}u;" for key in keys)
    m = bench.run(
        "void on_busfault(void) { OUT[5]++; OUT[6] = SCB_CFSR; }\n"
        "int main(void) { SCB_SHCSR |= 1u << 17; OUT[0]++; if (OUT[0] == 1) {"
        + writes
        + " BARRIER(); SCB_SHCSR = 0; OUT[1] = FLASH_CR; }"
        " if (OUT[0] == 2) { flash_unlock(); OUT[3] = FLASH_CR; return 0; }"
        " OUT[2] = FLASH_CR; system_reset(); }"
    )
    assert m.outs(4) == [2, 0x80000000, 0x80000000, 0]
    assert m.out(5) == 1
    assert m.out(6) == 1 << 10


def test_keys_are_of_no_use_after_a_wrong_one(bench: Bench) -> None:
    m = bench.run(
        "void on_hardfault(void) { OUT[5]++; }\n"
        "int main(void) { FLASH_KEYR = 1; BARRIER(); flash_unlock(); BARRIER(); OUT[0] = FLASH_CR; return 0; }"
    )
    assert m.out(0) == 0x80000000
    assert m.out(5) >= 1


def test_program_writes_a_word_and_takes_16_us(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_CR = 0x201; REG(0xE0001000) = 1; uint32_t t = REG(0xE0001004);"
        " REG(0x08060000) = 0x12345678; OUT[0] = REG(0xE0001004) - t; OUT[1] = FLASH_SR; OUT[2] = REG(0x08060000);"
        " return 0; }"
    )
    assert 16 * 16 <= m.out(0) < 16 * 16 + 30
    assert m.out(1) == 0
    assert m.out(2) == 0x12345678 == word(m.device, 0x08060000)
    assert m.device.counters.programs == 1


def test_programming_clears_bits_and_never_sets_any(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); flash_program(0x08060000, 0xF0F0FFFF); flash_program(0x08060000, 0xFFFF1234);"
        " OUT[0] = REG(0x08060000); OUT[1] = FLASH_SR; return 0; }"
    )
    assert m.outs(2) == [0xF0F01234, 0]


@pytest.mark.parametrize(("psize", "ctype", "size"), [(0, "REG8", 1), (1, "REG16", 2), (2, "REG", 4)])
def test_each_parallelism_programs_its_own_width(bench: Bench, psize: int, ctype: str, size: int) -> None:
    m = bench.run(
        f"int main(void) {{ flash_unlock(); FLASH_CR = 1 | {psize} << 8; {ctype}(0x08060008) = 0x5A5A5A5A;"
        " OUT[0] = FLASH_SR; return 0; }"
    )
    assert m.out(0) == 0
    assert m.device.flash_bytes(0x08060008, 4) == b"\x5a" * size + b"\xff" * (4 - size)


@pytest.mark.parametrize(
    ("psize", "ctype"), [(2, "REG8"), (2, "REG16"), (0, "REG"), (1, "REG"), (0, "REG16"), (3, "REG")]
)
def test_another_width_than_psize_is_pgperr_and_writes_nothing(bench: Bench, psize: int, ctype: str) -> None:
    m = bench.run(
        f"int main(void) {{ flash_unlock(); FLASH_CR = 1 | {psize} << 8; {ctype}(0x08060000) = 0;"
        " OUT[0] = FLASH_SR; return 0; }"
    )
    assert m.out(0) == PGPERR
    assert m.device.flash_bytes(0x08060000, 4) == b"\xff" * 4
    assert m.device.counters.programs == 0


def test_word_across_a_16_byte_row_is_pgaerr(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_CR = 0x201; REG(0x0806000E) = 0; OUT[0] = FLASH_SR; return 0; }"
    )
    assert m.out(0) & PGAERR
    assert m.device.flash_bytes(0x08060000, 32) == b"\xff" * 32


@pytest.mark.parametrize("cr", ["0x200", "0x203", "0x205"])
def test_store_without_pg_alone_is_pgserr(bench: Bench, cr: str) -> None:
    m = bench.run(
        f"int main(void) {{ flash_unlock(); FLASH_CR = {cr}; REG(0x08060000) = 0; OUT[0] = FLASH_SR; return 0; }}"
    )
    assert m.out(0) == PGSERR
    assert m.device.flash_bytes(0x08060000, 4) == b"\xff" * 4


def test_store_while_locked_is_pgserr(bench: Bench) -> None:
    m = bench.run("int main(void) { REG(0x08060000) = 0; OUT[0] = FLASH_SR; OUT[1] = REG(0x08060000); return 0; }")
    assert m.outs(2) == [PGSERR, 0xFFFFFFFF]


def test_error_flags_clear_by_writing_one(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { REG(0x08060000) = 0; FLASH_SR = 0x70; OUT[0] = FLASH_SR; FLASH_SR = 0x80; OUT[1] = FLASH_SR;"
        " return 0; }"
    )
    assert m.outs(2) == [PGSERR, 0]


@pytest.mark.parametrize("sector", range(1, 12))
def test_sector_erase_clears_exactly_its_sector(bench: Bench, sector: int) -> None:
    m = bench.boot(f"int main(void) {{ flash_unlock(); flash_erase({sector}); OUT[0] = FLASH_SR; return 0; }}")
    start, size = STARTS[sector], SECTORS[sector]
    m.device.write_memory(start - 4, b"\x00" * (size + 4))
    if sector < 11:
        m.device.write_memory(start + size, b"\x00" * 4)
    before = m.device.time
    m.finish()
    assert m.out(0) == 0
    assert m.device.flash_bytes(start, size) == b"\xff" * size
    assert m.device.flash_bytes(start - 4, 4) == b"\x00" * 4
    if sector < 11:
        assert m.device.flash_bytes(start + size, 4) == b"\x00" * 4
    assert m.device.counters.erases == 1
    duration = {0x4000: 0.25, 0x10000: 0.55, 0x20000: 1.0}[size]
    assert duration <= m.device.time - before < duration + 0.01


@pytest.mark.parametrize(("psize", "seconds"), [(0, 2.0), (1, 1.3), (2, 1.0)])
def test_erase_takes_longer_with_less_parallelism(bench: Bench, psize: int, seconds: float) -> None:
    m = bench.run(
        f"int main(void) {{ flash_unlock(); FLASH_CR = 2 | 11 << 3 | {psize} << 8; FLASH_CR |= 1u << 16; return 0; }}"
    )
    assert seconds <= m.device.time < seconds + 0.01


def test_start_bit_clears_when_the_erase_is_over(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_CR = 0x202 | 5 << 3; FLASH_CR |= 1u << 16; OUT[0] = FLASH_CR;"
        " OUT[1] = FLASH_SR; return 0; }"
    )
    assert m.outs(2) == [0x202 | 5 << 3, 0]


@pytest.mark.parametrize("cr", ["0x200", "0x207 | 5 << 3", "0x206 | 5 << 3", "0x203 | 5 << 3", "0x202 | 12 << 3"])
def test_start_with_contradicting_bits_is_pgserr(bench: Bench, cr: str) -> None:
    m = bench.run(
        f"int main(void) {{ flash_unlock(); FLASH_CR = {cr}; FLASH_CR |= 1u << 16; OUT[0] = FLASH_SR; return 0; }}"
    )
    assert m.out(0) == PGSERR
    assert m.device.counters.flash_operations == 0


def test_mass_erase_clears_all_sectors(bench: Bench) -> None:
    # The program erases itself; what runs on is 0xFFFF...: no proof is needed but the flash itself.
    m = bench.boot("int main(void) { flash_unlock(); FLASH_CR = 0x204; FLASH_CR |= 1u << 16; return 0; }")
    m.device.write_memory(S11, b"\x00" * 100)
    m.device.run(9.0)
    assert m.device.flash_bytes(0x08000000, 0x100000) == b"\xff" * 0x100000


def test_eop_is_set_only_with_its_interrupt_enabled(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_CR = 0x201; REG(0x08060000) = 0; OUT[0] = FLASH_SR;"
        " FLASH_CR = 0x201 | 1u << 24; REG(0x08060004) = 0; OUT[1] = FLASH_SR; FLASH_SR = 1; OUT[2] = FLASH_SR; return"
        " 0; }"
    )
    assert m.outs(3) == [0, EOP, 0]


def test_end_of_operation_and_errors_interrupt(bench: Bench) -> None:
    m = bench.run(
        "void on_flash(void) { OUT[0]++; OUT[1] = FLASH_SR; FLASH_SR = 0xF3; }\n"
        "int main(void) { NVIC_ISER(0) = 1u << 4; flash_unlock(); FLASH_CR = 0x201 | 3u << 24; REG(0x08060000) = 0;"
        " BARRIER(); OUT[2] = OUT[1]; REG8(0x08060000) = 0; BARRIER(); return 0; }"
    )
    assert m.out(0) == 2
    assert m.out(2) == EOP
    assert m.out(1) == OPERR | PGPERR


def test_alias_at_zero_is_the_same_flash(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); flash_program(0x08060000, 0xCAFE1234); OUT[0] = REG(0x00060000);"
        " OUT[1] = REG(0x00000004) == REG(0x08000004); return 0; }"
    )
    assert m.outs(2) == [0xCAFE1234, 1]


def test_changed_code_runs_changed(bench: Bench) -> None:
    # movs r0,#1; bx lr -> erased and programmed as movs r0,#2; bx lr at the same address.
    m = bench.run(
        "int main(void) { uint32_t (*f)(void) = (uint32_t (*)(void))0x08060001; flash_unlock();"
        " flash_program(0x08060000, 0x47702001); OUT[0] = f(); flash_erase(7); flash_program(0x08060000, 0x47702002);"
        " OUT[1] = f(); return 0; }"
    )
    assert m.outs(2) == [1, 2]


# Option bytes


def test_option_register_shows_factory_settings_locked(bench: Bench) -> None:
    m = bench.run("int main(void) { OUT[0] = FLASH_OPTCR; FLASH_OPTCR = 0; OUT[1] = FLASH_OPTCR; return 0; }")
    assert m.outs(2) == [0x0FFFAAED, 0x0FFFAAED]


def test_wrong_option_key_locks_until_reset(bench: Bench) -> None:
    m = bench.run(
        "void on_hardfault(void) { }\n"
        "int main(void) { OUT[0]++; if (OUT[0] == 1) { FLASH_OPTKEYR = 5; BARRIER(); }"
        " FLASH_OPTKEYR = 0x08192A3B; FLASH_OPTKEYR = 0x4C5D6E7F; BARRIER(); OUT[OUT[0]] = FLASH_OPTCR & 1;"
        " if (OUT[0] == 1) system_reset(); return 0; }"
    )
    assert m.outs(3) == [2, 1, 0]


PROTECT_9 = (
    "FLASH_OPTKEYR = 0x08192A3B; FLASH_OPTKEYR = 0x4C5D6E7F; FLASH_OPTCR = 0x0FFFAAEC & ~(1u << (16 + 9));"
    " FLASH_OPTCR |= 2; FLASH_OPTCR |= 1; "
)


def test_write_protected_sector_refuses_program_and_erase(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); flash_program(0x080A0000, 0x11111111);"
        + PROTECT_9
        + "flash_program(0x080A0000, 0); OUT[0] = FLASH_SR; FLASH_SR = 0xF0; flash_erase(9); OUT[1] = FLASH_SR;"
        " FLASH_SR = 0xF0; FLASH_CR = 0x204; FLASH_CR |= 1u << 16; OUT[2] = FLASH_SR; FLASH_SR = 0xF0;"
        " flash_erase(10); OUT[3] = FLASH_SR; OUT[4] = REG(0x080A0000); return 0; }"
    )
    assert m.outs(5) == [WRPERR, WRPERR, WRPERR, 0, 0x11111111]


def test_option_bytes_survive_reset_and_power_cut_and_show_in_memory(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { if (FLASH_OPTCR == 0x0FFFAAED) {" + PROTECT_9 + "}"
        " OUT[0] = FLASH_OPTCR; OUT[1] = REG16(0x1FFFC008); OUT[2] = REG16(0x1FFFC000); return 0; }"
    )
    expected = [0x0DFFAAED, 0x0DFF, 0xAAEC]
    assert m.outs(3) == expected
    m.device.power_off()
    m.device.power_on()
    m.finish()
    assert m.outs(3) == expected
    assert m.device.counters.erases == 1


def test_writing_the_option_register_without_start_protects_nothing(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_OPTKEYR = 0x08192A3B; FLASH_OPTKEYR = 0x4C5D6E7F; FLASH_OPTCR = 0xAAEC;"
        " flash_program(0x080A0000, 0); OUT[0] = FLASH_SR; return 0; }"
    )
    assert m.out(0) == 0


# One-time programmable area and identity


def test_otp_is_programmed_by_clearing_bits_and_never_erased(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); flash_program(0x1FFF7800, 0xFFFF0000); flash_program(0x1FFF7800, 0x00FFFFFF);"
        " OUT[0] = REG(0x1FFF7800); OUT[1] = FLASH_SR; FLASH_CR = 0x204; return 0; }"
    )
    assert m.outs(2) == [0x00FF0000, 0]


def test_locked_otp_block_refuses(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { flash_unlock(); FLASH_CR = 1; REG8(0x1FFF7A01) = 0; FLASH_CR = 0x201; REG(0x1FFF7820) = 0;"
        " OUT[0] = FLASH_SR; OUT[1] = REG(0x1FFF7820); FLASH_SR = 0xF0; REG(0x1FFF7840) = 0; OUT[2] = FLASH_SR; return"
        " 0; }"
    )
    assert m.outs(3) == [WRPERR, 0xFFFFFFFF, 0]


def test_unique_id_and_flash_size_cannot_be_programmed(bench: Bench) -> None:
    device = bench.device(unique_id=bytes(range(1, 13)))
    device.load_hex(
        bench.compiler.hex_file(
            "int main(void) { for (int i = 0; i < 3; i++) OUT[i] = REG(0x1FFF7A10 + 4 * i); OUT[3] = REG16(0x1FFF7A22);"
            " OUT[4] = REG(0xE0042000); flash_unlock(); flash_program(0x1FFF7A10, 0); OUT[5] = FLASH_SR;"
            " OUT[6] = REG(0x1FFF7A10); return 0; }"
        )
    )
    device.power_on()
    assert device.run(0.1).reason is RunReason.TIME
    raw = device.read_memory(0x20000000, 28)
    assert raw[:12] == bytes(range(1, 13)) == device.unique_id
    assert raw[12:16] == (1024).to_bytes(4, "little")
    assert raw[16:20] == (0x20036411).to_bytes(4, "little")
    assert raw[20:24] == WRPERR.to_bytes(4, "little")
    assert raw[24:28] == bytes(range(1, 5))
