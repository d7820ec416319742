/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/flash.h"

#include <string.h>

#include "chip/registers.h"

enum {
    FIRST_SECTOR = OTA_LOG_SECTOR_0, /* below it lies the bootloader */
    FIRST_ADDR = OTA_IDENTITY_ADDR,  /* a board's first start completes its identity page, which no erase reaches */
    /* Far longer than an erase (4 s at most) takes, if the CPU did not stall: a dead controller must not hang us. */
    BUSY_LOOPS = 200000000,
};

/* Sizes of the sectors: RM0033 table 3. */
static const uint16_t sector_kib[OTA_SECTOR_COUNT] = {16, 16, 16, 16, 64, 128, 128, 128, 128, 128, 128, 128};

static uint32_t errors;

static uint32_t sector_addr(uint32_t sector) {
    uint32_t addr = OTA_FLASH_ADDR;
    for (uint32_t i = 0; i < sector; i++) addr += (uint32_t)sector_kib[i] * 1024u;
    return addr;
}

static bool in_flash(uint32_t first, uint32_t addr, uint32_t len) {
    return addr >= first && addr <= (uint32_t)OTA_FLASH_ADDR + OTA_FLASH_SIZE &&
           len <= (uint32_t)OTA_FLASH_ADDR + OTA_FLASH_SIZE - addr;
}

static bool wait_idle(void) {
    for (uint32_t i = 0; i < BUSY_LOOPS; i++) {
        if ((FLASH_SR & FLASH_SR_BSY) == 0) return true;
    }
    return false;
}

static void unlock(void) {
    if ((FLASH_CR & FLASH_CR_LOCK) != 0) {
        FLASH_KEYR = FLASH_KEY1;
        FLASH_KEYR = FLASH_KEY2;
    }
    /* Old error flags block new operations. */
    FLASH_SR = FLASH_SR_EOP | FLASH_SR_ERRORS;
}

static void lock(void) { FLASH_CR = FLASH_CR_LOCK; }

/* Both caches hold what stood in the sector before; they may be reset only while they are off (PM0059 section 2.3.3).
 */
static void drop_caches(void) {
    uint32_t acr = FLASH_ACR & ~(FLASH_ACR_ICRST | FLASH_ACR_DCRST);
    uint32_t off = acr & ~(FLASH_ACR_ICEN | FLASH_ACR_DCEN);
    FLASH_ACR = off;
    FLASH_ACR = off | FLASH_ACR_ICRST | FLASH_ACR_DCRST;
    FLASH_ACR = off;
    FLASH_ACR = acr;
}

static enum ota_status flash_read(void *ctx, uint32_t addr, void *out, uint32_t len) {
    (void)ctx;
    if (!in_flash(OTA_FLASH_ADDR, addr, len)) return OTA_ERR_FLASH_RANGE;
    memcpy(out, (const void *)(uintptr_t)addr, len);
    return OTA_OK;
}

/* cut: the words before are whole, this one holds any bits between the old and the new value */
static bool program_word(uint32_t addr, uint32_t word) {
    FLASH_CR = FLASH_CR_PSIZE_32 | FLASH_CR_PG;
    CHIP_REG(addr) = word;
    __asm volatile("dsb" ::: "memory");
    bool idle = wait_idle();
    bool good = idle && (FLASH_SR & FLASH_SR_ERRORS) == 0;
    FLASH_CR = FLASH_CR_PSIZE_32;
    return good && CHIP_REG(addr) == word;
}

static enum ota_status flash_program(void *ctx, uint32_t addr, const void *bytes, uint32_t len) {
    (void)ctx;
    if (addr % 4 != 0 || len % 4 != 0 || !in_flash(FIRST_ADDR, addr, len)) return OTA_ERR_FLASH_RANGE;
    const uint8_t *from = bytes;
    bool good = true;
    unlock();
    for (uint32_t off = 0; good && off < len; off += 4) {
        uint32_t word;
        memcpy(&word, from + off, 4);
        if (word == 0xFFFFFFFFu && CHIP_REG(addr + off) == word) continue; /* nothing to program */
        good = program_word(addr + off, word);
    }
    lock();
    if (!good) errors++;
    return good ? OTA_OK : OTA_ERR_FLASH_PROGRAM;
}

/* cut: the sector holds any bits */
static enum ota_status flash_erase(void *ctx, uint32_t sector) {
    (void)ctx;
    if (sector < FIRST_SECTOR || sector >= OTA_SECTOR_COUNT) return OTA_ERR_FLASH_RANGE;
    unlock();
    FLASH_CR = FLASH_CR_PSIZE_32 | FLASH_CR_SER | FLASH_CR_SNB(sector);
    FLASH_CR |= FLASH_CR_STRT;
    __asm volatile("dsb" ::: "memory");
    bool good = wait_idle() && (FLASH_SR & FLASH_SR_ERRORS) == 0;
    lock();
    drop_caches();
    good = good && chip_flash_is_blank(sector);
    if (!good) errors++;
    return good ? OTA_OK : OTA_ERR_FLASH_ERASE;
}

const struct ota_flash chip_flash = {
    .ctx = NULL,
    .read = flash_read,
    .program = flash_program,
    .erase = flash_erase,
};

uint32_t chip_flash_errors(void) { return errors; }

bool chip_flash_is_blank(uint32_t sector) {
    uint32_t addr = sector_addr(sector);
    uint32_t end = addr + (uint32_t)sector_kib[sector] * 1024u;
    for (; addr < end; addr += 4) {
        if (CHIP_REG(addr) != 0xFFFFFFFFu) return false;
    }
    return true;
}
