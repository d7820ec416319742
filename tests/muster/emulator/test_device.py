# SPDX-License-Identifier: Apache-2.0
"""Running, snapshots and determinism."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from intelhex import IntelHex

from muster.emulator import CutMode, Device, OutsideMemory, RunReason
from tests.muster.emulator.machine import Bench

if TYPE_CHECKING:
    from pathlib import Path

BUSY = """
static volatile uint32_t ticks;
void on_systick(void) { ticks++; }
void on_usart1(void) { if (UART_SR & 0x20) UART_DR = UART_DR ^ ticks; }
int main(void) {
    RCC_CR |= 1u << 24; while (!(RCC_CR & 1u << 25)); RCC_AHB2ENR |= 1u << 6; REG(0x50060800) = 4;
    uart_init(); UART_CR1 |= 0x20; NVIC_ISER(1) = 1u << 5;
    SYST_RVR = 1600; SYST_CVR = 0; SYST_CSR = 7;
    flash_unlock(); flash_erase(7);
    for (uint32_t i = 0; i < 500; i++) {
        while (!(REG(0x50060804) & 1));
        flash_program(0x08060000 + 4 * i, REG(0x50060808) ^ ticks);
        OUT[0] = i;
    }
    return 0;
}
"""


def fingerprint(device: Device) -> tuple[object, ...]:
    return (
        device.time,
        device.counters,
        device.registers,
        hashlib.sha256(device.read_memory(0x08000000, 0x100000)).hexdigest(),
        hashlib.sha256(device.read_memory(0x20000000, 0x20000)).hexdigest(),
        device.uart(1).read(),
    )


def drive(device: Device, pieces: int) -> None:
    device.uart(1).write(b"some bytes from the host" * 3)
    for _ in range(pieces):
        device.run(1.2 / pieces)


def test_same_seed_and_inputs_give_the_same_run(bench: Bench) -> None:
    prints = []
    for seed in (7, 7, 8):
        m = bench.boot(BUSY, seed=seed)
        drive(m.device, 3)
        prints.append(fingerprint(m.device))
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]


def test_pauses_of_the_host_do_not_change_the_run(bench: Bench) -> None:
    prints = []
    for pieces in (1, 8, 64):
        m = bench.boot(BUSY)
        drive(m.device, pieces)
        m.finish()
        prints.append(fingerprint(m.device)[3])
    assert prints[0] == prints[1] == prints[2]


def test_snapshot_restores_the_whole_device(bench: Bench) -> None:
    m = bench.boot(BUSY)
    m.device.uart(1).write(b"on the wire" * 50)
    m.device.run(1.005)
    snapshot = m.device.snapshot()
    m.device.run(0.1)
    first = fingerprint(m.device)
    m.device.write_memory(0x08080000, b"rubbish")
    m.device.power_off()
    for _ in range(2):
        m.device.restore(snapshot)
        m.device.run(0.1)
        assert fingerprint(m.device) == first


def test_snapshot_moves_to_another_device(bench: Bench) -> None:
    m = bench.boot(BUSY)
    m.device.run(1.005)
    snapshot = m.device.snapshot()
    other = bench.device(seed=99)
    other.power_on()
    other.run(0.001)
    other.restore(snapshot)
    m.device.run(0.05)
    other.run(0.05)
    assert fingerprint(other) == fingerprint(m.device)


def test_restore_brings_back_code_that_was_changed(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uint32_t (*f)(void) = (uint32_t (*)(void))0x08060001; flash_unlock();"
        " flash_program(0x08060000, 0x47702003); OUT[0] = f(); OUT[1] = 1; while (OUT[1]) BARRIER(); OUT[0] = f();"
        " flash_program(0x08060000, 0x47702001); OUT[0] = f(); OUT[1] = 2; for (;;) OUT[0] = f(); }"
    )
    m.device.run_until(lambda: m.out(1) == 1, 1.0)
    snapshot = m.device.snapshot()
    assert m.out(0) == 3
    m.device.write_memory(0x20000004, b"\0\0\0\0")
    m.device.run(0.001)
    assert m.outs(2) == [1, 2]
    m.device.restore(snapshot)
    m.device.write_memory(0x08060000, bytes.fromhex("09207047"))
    m.device.write_memory(0x20000004, b"\0\0\0\0")
    m.device.run(0.001)
    assert m.outs(2) == [1, 2]
    m.device.restore(snapshot)
    assert m.device.flash_bytes(0x08060000, 4) == bytes.fromhex("03207047")


def test_every_flash_operation_can_be_cut_from_one_snapshot(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { flash_unlock(); for (uint32_t i = 0; i < 20; i++) flash_program(0x08060000 + 4 * i, i);"
        " return 0; }"
    )
    snapshot = m.device.snapshot()
    m.finish()
    total = m.device.counters.flash_operations
    assert total == 20
    for n in range(1, total + 1):
        m.device.restore(snapshot)
        m.device.cut_power_at_flash_operation(n, CutMode.CLEAN)
        assert m.device.run(1.0).reason is RunReason.POWER_CUT
        words = m.device.flash_bytes(0x08060000, 80)
        assert words == b"".join(i.to_bytes(4, "little") for i in range(n - 1)) + b"\xff" * 4 * (21 - n)


def test_restore_disarms_cuts(bench: Bench) -> None:
    m = bench.boot("int main(void) { flash_unlock(); flash_program(0x08060000, 0); return 0; }")
    snapshot = m.device.snapshot()
    m.device.cut_power_at_flash_operation(1)
    m.device.cut_power_at(0.00001)
    m.device.restore(snapshot)
    m.finish()


def test_run_until_a_function_says_so(bench: Bench) -> None:
    m = bench.boot("int main(void) { for (;;) OUT[0]++; }")
    result = m.device.run_until(lambda: m.out(0) > 100_000, 1.0)
    assert result.reason is RunReason.CONDITION
    assert m.device.run_until(lambda: False, 0.01).reason is RunReason.TIME
    assert m.device.run_until("never", 0.01).reason is RunReason.TIME


def test_run_ends_on_time(bench: Bench) -> None:
    m = bench.boot("int main(void) { for (;;) OUT[0]++; }")
    for seconds in (0.0, 1e-6, 0.01, 0.3):
        before = m.device.time
        result = m.device.run(seconds)
        assert result.time == m.device.time
        assert before + seconds <= result.time < before + seconds + 1e-5


def test_callback_may_stop_the_run_but_not_run_the_device(bench: Bench) -> None:
    m = bench.boot('int main(void) { uart_init(); for (;;) uart_puts("tick"); }')
    end = m.device.uart(1).watch(b"tick", m.device.stop)
    assert m.device.run(1.0).reason is RunReason.CONDITION
    assert m.device.time < 0.01
    end()

    def run_again() -> None:
        m.device.run(1.0)

    m.device.uart(1).watch(b"tick", run_again)
    with pytest.raises(RuntimeError, match="callbacks must not run"):
        m.device.run(1.0)


def test_self_loop_costs_the_same_as_running_it(bench: Bench) -> None:
    # `b .` is skipped, a loop of one more instruction is not: both must count time and instructions alike.
    skipped = bench.boot('int main(void) { __asm volatile("b ."); return 0; }')
    walked = bench.boot('int main(void) { __asm volatile("1: nop\\n b 1b"); return 0; }')
    for m in (skipped, walked):
        m.device.run(0.001)
    start = [m.device.counters.instructions for m in (skipped, walked)]
    for m in (skipped, walked):
        m.device.run(0.1)
    one, two = (m.device.counters.instructions - n for m, n in zip((skipped, walked), start, strict=True))
    assert one == pytest.approx(0.1 * 16e6 / 3, rel=0.001)
    assert two == pytest.approx(0.1 * 16e6 / 4 * 2, rel=0.001)


def test_closed_device_says_so(bench: Bench) -> None:
    device = bench.device()
    uart, pin = device.uart(1), device.pin("A0")
    device.close()
    device.close()
    for use in (device.power_on, lambda: device.run(1.0), uart.read, lambda: pin.level, device.snapshot):
        with pytest.raises(ValueError, match="the device is closed"):
            use()


def test_jump_to_another_program_with_its_own_stack(bench: Bench) -> None:
    m = bench.run(
        'void app(void) { uint32_t sp; __asm volatile("mov %0, sp" : "=r"(sp)); OUT[0] = sp; done(); }\n'
        'int main(void) { __asm volatile("msr msp, %0\\n bx %1" :: "r"(0x20008000), "r"(app)); return 0; }'
    )
    assert 0x20008000 - 64 <= m.out(0) <= 0x20008000


@pytest.mark.parametrize("target", [0xFFFFFFFE, 0xFFFFFFF9, 0xF0000000, 0xA0000000, 0xE000E000])
def test_jump_into_nowhere_faults_and_does_not_hang(bench: Bench, target: int) -> None:
    m = bench.run(
        "void on_hardfault(void) { OUT[0] = SCB_CFSR; done(); }\n"
        f'int main(void) {{ __asm volatile("bx %0" :: "r"({target}u | 1)); return 0; }}'
    )
    assert m.out(0) == 1


def test_hex_outside_memory_is_refused(bench: Bench) -> None:
    image = IntelHex()
    image.puts(0x080FFFFE, b"abcd")
    with pytest.raises(OutsideMemory):
        bench.device().load_hex(image)


def test_memory_access_is_bounded(bench: Bench) -> None:
    device = bench.device()
    for addr, length in ((0x08100000, 1), (0x07FFFFFF, 2), (0x2001FFFF, 2), (0xFFFFFFFF, 2), (-1, 1)):
        with pytest.raises(OutsideMemory):
            device.read_memory(addr, length)
    with pytest.raises(OutsideMemory):
        device.flash_bytes(0x20000000, 1)
    assert device.flash_bytes(0x08000000, 0x100000) == b"\xff" * 0x100000


def test_unique_id_is_drawn_from_the_seed_when_none_is_given(bench: Bench) -> None:
    ids = [bench.device(seed=seed).unique_id for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(ValueError, match="12 bytes"):
        bench.device(unique_id=b"short")


def test_unknown_pin_and_uart_are_refused(bench: Bench) -> None:
    device = bench.device()
    for name in ("A16", "J1", "", "PA"):
        with pytest.raises(ValueError, match="no such pin"):
            device.pin(name)
    with pytest.raises(KeyError):
        device.uart(7)


def test_flash_can_be_erased_from_outside(bench: Bench, tmp_path: Path) -> None:
    device = bench.device(flash_file=tmp_path / "flash")
    device.write_memory(0x08001000, b"abc")
    device.erase_flash()
    assert device.flash_bytes(0x08001000, 3) == b"\xff" * 3
