# SPDX-License-Identifier: Apache-2.0
"""Exceptions, priorities, faults and lockup (ARMv7-M section B1.5)."""

from __future__ import annotations

import pytest

from muster.emulator import RunReason
from tests.muster.emulator.machine import Bench

CALL_SVC = '__asm volatile("svc 7" ::: "memory")'


def test_svc_stacks_the_frame_of_its_caller(bench: Bench) -> None:
    m = bench.run(
        """
        __attribute__((naked)) void on_svc(void) {
            __asm volatile("mov r0, sp\\n mov r1, lr\\n b svc_body");
        }
        void svc_body(uint32_t *frame, uint32_t lr) {
            for (int i = 0; i < 8; i++) OUT[i] = frame[i];
            OUT[8] = lr; OUT[9] = (uint32_t)frame & 7; OUT[10] = ((uint16_t *)frame[6])[-1]; frame[0] = 0x55;
        }
        int main(void) {
            register uint32_t r0 __asm("r0") = 1, r1 __asm("r1") = 2, r2 __asm("r2") = 3, r3 __asm("r3") = 4;
            register uint32_t ip __asm("r12") = 5;
            __asm volatile("svc 7" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(ip) : "memory");
            OUT[11] = r0;
            return 0;
        }
        """
    )
    assert m.outs(5) == [1, 2, 3, 4, 5]
    assert m.out(7) & 0x010001FF == 0x01000000
    assert m.outs(12)[8:] == [0xFFFFFFF9, 0, 0xDF07, 0x55]


def test_thread_on_the_process_stack_returns_to_it(bench: Bench) -> None:
    m = bench.run(
        """
        void on_svc(void) {
            uint32_t lr, psp;
            __asm volatile("mov %0, lr\\n mrs %1, psp" : "=r"(lr), "=r"(psp));
            OUT[0] = lr; OUT[1] = psp;
        }
        __attribute__((naked)) int main(void) {
            __asm volatile("ldr r0, =0x20010000\\n msr psp, r0\\n movs r0, #2\\n msr control, r0\\n isb\\n"
                           "svc 1\\n mov r1, sp\\n ldr r2, =0x20000008\\n str r1, [r2]\\n mrs r1, control\\n str r1,"
                           " [r2, #4]\\n"
                           "b done_c\\n");
        }
        void done_c(void) { done(); }
        """
    )
    assert m.outs(4) == [0xFFFFFFFD, 0x20010000 - 32, 0x20010000, 2]


def test_stack_is_aligned_to_8_on_entry_and_restored(bench: Bench) -> None:
    m = bench.run(
        """
        __attribute__((naked)) void on_svc(void) {
            __asm volatile("ldr r0, =0x20000000\\n mov r1, sp\\n str r1, [r0]\\n bx lr");
        }
        int main(void) {
            uint32_t before, after;
            __asm volatile("mov r4, sp\\n bic %0, r4, #7\\n subs %0, #4\\n mov sp, %0\\n svc 1\\n"
                           "mov %1, sp\\n mov sp, r4"
                           : "=&r"(before), "=&r"(after) :: "memory", "r0", "r1", "r4");
            OUT[1] = before; OUT[2] = after;
            return 0;
        }
        """
    )
    inside, before, after = m.outs(3)
    assert before % 8 == 4
    assert inside == before - 4 - 32
    assert after == before


EXTI = """
static void note(uint32_t what) { OUT[1 + OUT[0]] = what; OUT[0]++; }
static void pend(uint32_t irq) { NVIC_ISPR(0) = 1u << irq; BARRIER(); }
static void enable(uint32_t p0, uint32_t p1, uint32_t p2) {
    NVIC_IPR8(6) = p0; NVIC_IPR8(7) = p1; NVIC_IPR8(8) = p2; NVIC_ISER(0) = 7u << 6;
}
"""


def test_higher_priority_nests_and_lower_waits(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti0(void) { note(0x10); pend(7); note(0x11); pend(8); note(0x12); }\n"
        "void on_exti1(void) { note(0x20); }\nvoid on_exti2(void) { note(0x30); }\n"
        "int main(void) { enable(0x80, 0xC0, 0x40); pend(6); note(0x40); return 0; }"
    )
    assert m.outs(7) == [6, 0x10, 0x11, 0x30, 0x12, 0x20, 0x40]


def test_equal_priorities_go_by_number_and_do_not_nest(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti1(void) { note(1); NVIC_ISPR(0) = 1u << 8; NVIC_ISPR(0) = 1u << 6; BARRIER(); note(2); }\n"
        "void on_exti0(void) { note(3); }\nvoid on_exti2(void) { note(4); }\n"
        "int main(void) { enable(0x40, 0x40, 0x40); pend(7); return 0; }"
    )
    assert m.outs(5) == [4, 1, 2, 3, 4]


def test_priority_grouping_makes_subpriorities_wait(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti0(void) { note(1); pend(7); note(2); }\nvoid on_exti1(void) { note(3); }\n"
        "int main(void) { SCB_AIRCR = 0x05FA0000 | 6 << 8; enable(0x60, 0x40, 0); pend(6); return 0; }"
    )
    assert m.outs(4) == [3, 1, 2, 3]


def test_tail_chaining_keeps_the_stack_frame(bench: Bench) -> None:
    m = bench.run(
        EXTI + "static uint32_t sp(void) { return (uint32_t)__builtin_frame_address(0); }\n"
        '__attribute__((naked)) void on_exti0(void) { __asm volatile("mov r0, sp\\n mov r1, lr\\n b body0"); }\n'
        "__attribute__((used)) void body0(uint32_t s, uint32_t lr) { NVIC_ISPR(0) = 1u << 7; BARRIER(); OUT[0] = s;"
        " OUT[1] = lr; }\n"
        '__attribute__((naked)) void on_exti1(void) { __asm volatile("mov r0, sp\\n mov r1, lr\\n b body1"); }\n'
        "__attribute__((used)) void body1(uint32_t s, uint32_t lr) { OUT[2] = s; OUT[3] = lr; }\n"
        "int main(void) { (void)sp; enable(0x40, 0x40, 0); pend(6); return 0; }"
    )
    assert m.out(0) == m.out(2)
    assert m.out(1) == m.out(3) == 0xFFFFFFF9


def test_four_priority_bits_are_kept(bench: Bench) -> None:
    m = bench.run(
        "int main(void) { REG(0xE000E404) = 0xFFFFFFFF; OUT[0] = REG(0xE000E404); SCB_SHPR8(11) = 0x3F; OUT[1] ="
        " SCB_SHPR8(11); return 0; }"
    )
    assert m.outs(2) == [0xF0F0F0F0, 0x30]


def test_primask_holds_interrupts_back_until_it_opens(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti0(void) { note(2); }\n"
        'int main(void) { enable(0, 0, 0); __asm volatile("cpsid i"); pend(6); note(1); for (volatile int i = 0; i <'
        " 100; i++);"
        ' note(9); __asm volatile("cpsie i\\n isb"); note(3); return 0; }'
    )
    assert m.outs(5) == [4, 1, 9, 2, 3]


def test_basepri_masks_its_priority_and_below(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti0(void) { note(1); }\nvoid on_exti1(void) { note(2); }\n"
        'int main(void) { enable(0x40, 0x80, 0); __asm volatile("msr basepri, %0" :: "r"(0x80)); pend(7); pend(6);'
        " note(3);"
        ' __asm volatile("msr basepri, %0\\n isb" :: "r"(0)); note(4); return 0; }'
    )
    assert m.outs(5) == [4, 1, 3, 2, 4]


def test_faultmask_is_cleared_on_return_from_an_exception(bench: Bench) -> None:
    m = bench.run(
        'void on_svc(void) { __asm volatile("cpsid f"); uint32_t f; __asm volatile("mrs %0, faultmask" :'
        ' "=r"(f)); OUT[0] = f; }\n'
        "int main(void) { " + CALL_SVC + '; uint32_t f; __asm volatile("mrs %0, faultmask" : "=r"(f)); OUT[1] = f;'
        " return 0; }"
    )
    assert m.outs(2) == [1, 0]


def test_pendsv_waits_for_interrupts(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_pendsv(void) { note(2); }\n"
        "void on_exti0(void) { SCB_ICSR = 1u << 28; BARRIER(); note(1); }\n"
        "int main(void) { SCB_SHPR8(14) = 0xF0; enable(0, 0, 0); pend(6); note(3); return 0; }"
    )
    assert m.outs(4) == [3, 1, 2, 3]


def test_pending_can_be_cleared_and_active_is_shown(bench: Bench) -> None:
    m = bench.run(
        EXTI + "void on_exti0(void) { OUT[10] = REG(0xE000E300); OUT[11] = SCB_ICSR & 0x1FF; }\n"
        "int main(void) { NVIC_ISPR(0) = 3u << 6; OUT[12] = NVIC_ISPR(0); NVIC_ICPR(0) = 2u << 6; OUT[13] ="
        " NVIC_ISPR(0);"
        " enable(0, 0, 0); BARRIER(); OUT[14] = NVIC_ISPR(0); return 0; }"
    )
    assert [m.out(i) for i in range(10, 15)] == [1 << 6, 16 + 6, 3 << 6, 1 << 6, 0]


def test_vector_table_can_be_moved(bench: Bench) -> None:
    m = bench.run(
        "static uint32_t table[128] __attribute__((aligned(512)));\nstatic void mine(void) { OUT[0] = 42; }\n"
        "int main(void) { for (int i = 0; i < 97; i++) table[i] = REG(4 * i); table[11] = (uint32_t)mine;"
        " SCB_VTOR = (uint32_t)table; " + CALL_SVC + "; OUT[1] = SCB_VTOR == (uint32_t)table; return 0; }"
    )
    assert m.outs(2) == [42, 1]


def test_interrupt_in_an_it_block_resumes_in_it(bench: Bench) -> None:
    # SysTick fires at every 41 cycles all through conditional code; the sums must come out right.
    m = bench.run(
        "static volatile uint32_t ticks; void on_systick(void) { ticks++; }\n"
        "int main(void) { SYST_RVR = 40; SYST_CVR = 0; SYST_CSR = 7; uint32_t a = 0, b = 0; for (uint32_t i = 0; i <"
        " 20000; i++) {"
        ' __asm volatile("tst %2, #1\\n itete eq\\n addeq %0, #1\\n addne %1, #3\\n addeq %0, #1\\n addne %1, #4"'
        ' : "+r"(a), "+r"(b) : "r"(i) : "cc"); } OUT[0] = a; OUT[1] = b; OUT[2] = ticks; return 0; }'
    )
    assert m.outs(2) == [20000, 70000]
    assert m.out(2) > 1000


# Faults

CATCH = """
__attribute__((naked)) void on_hardfault(void) { __asm volatile("mov r0, sp\\n movs r1, #3\\n b caught"); }
__attribute__((naked)) void on_memfault(void) { __asm volatile("mov r0, sp\\n movs r1, #4\\n b caught"); }
__attribute__((naked)) void on_busfault(void) { __asm volatile("mov r0, sp\\n movs r1, #5\\n b caught"); }
__attribute__((naked)) void on_usagefault(void) { __asm volatile("mov r0, sp\\n movs r1, #6\\n b caught"); }
__attribute__((used)) void caught(uint32_t *frame, uint32_t which) {
    OUT[0] = which; OUT[1] = SCB_CFSR; OUT[2] = SCB_HFSR; OUT[3] = SCB_BFAR; OUT[4] = frame[6]; OUT[5] = frame[7];
    done();
}
static void all(void) { SCB_SHCSR = 7u << 16; }
"""
FAULTS = [
    ("load from nowhere", "(void)REG(0x60000000)", 5, 0x8200),
    ("store to nowhere", "REG(0x30000000) = 1", 5, 0x8200),
    ("undefined instruction", '__asm volatile("udf #1")', 6, 1 << 16),
    ("jump to ARM state", '__asm volatile("ldr r0, =0x08000100\\n bx r0" ::: "r0")', 6, 1 << 17),
    ("jump to a peripheral", '__asm volatile("ldr r0, =0x40000001\\n bx r0" ::: "r0")', 4, 1),
    ("jump to nowhere", '__asm volatile("ldr r0, =0x60000001\\n bx r0" ::: "r0")', 5, 1 << 8),
    ("coprocessor", '__asm volatile(".inst.w 0xEE010F10")', 6, 1 << 19),
]


@pytest.mark.parametrize(("what", "code", "exception", "cfsr"), FAULTS, ids=[f[0] for f in FAULTS])
def test_fault_has_its_own_handler_when_enabled(bench: Bench, what: str, code: str, exception: int, cfsr: int) -> None:
    m = bench.run(CATCH + f"int main(void) {{ all(); {code}; return 0; }}")
    assert m.out(0) == exception
    assert m.out(1) == cfsr
    assert m.out(2) == 0
    fault = m.device.faults[-1]
    assert (fault.exception, fault.cfsr, fault.lockup) == (exception, cfsr, False)
    assert fault.pc == m.out(4)


@pytest.mark.parametrize(("what", "code", "exception", "cfsr"), FAULTS, ids=[f[0] for f in FAULTS])
def test_fault_escalates_to_hardfault_when_not_enabled(
    bench: Bench, what: str, code: str, exception: int, cfsr: int
) -> None:
    m = bench.run(CATCH + f"int main(void) {{ {code}; return 0; }}")
    assert m.outs(3) == [3, cfsr, 1 << 30]


def test_bus_fault_tells_address_and_instruction(bench: Bench) -> None:
    m = bench.run(
        CATCH + 'int main(void) { all(); uint32_t here; __asm volatile("adr %0, 1f\\n str %0, [%1, #40]\\n'
        ' ldr r0, =0x60001234\\n .align 2\\n 1: ldr r0, [r0]"'
        ' : "=&r"(here) : "r"(OUT) : "r0", "memory"); return 0; }'
    )
    assert m.out(3) == 0x60001234
    assert m.out(4) == m.out(10)


def test_divide_by_zero_gives_zero_unless_trapped(bench: Bench) -> None:
    m = bench.run(
        CATCH + "__attribute__((noinline, noclone)) static uint32_t divide(uint32_t a, uint32_t b) {"
        ' __asm volatile("" : "+r"(b)); return a / b; }\n'
        "int main(void) { OUT[9] = 1 + divide(100, 0); all(); SCB_CCR |= 1u << 4; OUT[10] = divide(7, 1);"
        " OUT[11] = divide(7, 0); OUT[12] = 1; return 0; }"
    )
    assert m.out(9) == 1
    assert m.out(10) == 7
    assert m.out(12) == 0
    assert m.outs(2) == [6, 1 << 25]


def test_breakpoint_without_debugger_is_a_hardfault(bench: Bench) -> None:
    m = bench.run(CATCH + 'int main(void) { __asm volatile("bkpt #0"); return 0; }')
    assert (m.out(0), m.out(2)) == (3, 1 << 31)


def test_svc_inside_a_handler_of_equal_priority_is_a_hardfault(bench: Bench) -> None:
    m = bench.run(CATCH + "void on_svc(void) { " + CALL_SVC + "; }\nint main(void) { " + CALL_SVC + "; return 0; }")
    assert (m.out(0), m.out(2)) == (3, 1 << 30)


def test_bad_exception_return_is_invpc(bench: Bench) -> None:
    m = bench.run(
        CATCH + 'void on_svc(void) { __asm volatile("ldr r0, =0xFFFFFFF1\\n bx r0" ::: "r0"); }\n'
        "int main(void) { all(); " + CALL_SVC + "; return 0; }"
    )
    assert m.outs(2) == [6, 1 << 18]


def test_overflowing_stack_is_a_stacking_error_and_then_lockup(bench: Bench) -> None:
    m = bench.boot(
        'int main(void) { __asm volatile("ldr r0, =0x20000010\\n mov sp, r0\\n svc 1" ::: "r0"); return 0; }'
    )
    # The first stacking fails, HardFault is entered without a frame, and its first push fails again.
    result = m.device.run(1.0)
    first = next(f for f in m.device.faults if not f.lockup)
    assert first.exception == 3
    assert first.cfsr & 1 << 12
    assert result.fault is not None


def test_fault_in_hardfault_is_lockup_with_registers_and_stack(bench: Bench) -> None:
    m = bench.boot(
        "void on_hardfault(void) { (void)REG(0x60000000); }\nint main(void) { (void)REG(0x60000000); return 0; }"
    )
    result = m.device.run(0.5)
    assert result.reason is RunReason.LOCKUP
    assert result.time == pytest.approx(0.5, abs=1e-5)
    assert result.fault is not None
    assert result.fault.lockup
    assert result.fault.registers[16] & 0x1FF == 3
    assert len(result.fault.stack) == 10  # so many words lie between sp and the end of RAM
    assert "lockup" in str(result.fault)
    before = m.device.counters.instructions
    assert m.device.run(1.0).reason is RunReason.LOCKUP
    assert m.device.counters.instructions == before


def test_empty_flash_locks_up_at_once(bench: Bench) -> None:
    device = bench.device()
    device.power_on()
    result = device.run(0.01)
    assert result.reason is RunReason.LOCKUP
    assert result.fault is not None


def test_reset_pin_leaves_lockup(bench: Bench) -> None:
    m = bench.boot(
        "void on_hardfault(void) { (void)REG(0x60000000); }\nint main(void) { RCC_CSR |= 1u << 24; if (OUT[0]++ == 0)"
        " (void)REG(0x60000000); return 0; }"
    )
    assert m.device.run(0.1).reason is RunReason.LOCKUP
    m.device.reset_pin()
    m.finish()
    assert m.out(0) == 2


def test_fault_registers_clear_by_writing_ones(bench: Bench) -> None:
    m = bench.run(
        '__attribute__((naked)) void on_hardfault(void) { __asm volatile("ldr r0, [sp, #24]\\n adds r0, #2\\n str r0,'
        ' [sp, #24]\\n bx lr"); }\n'
        'int main(void) { __asm volatile("ldr r0, =0x60000000\\n ldr r0, [r0]" ::: "r0"); OUT[0] = SCB_CFSR; SCB_CFSR'
        " = 0xFFFFFFFF;"
        " SCB_HFSR = 0xFFFFFFFF; OUT[1] = SCB_CFSR; OUT[2] = SCB_HFSR; return 0; }"
    )
    assert m.outs(3) == [0x8200, 0, 0]


# Sleep


def test_wfi_skips_to_the_next_interrupt_at_no_cost(bench: Bench) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { SYST_RVR = 15999; SYST_CVR = 0; SYST_CSR = 7; for (;;) WFI(); }"
    )
    m.device.run(10.0)
    assert 9998 <= m.out(0) <= 10000
    assert m.device.counters.instructions < 10000 * 30


def test_wfi_wakes_for_a_masked_interrupt_without_taking_it(bench: Bench) -> None:
    m = bench.run(
        "void on_systick(void) { OUT[0]++; }\n"
        'int main(void) { SYST_RVR = 15999; SYST_CVR = 0; __asm volatile("cpsid i"); SYST_CSR = 7; WFI(); OUT[1] ='
        " OUT[0];"
        ' __asm volatile("cpsie i\\n isb"); OUT[2] = OUT[0]; return 0; }'
    )
    assert m.outs(3) == [1, 0, 1]


def test_wfe_consumes_an_event_and_then_sleeps(bench: Bench) -> None:
    m = bench.run(
        "void on_systick(void) { OUT[0]++; SYST_CSR = 0; }\n"
        'int main(void) { __asm volatile("sev\\n wfe"); OUT[1] = 1; SYST_RVR = 15999; SYST_CVR = 0; SYST_CSR = 7;'
        ' __asm volatile("wfe"); OUT[2] = OUT[0]; return 0; }'
    )
    assert m.outs(3) == [1, 1, 1]


def test_sleep_on_exit_returns_to_sleep(bench: Bench) -> None:
    m = bench.boot(
        "void on_systick(void) { OUT[0]++; }\n"
        "int main(void) { SYST_RVR = 15999; SYST_CVR = 0; SYST_CSR = 7; REG(0xE000ED10) = 2; WFI(); OUT[1] = 1; for"
        " (;;); }"
    )
    m.device.run(0.1)
    assert m.out(0) >= 99
    assert m.out(1) == 0
