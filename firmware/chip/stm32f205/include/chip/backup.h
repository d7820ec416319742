/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_BACKUP_H
#define CHIP_BACKUP_H

#include <stdint.h>

/* RTC backup registers: they survive every reset but a loss of power (without a battery). Their use is one agreement
 * between the bootloader and every image: docs/spec/boot.md section 5. */
enum {
    CHIP_BACKUP_CRASH = 0,  /* CHIP_CRASH_MAGIC + exception number: a fault handler ran. The bootloader clears it. */
    CHIP_BACKUP_BOOT = 1,   /* CHIP_BOOT_MAGIC + reset cause + crash number: from the bootloader to the image */
    CHIP_BACKUP_PC = 2,     /* of the newest crash: program counter, */
    CHIP_BACKUP_LR = 3,     /* link register, */
    CHIP_BACKUP_CFSR = 4,   /* fault status, */
    CHIP_BACKUP_ADDR = 5,   /* address that faulted (valid when the status says so) */
    CHIP_BACKUP_STARTS = 6, /* CHIP_STARTS_MAGIC + counts of starts that are not in the record store yet */
    CHIP_BACKUP_IDENTITY_0 = 7, /* first bytes of the running image's identity, */
    CHIP_BACKUP_IDENTITY_1 = 8, /* four in each, */
    CHIP_BACKUP_UPTIME = 9,     /* and its seconds since the start: whose crash it was, and when */
};

#define CHIP_CRASH_MAGIC  0xFA017000u
#define CHIP_BOOT_MAGIC   0xB0070000u
#define CHIP_STARTS_MAGIC 0x57A20000u

/* Opens the backup domain for writing. Call once before chip_backup_write(). */
void chip_backup_start(void);

uint32_t chip_backup_read(uint32_t index);
void chip_backup_write(uint32_t index, uint32_t value);

#endif
