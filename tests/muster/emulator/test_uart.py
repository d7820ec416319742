# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from muster.emulator import RunReason, ViolationKind
from tests.muster.emulator.machine import Bench

ECHO = """
int main(void) { uart_init(); uart_puts("ready"); for (;;) { while (!(UART_SR & 0x20)); uart_put(UART_DR + 1); } }
"""
BYTE = 10 / 115200


def test_text_is_sent_at_the_pace_of_the_line(bench: Bench) -> None:
    m = bench.boot(ECHO)
    result = m.device.run_until("ready", 1.0)
    assert result.reason is RunReason.CONDITION
    assert m.device.uart(1).read() == b"ready"
    assert 5 * BYTE <= result.time < 5 * BYTE * 1.01 + 1e-4


def test_bytes_are_received_and_answered(bench: Bench) -> None:
    m = bench.boot(ECHO)
    m.device.run_until("ready", 1.0)
    m.device.uart(1).read()
    start = m.device.time
    m.device.uart(1).write(b"HAL" * 100)
    m.device.run_until("IBM" * 100, 1.0)
    assert m.device.uart(1).read() == b"IBM" * 100
    assert 301 * BYTE <= m.device.time - start < 301 * BYTE * 1.02
    assert m.device.counters.overruns == 0


@pytest.mark.parametrize(
    ("number", "base", "enable", "pins"),
    [
        (2, "0x40004400", "RCC_APB1ENR |= 1u << 17", "REG(0x40020000) |= 0xAu << 4; REG(0x40020020) |= 0x7700"),
        (3, "0x40004800", "RCC_APB1ENR |= 1u << 18", "REG(0x40020400) |= 0xAu << 20; REG(0x40020424) |= 0x7700"),
        (4, "0x40004C00", "RCC_APB1ENR |= 1u << 19", "REG(0x40020800) |= 0xAu << 20; REG(0x40020824) |= 0x8800"),
        (
            5,
            "0x40005000",
            "RCC_APB1ENR |= 1u << 20",
            "REG(0x40020800) |= 2u << 24; REG(0x40020824) |= 0x80000; REG(0x40020C00) |= 2u << 4;"
            " REG(0x40020C20) |= 0x800",
        ),
        (6, "0x40011400", "RCC_APB2ENR |= 1u << 5", "REG(0x40020800) |= 0xAu << 12; REG(0x40020820) |= 0x88000000"),
    ],
)
def test_every_uart_works_on_its_pins(bench: Bench, number: int, base: str, enable: str, pins: str) -> None:
    m = bench.boot(
        f"int main(void) {{ RCC_AHB1ENR |= 15; {enable}; {pins}; REG({base} + 8) = 139; REG({base} + 12) = 0x200C;"
        f" for (;;) {{ while (!(REG({base}) & 0x20)); REG({base} + 4) = REG({base} + 4) ^ 0x20; }} }}"
    )
    m.device.run(0.001)
    m.device.uart(number).write(b"a")
    m.device.run(0.001)
    assert m.device.uart(number).read() == b"A"


def test_without_its_pin_nothing_leaves_and_nothing_comes(bench: Bench) -> None:
    m = bench.boot(
        'int main(void) { RCC_APB2ENR |= 1u << 4; UART_BRR = 139; UART_CR1 = 0x200C; uart_puts("lost");'
        " for (int i = 0; i < 100000; i++) OUT[0] |= UART_SR & 0x20; return 0; }"
    )
    m.device.run(0.001)
    m.device.uart(1).write(b"x")
    m.finish()
    assert m.device.uart(1).read() == b""
    assert m.out(0) == 0
    assert [(v.kind, v.a) for v in m.device.violations] == [(ViolationKind.UART_PIN, 1)]


def test_status_follows_a_byte_on_its_way_out(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { uart_init(); OUT[0] = UART_SR; UART_DR = 'a'; OUT[1] = UART_SR; UART_DR = 'b'; OUT[2] ="
        " UART_SR;"
        " while (!(UART_SR & 0x80)); OUT[3] = UART_SR; while (!(UART_SR & 0x40)); OUT[4] = UART_SR; return 0; }"
    )
    assert m.outs(5) == [0xC0, 0x80, 0, 0x80, 0xC0]


def test_second_byte_over_a_full_data_register_is_reported(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { uart_init(); UART_DR = 'a'; UART_DR = 'b'; UART_DR = 'c'; while (!(UART_SR & 0x40)); return"
        " 0; }"
    )
    assert m.device.uart(1).read() == b"ac"
    assert [v.kind for v in m.device.violations] == [ViolationKind.UART_OVERWRITE]


def test_unread_byte_makes_the_next_overrun(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); OUT[0] = 1; while (!(UART_SR & 8)); OUT[1] = UART_SR & 0x28; OUT[2] = UART_DR;"
        " OUT[3] = UART_SR & 0x28; return 0; }"
    )
    m.device.run(0.001)
    m.device.uart(1).write(b"123")
    m.device.run(3.5 * BYTE)
    m.finish()
    # The first byte stays, the others are lost; SR then DR clears ORE.
    assert m.out(1) == 0x28
    assert m.out(2) == ord("1")
    assert m.device.counters.overruns >= 1


def test_overrun_clears_by_reading_status_then_data_only(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); for (volatile int i = 0; i < 2000; i++); OUT[0] = UART_DR; OUT[1] = UART_SR & 8;"
        " OUT[2] = UART_DR; OUT[3] = UART_SR & 8; return 0; }"
    )
    m.device.run(0.0001)
    m.device.uart(1).write(b"12")
    m.finish()
    assert m.outs(4) == [ord("1"), 8, ord("1"), 0]


def test_erase_stalls_the_cpu_and_bytes_overrun(bench: Bench) -> None:
    m = bench.boot(
        "void on_usart1(void) { uint32_t s = UART_SR; OUT[1] += (s & 8) != 0; OUT[2]++; OUT[3 + OUT[2]] = UART_DR; }\n"
        "int main(void) { uart_init(); UART_CR1 |= 0x20; NVIC_ISER(1) = 1u << 5; flash_unlock(); OUT[0] = 1;"
        " while (OUT[2] < 3) BARRIER(); flash_erase(5); return 0; }"
    )
    m.device.run_until(lambda: m.out(0) == 1, 1.0, poll=1e-5)
    m.device.uart(1).write(bytes(range(200)))
    m.finish()
    # Three bytes came before the erase of 1 s; of those during it one is in the data register, the rest lost.
    assert m.out(2) == 4
    assert m.out(7) == 3
    assert m.out(1) == 1
    assert m.device.counters.overruns == 196


def test_word_program_is_short_enough_to_lose_nothing(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); flash_unlock(); OUT[0] = 1; for (uint32_t i = 0; i < 50; i++) {"
        " while (!(UART_SR & 0x20)); flash_program(0x08060000 + 4 * i, UART_DR); } return 0; }"
    )
    m.device.run(0.001)
    m.device.uart(1).write(bytes(range(50)))
    m.finish()
    assert m.device.flash_bytes(0x08060000, 200)[::4] == bytes(range(50))
    assert m.device.counters.overruns == 0


@pytest.mark.parametrize("baud", [111_500, 118_500])
def test_baud_rates_within_4_percent_work(bench: Bench, baud: int) -> None:
    m = bench.boot(ECHO)
    m.device.uart(1).set_baud(baud)
    assert m.device.run_until("ready", 1.0).reason is RunReason.CONDITION
    m.device.uart(1).write(b"U")
    assert m.device.run_until("V", 0.1).reason is RunReason.CONDITION


@pytest.mark.parametrize("baud", [9600, 57600, 108_000, 122_000, 230_400])
def test_baud_rates_further_off_are_garbage_both_ways(bench: Bench, baud: int) -> None:
    m = bench.boot(
        'int main(void) { uart_init(); uart_puts("ready"); for (uint32_t i = 0;; i++) { while (!(UART_SR & 0x20));'
        " OUT[0] = i + 1; OUT[1] = UART_DR; } }"
    )
    m.device.uart(1).set_baud(baud)
    m.device.run(0.01)
    sent = m.device.uart(1).read()
    assert len(sent) == 5
    assert all(got != byte for got, byte in zip(sent, b"ready", strict=True))
    m.device.uart(1).write(b"A")
    m.device.run(0.01)
    assert m.out(0) == 1
    assert m.out(1) != ord("A")


def test_wrong_baud_shows_as_framing_error(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); OUT[0] = 1; while (!(UART_SR & 0x20)); OUT[1] = UART_SR & 2; return 0; }"
    )
    m.device.uart(1).set_baud(57600)
    m.device.run(0.001)
    m.device.uart(1).write(b"\x00")
    m.finish()
    assert m.out(1) == 2


def test_brr_and_apb_clock_make_the_baud_rate(bench: Bench) -> None:
    # 16 MHz / 4 on APB2, 26 * 16 + 1 sixteenths = 9592 baud.
    m = bench.boot('int main(void) { RCC_CFGR = 5u << 13; uart_init(); UART_BRR = 417; uart_puts("slow"); return 0; }')
    m.device.uart(1).set_baud(9600)
    assert m.device.run_until("slow", 1.0).time == pytest.approx(4 * 10 * 417 / 4e6, rel=0.03)


def test_oversampling_by_8(bench: Bench) -> None:
    # 16 MHz / 8 / 17.375 = 115107 baud: mantissa 17, fraction 3.
    m = bench.boot(
        'int main(void) { uart_init(); UART_CR1 |= 1u << 15; UART_BRR = 17 << 4 | 3; uart_puts("eight"); return 0; }'
    )
    assert m.device.run_until("eight", 1.0).reason is RunReason.CONDITION


def test_transmit_and_receive_interrupts(bench: Bench) -> None:
    m = bench.boot(
        'static const char *next = "interrupt";\n'
        "void on_usart1(void) { uint32_t s = UART_SR; if (s & 0x20) { OUT[0] = UART_DR; UART_CR1 |= 0x80; }"
        " if ((UART_CR1 & 0x80) && (s & 0x80)) { if (*next) UART_DR = (uint8_t)*next++; else UART_CR1 = (UART_CR1 &"
        " ~0x80u) | 0x40; }"
        " if ((UART_CR1 & 0x40) && (s & 0x40)) { UART_CR1 &= ~0x40u; OUT[1]++; } }\n"
        "int main(void) { uart_init(); UART_CR1 |= 0x20; NVIC_ISER(1) = 1u << 5; for (;;) WFI(); }"
    )
    m.device.run(0.001)
    m.device.uart(1).write(b"?")
    assert m.device.run_until("interrupt", 0.1).reason is RunReason.CONDITION
    m.device.run(0.001)
    assert m.outs(2) == [ord("?"), 1]


def test_idle_line_is_flagged_after_the_last_byte(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); OUT[0] = 1; while (!(UART_SR & 0x10)) if (UART_SR & 0x20) { OUT[1]++;"
        " (void)UART_DR; }"
        " (void)UART_DR; OUT[2] = UART_SR & 0x10; return 0; }"
    )
    m.device.run(0.001)
    m.device.uart(1).write(b"abc")
    m.finish()
    assert m.out(1) == 3
    assert m.out(2) == 0


def test_switching_the_uart_off_loses_the_byte_under_way(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { uart_init(); UART_DR = 'x'; UART_CR1 = 0; for (volatile int i = 0; i < 1000; i++); return 0;"
        " }"
    )
    assert m.device.uart(1).read() == b""


class Doubler:
    """Answers each byte twice and notes when it came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def receive(self, data: bytes, time: float) -> bytes:
        self.times.append(time)
        return data * 2


def test_peer_answers_at_the_pace_of_the_line(bench: Bench) -> None:
    m = bench.boot(
        "int main(void) { uart_init(); uart_put('a'); for (int i = 0; i < 2; i++) { while (!(UART_SR & 0x20)); OUT[i]"
        " = UART_DR; }"
        " return 0; }"
    )
    peer = Doubler()
    m.device.uart(1).attach(peer)
    m.finish()
    assert m.outs(2) == [ord("a")] * 2
    assert len(peer.times) == 1
    assert m.device.time >= peer.times[0] + 2 * BYTE


def test_error_in_a_peer_comes_out_of_run(bench: Bench) -> None:
    class Broken:
        def receive(self, data: bytes, time: float) -> bytes | None:
            raise LookupError("broken peer")

    m = bench.boot(ECHO)
    m.device.uart(1).attach(Broken())
    with pytest.raises(LookupError, match="broken peer"):
        m.device.run(1.0)


def test_timer_of_the_host_is_called_in_virtual_time(bench: Bench) -> None:
    m = bench.boot(ECHO)
    called: list[float] = []
    m.device.call_at(0.02, lambda: called.append(m.device.time))
    m.device.call_at(0.01, lambda: m.device.uart(1).write(b"A"))
    m.device.run(0.05)
    assert m.device.uart(1).read() == b"readyB"
    assert called == [pytest.approx(0.02, abs=1e-5)]
