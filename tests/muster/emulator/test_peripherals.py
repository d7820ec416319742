# SPDX-License-Identifier: Apache-2.0
"""SysTick, watchdogs, GPIO, EXTI, RNG, CRC, bit-band and cycle counter."""

from __future__ import annotations

import binascii

import pytest

from muster.emulator import ResetCause
from tests.muster.emulator.machine import Bench


def test_systick_counts_down_and_reloads(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { SYST_RVR = 999; SYST_CVR = 0; OUT[0] = SYST_CSR; SYST_CSR = 5; BARRIER(); uint32_t a ="
        " SYST_CVR;"
        " BARRIER(); uint32_t b = SYST_CVR; OUT[1] = a > b && a <= 999; OUT[2] = SYST_CSR >> 16; for (volatile int i ="
        " 0; i < 200; i++);"
        " OUT[3] = SYST_CSR >> 16; OUT[4] = SYST_CSR >> 16; return 0; }"
    )
    assert m.outs(5) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(("ctrl", "ticks"), [(7, 1000), (3, 125)])
def test_systick_interrupts_at_its_rate(bench: Bench, ctrl: int, ticks: int) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        f"int main(void) {{ SYST_RVR = 15999; SYST_CVR = 0; SYST_CSR = {ctrl}; for (;;); }}"
    )
    m.device.run(1.0005)
    assert m.out(0) == ticks


def test_systick_does_not_drift_under_load(bench: Bench) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { SYST_RVR = 159; SYST_CVR = 0; SYST_CSR = 7; for (volatile uint32_t i = 0;; i += i / 3 + 1); }"
    )
    m.device.run(1.0)
    assert 99_980 <= m.out(0) <= 100_000


def test_timer_shorter_than_its_handler_lets_the_program_go_on(bench: Bench) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { SYST_RVR = 9; SYST_CVR = 0; SYST_CSR = 7; for (;;) OUT[1]++; }"
    )
    m.device.run(0.01)
    assert m.out(0) > 100


def test_systick_follows_the_cpu_clock(bench: Bench) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { RCC_CFGR = 8u << 4; SYST_RVR = 7999; SYST_CVR = 0; SYST_CSR = 7; for (;;) WFI(); }"
    )
    m.device.run(1.0005)
    assert m.out(0) == 1000


def test_systick_goes_on_during_an_erase(bench: Bench) -> None:
    m = bench.run(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { SYST_RVR = 15999999; SYST_CVR = 0; SYST_CSR = 5; flash_unlock(); flash_erase(7);"
        " OUT[1] = SYST_CSR >> 16; return 0; }"
    )
    assert m.out(1) == 1


def test_cycle_counter_counts_cpu_cycles(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { REG(0xE0001004) = 0; REG(0xE0001000) = 1; flash_unlock(); flash_erase(1); OUT[0] ="
        " REG(0xE0001004);"
        " REG(0xE0001000) = 0; OUT[1] = REG(0xE0001004) - REG(0xE0001004); return 0; }"
    )
    assert m.out(0) == pytest.approx(0.25 * 16e6, rel=0.001)
    assert m.out(1) == 0


# Watchdogs


def test_watchdog_resets_after_its_time(bench: Bench) -> None:
    # 4 ms per tick (prescaler 128): 250 ticks are 1 s.
    m = bench.boot(
        "int main(void) { OUT[0]++; if (RCC_CSR & 1u << 29) { OUT[1] = RCC_CSR & 0xFE000000; return 0; } RCC_CSR |= 1u"
        " << 24;"
        " IWDG_KR = 0xCCCC; IWDG_KR = 0x5555; IWDG_PR = 5; IWDG_RLR = 249; while (IWDG_SR); IWDG_KR = 0xAAAA; for"
        " (;;); }"
    )
    m.finish()
    assert m.outs(2) == [2, 0x24000000]
    assert 1.0 < m.device.time < 1.005
    assert m.device.counters.resets[ResetCause.IWDG] == 1


def test_watchdog_that_is_fed_lets_live(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { IWDG_KR = 0xCCCC; for (int i = 0; i < 20; i++) { for (volatile int j = 0; j < 100000; j++);"
        " IWDG_KR = 0xAAAA; } return 0; }"
    )
    assert m.device.time > 1.0
    assert m.device.counters.boots == 1


def test_watchdog_cannot_be_stopped(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { OUT[0]++; RCC_CSR |= 1u << 24; IWDG_KR = 0xCCCC; IWDG_KR = 0; RCC_CSR &= ~1u; OUT[1] ="
        " RCC_CSR & 1;"
        " for (;;) WFI(); }"
    )
    m.device.run(2.0)
    assert m.out(0) == 4
    assert m.out(1) == 1


def test_watchdog_registers_need_the_unlock_key(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_CSR |= 1; IWDG_PR = 3; OUT[0] = IWDG_PR; IWDG_KR = 0x5555; IWDG_PR = 3; OUT[1] = IWDG_SR;"
        " while (IWDG_SR); OUT[2] = IWDG_PR; IWDG_KR = 0xAAAA; IWDG_RLR = 5; OUT[3] = IWDG_RLR; return 0; }"
    )
    assert m.outs(4) == [0, 1, 3, 0xFFF]


def test_watchdog_update_never_ends_without_its_clock(bench: Bench) -> None:
    m = bench.boot("int main(void) { IWDG_KR = 0x5555; IWDG_PR = 3; while (IWDG_SR); return 0; }")
    m.device.run(1.0)
    assert not m.done


def test_watchdog_gets_out_of_lockup(bench: Bench) -> None:
    m = bench.boot(
        "void on_hardfault(void) { (void)REG(0x60000000); }\n"
        "int main(void) { if (RCC_CSR & 1u << 29) return 0; IWDG_KR = 0xCCCC; (void)REG(0x60000000); return 0; }"
    )
    result = m.finish()
    assert m.device.time == pytest.approx(0.512, rel=0.01)
    assert result.fault is not None
    assert result.fault.lockup


def test_hardware_watchdog_option_starts_it_by_itself(bench: Bench) -> None:
    m = bench.boot("int main(void) { OUT[0]++; RCC_CSR |= 1u << 24; for (;;) WFI(); }")
    m.device.write_memory(0x1FFFC000, b"\xcc\xaa")
    m.device.power_off()
    m.device.power_on()
    m.device.run(1.2)
    assert m.out(0) == 3


def test_window_watchdog_resets_and_sets_its_flag(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { if (RCC_CSR & 1u << 30) { OUT[0] = RCC_CSR & 0xFE000000; return 0; } RCC_CSR |= 1u << 24;"
        " RCC_APB1ENR |= 1u << 11; REG(0x40002C04) = 0x7F | 3 << 7; REG(0x40002C00) = 0xFF; for (;;); }"
    )
    m.finish()
    assert m.out(0) == 0x44000000
    # 64 ticks of 8 * 4096 cycles of 16 MHz.
    assert m.device.time == pytest.approx(64 * 8 * 4096 / 16e6, rel=0.01)


def test_window_watchdog_fed_too_early_resets(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { if (RCC_CSR & 1u << 30) return 0; RCC_APB1ENR |= 1u << 11; REG(0x40002C00) = 0xFF;"
        " REG(0x40002C04) = 0x50; REG(0x40002C00) = 0xFF; for (;;); }"
    )
    m.finish()
    assert m.device.time < 0.002
    assert m.device.counters.resets[ResetCause.WWDG] == 1


def test_window_watchdog_interrupts_early(bench: Bench) -> None:
    m = bench.run(
        "void on_wwdg(void) { OUT[0]++; REG(0x40002C08) = 0; REG(0x40002C00) = 0xC1; }\n"
        "int main(void) { RCC_APB1ENR |= 1u << 11; NVIC_ISER(0) = 1; REG(0x40002C04) = 0x27F; REG(0x40002C00) = 0xC8;"
        " while (OUT[0] < 5); return 0; }"
    )
    assert m.device.counters.boots == 1


# Pins


def test_led_is_seen_from_outside(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { RCC_AHB1ENR |= 1; REG(0x40020000) = (REG(0x40020000) & ~(3u << 26)) | 1u << 26;"
        " for (int i = 0; i < 3; i++) { REG(0x40020018) = 1u << 13; for (volatile int j = 0; j < 100; j++);"
        " REG(0x40020018) = 1u << 29; for (volatile int j = 0; j < 100; j++); } return 0; }"
    )
    led = m.device.pin("PA13")
    changes: list[tuple[bool, float]] = []
    led.on_change(lambda level, time: changes.append((level, time)))
    assert led.level  # the debug pin's pull-up
    m.finish()
    assert [level for level, _ in changes] == [False, True, False, True, False, True, False][: len(changes)]
    assert len(changes) == 7
    assert sorted(time for _, time in changes) == [time for _, time in changes]
    assert not led.level


def test_inputs_read_what_drives_them_else_their_pull(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { RCC_AHB1ENR |= 4; REG(0x4002080C) = 1 << 4; OUT[0] = 1; while (!(REG(0x40020810) & 1));"
        " OUT[1] = REG(0x40020810); return 0; }"
    )
    m.device.pin("C1").drive(True)
    m.device.pin("C2").drive(False)
    m.device.run(0.001)
    m.device.pin("C2").drive(None)
    m.device.pin("C0").drive(True)
    m.finish()
    assert m.out(1) == 0b111


def test_open_drain_output_lets_go_when_high(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { RCC_AHB1ENR |= 4; REG(0x40020800) = 1; REG(0x40020804) = 1; REG(0x40020814) = 1; OUT[0] ="
        " REG(0x40020810) & 1;"
        " REG(0x40020814) = 0; OUT[1] = REG(0x40020810) & 1; REG(0x40020804) = 0; REG(0x40020814) = 1; OUT[2] ="
        " REG(0x40020810) & 1;"
        " return 0; }"
    )
    m.device.pin("C0").drive(False)
    m.finish()
    assert m.outs(3) == [0, 0, 1]


def test_halfword_writes_to_set_and_reset(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_AHB1ENR |= 4; REG16(0x40020818) = 0xF0; OUT[0] = REG(0x40020814); REG16(0x4002081A) ="
        " 0x30;"
        " OUT[1] = REG(0x40020814); REG(0x40020818) = 0x00010001; OUT[2] = REG(0x40020814); return 0; }"
    )
    assert m.outs(3) == [0xF0, 0xC0, 0xC1]


def test_edge_on_a_pin_interrupts_through_exti(bench: Bench) -> None:
    m = bench.boot(
        "void on_exti0(void) { OUT[0]++; REG(0x40013C14) = 1; }\n"
        "int main(void) { RCC_AHB1ENR |= 2; RCC_APB2ENR |= 1u << 14; REG(0x40013808) = 1; REG(0x40013C08) = 1;"
        " REG(0x40013C00) = 1;"
        " NVIC_ISER(0) = 1u << 6; for (;;) WFI(); }"
    )
    m.device.run(0.001)
    for level in (True, False, True):
        m.device.pin("B0").drive(level)
        m.device.pin("A0").drive(level)
        m.device.run(0.001)
    assert m.out(0) == 2


def test_exti_by_software(bench: Bench) -> None:
    m = bench.run(
        "void on_exti1(void) { OUT[0]++; REG(0x40013C14) = 2; }\n"
        "int main(void) { REG(0x40013C00) = 2; NVIC_ISER(0) = 1u << 7; REG(0x40013C10) = 2; BARRIER(); OUT[1] ="
        " REG(0x40013C14);"
        " return 0; }"
    )
    assert m.outs(2) == [1, 0]


# Numbers

PLL_48 = (
    "RCC_PLLCFGR = 16 | 240 << 6 | 1 << 16 | 5u << 24; RCC_CR |= 1u << 24; while (!(RCC_CR & 1u << 25)); RCC_AHB2ENR"
    " |= 1u << 6; "
)


def test_random_numbers_come_when_ready_and_follow_the_seed(bench: Bench) -> None:
    source = (
        "int main(void) { " + PLL_48 + "REG(0x50060800) = 4; OUT[4] = REG(0x50060804); for (int i = 0; i < 4; i++) {"
        " while (!(REG(0x50060804) & 1)); OUT[i] = REG(0x50060808); } OUT[5] = REG(0x50060804); return 0; }"
    )
    first, again, other = (bench.run(source, seed=seed) for seed in (1, 1, 2))
    assert first.outs(6) == again.outs(6)
    assert len({*first.outs(4), *other.outs(4)}) == 8
    assert first.outs(6)[4:] == [0, 0]


def test_random_generator_without_its_clock_shows_a_clock_error(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_AHB2ENR |= 1u << 6; REG(0x50060800) = 4; for (volatile int i = 0; i < 100; i++);"
        " OUT[0] = REG(0x50060804); OUT[1] = REG(0x50060808); RCC_AHB2ENR &= ~(1u << 6); "
        + PLL_48
        + " while (!(REG(0x50060804) & 1)); OUT[2] = REG(0x50060804); REG(0x50060804) = 0; OUT[3] = REG(0x50060804) &"
        " 0x66;"
        " return 0; }"
    )
    assert m.out(0) == 0x22
    assert m.out(1) == 0
    assert m.out(2) == 0x21
    assert m.out(3) == 0


def test_crc_unit_knows_the_ethernet_polynomial(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_AHB1ENR |= 1u << 12; REG(0x40023008) = 1; REG(0x40023000) = 0x12345678; OUT[0] ="
        " REG(0x40023000);"
        " REG(0x40023004) = 0x1AB; OUT[1] = REG(0x40023004); REG(0x40023008) = 1; OUT[2] = REG(0x40023000); return 0; }"
    )
    # The same polynomial as zlib's, with nothing reflected: reflect its input bits and its result.
    reflected = bytes(int(f"{byte:08b}"[::-1], 2) for byte in bytes.fromhex("12345678"))
    expected = int(f"{binascii.crc32(reflected) ^ 0xFFFFFFFF:032b}"[::-1], 2)
    assert m.outs(3) == [expected, 0xAB, 0xFFFFFFFF]


def test_bit_band_aliases(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { OUT[0] = 0; REG(0x22000000 + 5 * 4) = 1; REG(0x22000000 + 17 * 4) = 1; OUT[1] = OUT[0];"
        " OUT[2] = REG(0x22000000 + 17 * 4); REG(0x22000000 + 5 * 4) = 0; OUT[3] = OUT[0];"
        " REG(0x42000000 + 0x23830 * 32 + 2 * 4) = 1; OUT[4] = RCC_AHB1ENR & 7; OUT[5] = REG(0x42000000 + 0x23830 * 32"
        " + 8); return 0; }"
    )
    assert m.outs(6)[1:] == [1 << 5 | 1 << 17, 1, 1 << 17, 4, 1]


def test_cpu_says_what_it_is(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { OUT[0] = REG(0xE000ED00); OUT[1] = REG(0xE000E004); OUT[2] = REG(0xE000ED90); return 0; }"
    )
    assert m.outs(3) == [0x412FC230, 2, 0]
