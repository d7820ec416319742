/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_FAULT_H
#define CHIP_FAULT_H

#include <stdint.h>

/* Where a crash happened, as the handler left it in the backup registers (CHIP_BACKUP_PC and following). */
struct chip_fault {
    uint32_t pc;
    uint32_t lr;
    uint32_t cfsr;
    uint32_t addr;
};

/* Handler of every exception that nobody expects: writes exception number, PC and LR to the backup registers and resets
 * the chip. */
void chip_fault_entry(void);

/* What the newest crash left; meaningful when chip_reset_told() says FAULT. */
void chip_fault_told(struct chip_fault *out);

#endif
