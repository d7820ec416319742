/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/fault.h"

#include "chip/backup.h"
#include "chip/cpu.h"
#include "chip/registers.h"

enum { RAM_ADDR = 0x20000000, RAM_SIZE = 0x20000, FRAME_SIZE = 32, FRAME_LR = 5, FRAME_PC = 6 };

/* Reads the frame only where there can be one: a stack that ran out of RAM must not fault a second time. */
_Noreturn __attribute__((used)) static void record(uint32_t frame, uint32_t exception) {
    chip_backup_start();
    chip_backup_write(CHIP_BACKUP_PC, 0);
    chip_backup_write(CHIP_BACKUP_LR, 0);
    if (frame % 4 == 0 && frame >= RAM_ADDR && frame <= RAM_ADDR + RAM_SIZE - FRAME_SIZE) {
        chip_backup_write(CHIP_BACKUP_PC, CHIP_REG(frame + 4u * FRAME_PC));
        chip_backup_write(CHIP_BACKUP_LR, CHIP_REG(frame + 4u * FRAME_LR));
    }
    chip_backup_write(CHIP_BACKUP_CFSR, SCB_CFSR);
    chip_backup_write(CHIP_BACKUP_ADDR, SCB_BFAR);
    /* Last: whoever finds it finds the rest. */
    chip_backup_write(CHIP_BACKUP_CRASH, CHIP_CRASH_MAGIC | (exception & 0xFFu));
    chip_restart();
}

/* The handler gets a fresh stack, because the fault may be that there was none left. */
__attribute__((naked)) void chip_fault_entry(void) {
    __asm volatile("cpsid i\n"
                   "mrs r0, msp\n"
                   "mrs r1, ipsr\n"
                   "ldr r2, =__stack_top\n"
                   "msr msp, r2\n"
                   "b record\n"
                   ".ltorg\n");
}

void chip_fault_told(struct chip_fault *out) {
    out->pc = chip_backup_read(CHIP_BACKUP_PC);
    out->lr = chip_backup_read(CHIP_BACKUP_LR);
    out->cfsr = chip_backup_read(CHIP_BACKUP_CFSR);
    out->addr = chip_backup_read(CHIP_BACKUP_ADDR);
}
