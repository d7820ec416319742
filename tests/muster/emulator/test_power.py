# SPDX-License-Identifier: Apache-2.0
"""Power: what is lost, what stays, and what a cut does to the flash operation it strikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from muster.emulator import Board, CutMode, ResetCause, RunReason
from tests.muster.emulator.machine import Bench

if TYPE_CHECKING:
    from pathlib import Path

ERASE_AND_PROGRAM = """
int main(void) {
    flash_unlock();
    if (REG(0x08060000) == 0x11223344) return 0;
    flash_erase(7);
    flash_program(0x08060000, 0x0000FFFF);
    flash_program(0x08060004, 0);
    return 0;
}
"""


def test_device_is_off_at_first(bench: Bench) -> None:
    device = bench.device()
    assert not device.powered
    assert device.run(1.0).reason is RunReason.OFF
    assert device.time == 0


def test_ram_holds_seeded_noise_after_power_on(bench: Bench) -> None:
    first, second, other = (bench.device(seed=seed) for seed in (5, 5, 6))
    for device in (first, second, other):
        device.power_on()
    ram = [device.read_memory(0x20000000, 0x20000) for device in (first, second, other)]
    assert ram[0] == ram[1] != ram[2]
    assert len(set(ram[0])) == 256


def test_ram_survives_a_reset_and_not_a_power_cycle(bench: Bench) -> None:
    m = bench.run("int main(void) { OUT[1]++; return 0; }")
    m.device.write_memory(0x20010000, b"keep me")
    m.device.reset_pin()
    m.device.run(0.01)
    assert m.device.read_memory(0x20010000, 7) == b"keep me"
    m.device.power_off()
    assert m.device.run(1.0).reason is RunReason.OFF
    m.device.power_on()
    assert m.device.read_memory(0x20010000, 7) != b"keep me"
    assert m.device.counters.resets[ResetCause.POWER_ON] == 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_clean_cut_leaves_out_the_nth_operation(bench: Bench, n: int) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    m.device.write_memory(0x08060000, b"\x55" * 0x20000)
    m.device.cut_power_at_flash_operation(n, CutMode.CLEAN)
    result = m.device.run(5.0)
    assert result.reason is RunReason.POWER_CUT
    assert not m.device.powered
    expected = [b"\x55" * 8, b"\xff" * 8, b"\xff\xff\x00\x00" + b"\xff" * 4][n - 1]
    assert m.device.flash_bytes(0x08060000, 8) == expected
    assert m.device.counters.cuts == 1
    assert m.device.run(1.0).reason is RunReason.OFF


def test_torn_erase_leaves_a_mixture(bench: Bench) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    old = bytes(range(256)) * 512
    m.device.write_memory(0x08060000, old)
    m.device.cut_power_at_flash_operation(1, CutMode.TORN)
    assert m.device.run(5.0).reason is RunReason.POWER_CUT
    torn = m.device.flash_bytes(0x08060000, len(old))
    words = [(torn[i : i + 4], old[i : i + 4]) for i in range(0, len(old), 4)]
    assert all(new | before == new for now, then in words for new, before in zip(now, then, strict=True))
    assert any(now == then for now, then in words)
    assert any(now == b"\xff" * 4 for now, _ in words)
    assert any(now not in (then, b"\xff" * 4) for now, then in words)


def test_torn_program_clears_only_bits_that_should_clear(bench: Bench) -> None:
    seen = set()
    for seed in range(8):
        m = bench.boot(ERASE_AND_PROGRAM, seed=seed)
        m.device.cut_power_at_flash_operation(2, CutMode.TORN)
        assert m.device.run(5.0).reason is RunReason.POWER_CUT
        word = int.from_bytes(m.device.flash_bytes(0x08060000, 4), "little")
        assert word & 0xFFFF == 0xFFFF
        seen.add(word)
    assert len(seen) > 4
    assert not seen & {0x0000FFFF, 0xFFFFFFFF}


def test_torn_outcome_is_decided_by_the_seed(bench: Bench) -> None:
    outcomes = []
    for seed in (3, 3, 4):
        m = bench.boot(ERASE_AND_PROGRAM, seed=seed)
        m.device.write_memory(0x08060000, b"\x00" * 0x20000)
        m.device.cut_power_at_flash_operation(1, CutMode.TORN)
        m.device.run(5.0)
        outcomes.append(m.device.flash_bytes(0x08060000, 0x20000))
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_no_store_gets_through_after_the_cut(bench: Bench) -> None:
    # Both stores are in one block of code: the second comes after power is gone.
    m = bench.boot(
        "int main(void) { flash_unlock(); FLASH_CR = 0x201; REG(0x08060000) = 0; REG(0x08060004) = 0; uart_init();"
        " return 0; }"
    )
    m.device.cut_power_at_flash_operation(1)
    assert m.device.run(1.0).reason is RunReason.POWER_CUT
    assert m.device.flash_bytes(0x08060000, 8) == b"\xff" * 8
    assert m.device.counters.programs == 1


def test_device_boots_again_after_a_cut(bench: Bench) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    m.device.cut_power_at_flash_operation(2)
    m.device.run(5.0)
    m.device.power_on()
    m.finish()
    assert m.device.flash_bytes(0x08060000, 8) == b"\xff\xff\x00\x00" + b"\x00" * 4
    counters = m.device.counters
    assert (counters.erases, counters.programs) == (2, 3)
    assert (counters.erases_since_power_on, counters.programs_since_power_on) == (1, 2)
    assert counters.boots == 2


def test_disarmed_cut_does_not_strike(bench: Bench) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    m.device.cut_power_at_flash_operation(1)
    m.device.cut_power_at_flash_operation(0)
    m.finish()
    assert m.device.powered


def test_cut_between_two_runs_is_not_reported_by_a_later_one(bench: Bench) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    m.device.run(0.1)
    m.device.cut_power_now()
    assert m.device.run(1.0).reason is RunReason.OFF
    m.device.power_on()
    assert m.device.run(0.001).reason is RunReason.TIME
    assert m.device.counters.cuts == 1


def test_cut_at_a_time_tears_the_erase_under_way(bench: Bench) -> None:
    m = bench.boot(ERASE_AND_PROGRAM)
    m.device.write_memory(0x08060000, b"\x00" * 0x20000)
    m.device.cut_power_at(0.5)
    result = m.device.run(2.0)
    assert result.reason is RunReason.POWER_CUT
    assert result.time == 0.5
    torn = m.device.flash_bytes(0x08060000, 0x20000)
    assert torn not in (b"\x00" * 0x20000, b"\xff" * 0x20000)


def test_watchdog_in_the_middle_of_an_erase_tears_it(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { if (RCC_CSR & 1u << 29) return 0; IWDG_KR = 0xCCCC; flash_unlock(); flash_erase(7); for"
        " (;;); }"
    )
    m.device.write_memory(0x08060000, b"\x00" * 0x20000)
    m.finish()
    assert 0.5 < m.device.time < 0.6
    torn = m.device.flash_bytes(0x08060000, 0x20000)
    assert torn not in (b"\x00" * 0x20000, b"\xff" * 0x20000)


def test_cut_when_a_text_appears(bench: Bench) -> None:
    m = bench.boot('int main(void) { uart_init(); uart_puts("one two three"); return 0; }')
    m.device.cut_power_on_text("two")
    assert m.device.run(1.0).reason is RunReason.POWER_CUT
    assert m.device.uart(1).read() == b"one two"
    m.device.power_on()
    m.finish()
    assert m.device.uart(1).read().startswith(b"one two thre")


def test_torn_option_bytes_keep_the_read_protection(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { FLASH_OPTKEYR = 0x08192A3B; FLASH_OPTKEYR = 0x4C5D6E7F; FLASH_OPTCR = 0xAAEC; FLASH_OPTCR |="
        " 2;"
        " return 0; }"
    )
    m.device.cut_power_at_flash_operation(1, CutMode.TORN)
    assert m.device.run(1.0).reason is RunReason.POWER_CUT
    assert m.device.read_memory(0x1FFFC000, 2) == b"\xec\xaa"
    nwrp = int.from_bytes(m.device.read_memory(0x1FFFC008, 2), "little")
    assert nwrp not in (0, 0xFFF)


BACKUP = """
int main(void) {
    RCC_APB1ENR |= 1u << 28; RCC_AHB1ENR |= 1u << 18;
    OUT[1] = REG(0x40002850); OUT[2] = REG(0x4000289C); OUT[3] = REG(0x40024010);
    REG(0x40002850) = 1; REG(0x40024010) = 1; OUT[4] = REG(0x40002850); OUT[5] = REG(0x40024010) == 1;
    PWR_CR |= 1u << 8; PWR_CSR |= 1u << 9;
    REG(0x40002850) = 0x1234; REG(0x4000289C) = 0x5678; REG(0x40024010) = 0x9ABC; OUT[6] = REG(0x40002850);
    return 0;
}
"""


def test_backup_registers_need_write_access_and_survive_resets(bench: Bench) -> None:
    m = bench.run(BACKUP)
    assert m.outs(7)[1:3] == [0, 0]
    assert m.outs(7)[4:] == [0, 0, 0x1234]
    m.device.write_memory(0x200003FC, b"\0" * 4)
    m.device.reset_pin()
    m.finish()
    assert m.outs(5)[1:] == [0x1234, 0x5678, 0x9ABC, 0x1234]


@pytest.mark.parametrize("battery", [False, True])
def test_backup_domain_survives_a_power_cycle_with_a_battery_alone(bench: Bench, battery: bool) -> None:
    m = bench.run(BACKUP, board=Board(battery=battery))
    m.device.power_off()
    m.device.power_on()
    m.finish()
    kept = [0x1234, 0x5678, 0x9ABC]
    assert (m.outs(4)[1:] == kept) is battery
    assert battery or m.outs(3)[1:] == [0, 0]


def test_backup_domain_reset_clears_the_registers(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { RCC_APB1ENR |= 1u << 28; PWR_CR |= 1u << 8; REG(0x40002850) = 7; RCC_BDCR = 1u << 16;"
        " RCC_BDCR = 0;"
        " OUT[0] = REG(0x40002850); return 0; }"
    )
    assert m.out(0) == 0


def test_flash_file_keeps_flash_otp_and_options(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    unique_id = bytes(range(12))
    source = (
        "int main(void) { OUT[0] = REG(0x08060000); OUT[1] = REG(0x1FFF7800); OUT[2] = FLASH_OPTCR; flash_unlock();"
        " flash_program(0x08060000, 0x12345678); flash_program(0x1FFF7800, 0x87654321);"
        " FLASH_OPTKEYR = 0x08192A3B; FLASH_OPTKEYR = 0x4C5D6E7F; FLASH_OPTCR = 0x07FFAAEC; FLASH_OPTCR |= 2; return"
        " 0; }"
    )
    from muster.emulator import Device, FlashFileError

    with Device(path, unique_id=unique_id) as device:
        device.load_hex(bench.compiler.hex_file(source))
        device.power_on()
        device.run(1.0)
        with pytest.raises(FlashFileError, match="another emulated device uses it"):
            Device(path)
    with pytest.raises(FlashFileError, match="another unique id"):
        Device(path, unique_id=bytes(12))
    with Device(path) as device:
        assert device.unique_id == unique_id
        device.power_on()
        device.run(1.0)
        raw = device.read_memory(0x20000000, 12)
    assert raw == b"".join(word.to_bytes(4, "little") for word in (0x12345678, 0x87654321, 0x07FFAAED))


def test_file_that_is_no_flash_is_refused(bench: Bench, tmp_path: Path) -> None:
    from muster.emulator import FlashFileError

    path = tmp_path / "letter.txt"
    path.write_text("Dear device")
    with pytest.raises(FlashFileError, match="wrong size"):
        bench.device(flash_file=path)
    assert path.read_text() == "Dear device"
