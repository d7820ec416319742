/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/backup.h"

#include "chip/registers.h"

void chip_backup_start(void) {
    RCC_APB1ENR |= RCC_APB1ENR_PWR;
    (void)RCC_APB1ENR;
    PWR_CR |= PWR_CR_DBP;
}

uint32_t chip_backup_read(uint32_t index) { return RTC_BKP(index); }

void chip_backup_write(uint32_t index, uint32_t value) { RTC_BKP(index) = value; }
