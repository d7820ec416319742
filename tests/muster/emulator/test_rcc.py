# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.emulator import Board, ResetCause, ViolationKind
from tests.muster.emulator.machine import Bench

# 26 MHz / 26 * 240 / 2 = 120 MHz, the Photon's setting; APB1 30 MHz, APB2 60 MHz.
PLL_120 = """
static void pll_on(uint32_t latency) {
    RCC_CR |= 1u << 16; while (!(RCC_CR & 1u << 17));
    RCC_PLLCFGR = 26 | 240 << 6 | 0 << 16 | 1u << 22 | 5u << 24;
    RCC_CR |= 1u << 24; while (!(RCC_CR & 1u << 25));
    FLASH_ACR = 0x700 | latency;
    RCC_CFGR = 5u << 10 | 4u << 13 | 2;
    while ((RCC_CFGR & 0xC) != 8);
}
"""


def test_starts_on_the_internal_oscillator(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { OUT[0] = RCC_CR; OUT[1] = RCC_PLLCFGR; OUT[2] = RCC_CFGR; OUT[3] = FLASH_ACR; return 0; }"
    )
    assert m.outs(4) == [0x83, 0x24003010, 0, 0]
    assert m.device.hclk_hz == 16_000_000


def test_pll_runs_at_120_mhz_after_real_start_up_times(bench: Bench) -> None:
    m = bench.run(PLL_120 + "int main(void) { pll_on(3); OUT[0] = RCC_CR; return 0; }")
    assert m.device.hclk_hz == 120_000_000
    assert m.out(0) & 0x03030003 == 0x03030003
    assert m.device.time > 2e-3
    assert m.device.violations == []


@pytest.mark.parametrize("latency", [0, 1, 2])
def test_too_few_wait_states_are_reported(bench: Bench, latency: int) -> None:
    m = bench.run(PLL_120 + f"int main(void) {{ pll_on({latency}); return 0; }}")
    assert [(v.kind, v.a, v.b) for v in m.device.violations] == [(ViolationKind.FLASH_LATENCY, latency, 120_000_000)]


def test_lowering_wait_states_at_speed_is_reported(bench: Bench) -> None:
    m = bench.run(PLL_120 + "int main(void) { pll_on(3); FLASH_ACR = 0x702; return 0; }")
    assert [v.kind for v in m.device.violations] == [ViolationKind.FLASH_LATENCY]


def test_buses_and_pll_out_of_range_are_reported(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { FLASH_ACR = 7; RCC_PLLCFGR = 16 | 260 << 6 | 0 << 16; RCC_CR |= 1u << 24;"
        " while (!(RCC_CR & 1u << 25)); RCC_CFGR = 2; BARRIER();"
        " RCC_CFGR = 0; BARRIER(); RCC_CR &= ~(1u << 24); RCC_PLLCFGR = 2 | 20 << 6; RCC_CR |= 1u << 24; return 0; }"
    )
    kinds = {v.kind: v.a for v in m.device.violations}
    assert kinds == {
        ViolationKind.HCLK_RANGE: 130_000_000,
        ViolationKind.APB1_RANGE: 130_000_000,
        ViolationKind.APB2_RANGE: 130_000_000,
        ViolationKind.PLL_RANGE: 8_000_000,
    }


def test_missing_crystal_never_gets_ready(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_CR |= 1u << 16; for (int i = 0; i < 100000; i++) BARRIER(); OUT[0] = RCC_CR >> 16;"
        " RCC_CFGR = 1; BARRIER(); OUT[1] = RCC_CFGR & 0xC; return 0; }",
        board=Board(hse_hz=0),
    )
    assert m.outs(2) == [1, 0]


def test_clock_in_use_cannot_be_switched_off(bench: Bench) -> None:
    m = bench.run(
        PLL_120 + "int main(void) { RCC_CR &= ~1u; OUT[0] = RCC_CR & 3; pll_on(3); RCC_CR = 0x80;"
        " OUT[1] = RCC_CR & 0x03030000; OUT[2] = RCC_CR & 3; return 0; }"
    )
    assert m.outs(3) == [3, 0x03030000, 0]


def test_pll_cannot_be_changed_while_on(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_PLLCFGR = 16 | 240 << 6; RCC_CR |= 1u << 24; RCC_PLLCFGR = 16 | 200 << 6;"
        " OUT[0] = RCC_PLLCFGR; return 0; }"
    )
    assert m.out(0) == 16 | 240 << 6


def test_low_speed_oscillator_gets_ready_after_it_is_switched_on(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { OUT[0] = RCC_CSR & 3; RCC_CSR |= 1; OUT[1] = RCC_CSR & 3; while (!(RCC_CSR & 2)); OUT[2] = 1;"
        " RCC_CSR &= ~1u; OUT[3] = RCC_CSR & 3; return 0; }"
    )
    assert m.outs(4) == [0, 1, 1, 0]


def test_reset_flags_say_power_on_once_removed_and_software(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { uint32_t n = OUT[0]++; OUT[1 + n] = RCC_CSR & 0xFE000000; if (n != 1) RCC_CSR |= 1u << 24;"
        " OUT[8] = RCC_CSR & 0xFE000000; if (n < 2) system_reset(); return 0; }"
    )
    # POR, PIN, BOR; then software and pin, not removed; then the same flags again.
    assert m.outs(4) == [3, 0x0E000000, 0x14000000, 0x14000000]
    assert m.out(8) == 0
    assert m.device.counters.resets == {
        ResetCause.POWER_ON: 1,
        ResetCause.PIN: 0,
        ResetCause.SOFTWARE: 2,
        ResetCause.IWDG: 0,
        ResetCause.WWDG: 0,
    }
    assert m.device.counters.boots == 3


def test_flags_gather_until_removed(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { OUT[0]++; OUT[1] = RCC_CSR & 0xFE000000; if (OUT[0] == 1) system_reset(); return 0; }"
    )
    assert m.out(1) == 0x1E000000


def test_reset_pin_sets_its_flag_alone(bench: Bench) -> None:
    m = bench.run("int main(void) { OUT[1] = RCC_CSR & 0xFE000000; RCC_CSR |= 1u << 24; return 0; }")
    m.device.write_memory(0x200003FC, b"\0" * 4)
    m.device.reset_pin()
    m.finish()
    assert m.out(1) == 0x04000000
    assert m.device.counters.resets[ResetCause.PIN] == 1


def test_peripheral_without_clock_reads_zero_and_ignores_writes(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { UART_BRR = 139; OUT[0] = UART_BRR | UART_SR; RCC_APB2ENR |= 1u << 4; OUT[1] = UART_BRR;"
        " OUT[2] = UART_SR; UART_BRR = 139; OUT[3] = UART_BRR; RCC_APB2ENR = 0; OUT[4] = UART_BRR; return 0; }"
    )
    assert m.outs(5) == [0, 0, 0xC0, 139, 0]


def test_peripheral_reset_bit_resets_it(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_APB2ENR |= 1u << 4; UART_BRR = 139; REG(RCC + 0x24) = 1u << 4; REG(RCC + 0x24) = 0;"
        " OUT[0] = UART_BRR; OUT[1] = UART_SR; return 0; }"
    )
    assert m.outs(2) == [0, 0xC0]


def test_backup_domain_control_needs_write_access(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_APB1ENR |= 1u << 28; RCC_BDCR = 1; OUT[0] = RCC_BDCR; PWR_CR |= 1u << 8; RCC_BDCR = 1;"
        " OUT[1] = RCC_BDCR; while (!(RCC_BDCR & 2)); OUT[2] = 1; return 0; }"
    )
    assert m.outs(3) == [0, 1, 1]
    assert 2.0 <= m.device.time < 2.1
