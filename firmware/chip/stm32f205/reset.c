/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/reset.h"

#include "chip/backup.h"
#include "chip/registers.h"

struct chip_reset chip_reset_take(void) {
    uint32_t flags = RCC_CSR;
    RCC_CSR |= RCC_CSR_RMVF;
    chip_backup_start();
    uint32_t crash = chip_backup_read(CHIP_BACKUP_CRASH);
    chip_backup_write(CHIP_BACKUP_CRASH, 0);

    struct chip_reset reset = {CHIP_RESET_POWER, 0};
    if ((flags & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) != 0) {
        /* The crash register is set when a fault handler ran and its own reset did not come. */
        reset.cause = CHIP_RESET_WATCHDOG;
    } else if ((flags & RCC_CSR_SFTRSTF) != 0) {
        reset.cause = CHIP_RESET_SOFTWARE;
    }
    /* After a loss of power the register holds chance, or an old crash where there is a battery. */
    if (reset.cause != CHIP_RESET_POWER && (crash & 0xFFFFFF00u) == CHIP_CRASH_MAGIC) {
        reset.cause = CHIP_RESET_FAULT;
        reset.exception = (uint8_t)crash;
    }
    chip_backup_write(CHIP_BACKUP_BOOT, CHIP_BOOT_MAGIC | ((uint32_t)reset.cause << 8) | reset.exception);
    return reset;
}

struct chip_reset chip_reset_told(void) {
    uint32_t boot = chip_backup_read(CHIP_BACKUP_BOOT);
    struct chip_reset reset = {CHIP_RESET_POWER, 0};
    uint32_t cause = (boot >> 8) & 0xFFu;
    if ((boot & 0xFFFF0000u) != CHIP_BOOT_MAGIC || cause > CHIP_RESET_SOFTWARE) return reset;
    reset.cause = (enum chip_reset_cause)cause;
    reset.exception = (uint8_t)boot;
    return reset;
}
